// memory: running the model takes no more memory than there is for it. Tested by tests/verdict/memory.json.
#include <fmt/format.h>

#include "policy/measured.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "max_mb",
     .type = Param::Type::integer,
     .required = true,
     .meaning = "MiB that it may take",
     .least = 1,
     .most = 900'000},
    {.name = "what",
     .choices = "peak_rss,weights,kv_cache",
     .meaning = "resident memory at its peak, the weights, the cache of a context (default: peak_rss)"},
    {.name = "context",
     .type = Param::Type::integer,
     .meaning = "tokens of context that it was measured with (default: any)",
     .least = 1},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const json::Value* what = requirement.params.find("what");
  const std::string part = what == nullptr ? "peak_rss" : what->string();
  json::Value slice = json::Value().set("what", part);
  std::string words = part;
  if (const json::Value* context = requirement.params.find("context"); context != nullptr) {
    slice.set("context", std::to_string(context->integer()));
    words += fmt::format(" at {} tokens of context", context->integer());
  }
  return judge(inputs, {.metric = "memory",
                        .slice = std::move(slice),
                        .what = std::move(words),
                        .unit = "byte",
                        .least = std::nullopt,
                        .most = (requirement.params["max_mb"].integer() << 20) * kWhole,
                        .decide = std::string(kBench)});
}

}  // namespace

extern const Kind memory_kind;
const Kind memory_kind{"memory", Layer::model, "Running the model takes no more memory than the requirement allows.",
                       kParams,  "bench",      evaluate};

}  // namespace steelyard::policy
