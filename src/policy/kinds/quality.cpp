// quality: the model does a task well enough, by the interval of its score. Tested by tests/verdict/quality.json.
#include <fmt/format.h>

#include "policy/measured.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "task", .required = true, .meaning = "name of the task file that was run"},
    {.name = "min_percent",
     .type = Param::Type::integer,
     .required = true,
     .meaning = "share of its items that must be right",
     .least = 1,
     .most = 100},
    {.name = "assurance",
     .choices = "verified,claimed",
     .meaning = "claimed: scores that others measured count too (bench --import); verified by default"},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const std::string& task = requirement.params["task"].string();
  return judge(inputs, {.metric = "quality",
                        .slice = json::Value().set("task", task),
                        .what = fmt::format("the score of {}", shown(task)),
                        .unit = "1",
                        .least = requirement.params["min_percent"].integer() * kWhole / 100,
                        .most = std::nullopt,
                        .decide = fmt::format("{} --task FILE", kBench),
                        .claimed = requirement.params["assurance"].string() == "claimed"});
}

}  // namespace

extern const Kind quality_kind;
const Kind quality_kind{"quality", Layer::model, "The model does a named task well enough.",
                        kParams,   "bench",      evaluate};

}  // namespace steelyard::policy
