// damage: quantization has not changed the model by more than the requirement allows, against a reference precision.
// Tested by tests/verdict/damage.json.
#include <fmt/format.h>

#include "policy/measured.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "score",
     .required = true,
     .choices = "top_agreement,perplexity",
     .meaning = "share of tokens on which it agrees with the reference, or increase of perplexity"},
    {.name = "min_percent", .type = Param::Type::integer, .meaning = "of top_agreement", .least = 1, .most = 100},
    {.name = "max_percent",
     .type = Param::Type::integer,
     .meaning = "of perplexity: increase over the reference",
     .most = 1'000'000},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const std::string& score = requirement.params["score"].string();
  const bool agreement = score == "top_agreement";
  const char* key = agreement ? "min_percent" : "max_percent";
  const json::Value* limit = requirement.params.find(key);
  if (limit == nullptr)
    return undetermined(fmt::format("nothing says how much {} may differ", score), {},
                        fmt::format("add {} to requirement {}", key, requirement.id));
  Ask ask{.metric = "damage",
          .slice = json::Value().set("score", score),
          .what = agreement ? "agreement with the reference" : "increase of perplexity",
          .unit = "1",
          .least = std::nullopt,
          .most = std::nullopt,
          .decide = fmt::format("{} --reference FILE --text FILE", kBench)};
  (agreement ? ask.least : ask.most) = limit->integer() * kWhole / 100;
  return judge(inputs, ask);
}

}  // namespace

extern const Kind damage_kind;
const Kind damage_kind{"damage", Layer::model, "Quantization changed the model by no more than the requirement allows.",
                       kParams,  "bench",      evaluate};

}  // namespace steelyard::policy
