// speed: the model is fast enough on the machine that it was measured on. Tested by tests/verdict/speed.json.
#include <fmt/format.h>

#include "policy/measured.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "phase",
     .required = true,
     .choices = "prompt,generation,batched,first_token,load",
     .meaning = "what is timed: reading the prompt, one answer, many answers at a time, the first token, loading"},
    {.name = "min",
     .type = Param::Type::integer,
     .meaning = "tokens a second, of prompt, generation and batched",
     .least = 1,
     .most = 1'000'000},
    {.name = "sequences",
     .type = Param::Type::integer,
     .meaning = "answers side by side, of batched (default: any that was measured)",
     .least = 1,
     .most = 256},
    {.name = "max_ms",
     .type = Param::Type::integer,
     .meaning = "milliseconds, of first_token and load",
     .least = 1,
     .most = 86'400'000},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const std::string& phase = requirement.params["phase"].string();
  const bool rate = phase != "first_token" && phase != "load";
  const char* key = rate ? "min" : "max_ms";
  const json::Value* limit = requirement.params.find(key);
  if (limit == nullptr)
    return undetermined(fmt::format("nothing says how fast {} has to be", phase), {},
                        fmt::format("add {} to requirement {}", key, requirement.id));
  Ask ask{.metric = "speed",
          .slice = json::Value().set("phase", phase),
          .what = phase,
          .unit = rate ? "token/s" : "ms",
          .least = std::nullopt,
          .most = std::nullopt,
          .decide = std::string(kBench)};
  if (const json::Value* sequences = requirement.params.find("sequences"); sequences != nullptr && phase == "batched") {
    ask.slice.set("sequences", std::to_string(sequences->integer()));
    ask.what += fmt::format(" {}", sequences->integer());
  }
  (rate ? ask.least : ask.most) = limit->integer() * kWhole;
  return judge(inputs, ask);
}

}  // namespace

extern const Kind speed_kind;
const Kind speed_kind{"speed", Layer::model, "The model is fast enough on this machine.", kParams, "bench", evaluate};

}  // namespace steelyard::policy
