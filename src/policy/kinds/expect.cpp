// expect: the model does what its user needs, by a prompt and a program that checks the answers.
//
// What was measured is found by the digest of {prompt, checker, expected}: an answer to another prompt is no evidence.
// Tested by tests/verdict/expect.json.
#include <fmt/format.h>

#include "base/sha256.hpp"
#include "policy/measured.hpp"

namespace steelyard::policy {
namespace {

constexpr i64 kUsual = 90;  // percent

constexpr Param kParams[] = {
    {.name = "prompt", .required = true, .meaning = "what the model is asked"},
    {.name = "checker",
     .required = true,
     .choices = "exact,contains,regex,json",
     .meaning = "how an answer is checked"},
    {.name = "expected",
     .required = true,
     .meaning = "the text or expression that it is checked against; of json anything"},
    {.name = "min_percent",
     .type = Param::Type::integer,
     .meaning = "share of answers that must pass (default: 90)",
     .least = 1,
     .most = 100},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  json::Value asked = json::Object{};
  for (const char* key : {"prompt", "checker", "expected"}) asked.set(key, requirement.params[key]);
  const json::Value* least = requirement.params.find("min_percent");
  return judge(inputs, {.metric = "pass_rate",
                        .slice = json::Value().set("expect", sha256(json::canonical(asked))),
                        .what = fmt::format("answers to {} that pass", shown(requirement.params["prompt"])),
                        .unit = "1",
                        .least = (least == nullptr ? kUsual : least->integer()) * kWhole / 100,
                        .most = std::nullopt,
                        .decide = fmt::format("{} --expect require.toml", kBench)});
}

}  // namespace

extern const Kind expect_kind;
const Kind expect_kind{"expect", Layer::model, "The model's answers to a prompt pass a check often enough.",
                       kParams,  "bench",      evaluate};

}  // namespace steelyard::policy
