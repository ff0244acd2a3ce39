// expect: the model does what its user needs, by a prompt and a program that checks the answers.
//
// What was measured is found by the digest of {prompt, checker, expected}: an answer to another prompt is no evidence.
// Tested by tests/verdict/expect.json.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/sha256.hpp"
#include "bench/checker.hpp"
#include "policy/expectation.hpp"
#include "policy/measured.hpp"

namespace steelyard::policy {
namespace {

constexpr i64 kUsual = 90;  // percent
constexpr i64 kLeastSamples = 20, kMostSamples = 2000;

i64 least_percent(const json::Value& params) {
  const json::Value* least = params.find("min_percent");
  return least == nullptr ? kUsual : least->integer();
}

constexpr Param kParams[] = {
    {.name = "prompt", .required = true, .meaning = "what the model is asked"},
    {.name = "checker",
     .required = true,
     .choices = "exact,contains,number,regex,json,json_schema,tool_call,all_of,program",
     .meaning = "how an answer is checked"},
    {.name = "expected",
     .required = true,
     .meaning = "what it is checked against (docs/tasks.md); a schema, a call or a list as JSON in a text; of json "
                "anything"},
    {.name = "min_percent",
     .type = Param::Type::integer,
     .meaning = "share of answers that must pass (default: 90)",
     .least = 1,
     .most = 99},  // no sample shows that all answers pass
    {.name = "samples",
     .type = Param::Type::integer,
     .meaning = "answers that a bench asks for (default: enough to show min_percent, 20 at least)",
     .least = 1,
     .most = kMostSamples},
};

std::string fault(const json::Value& params) {
  const auto checker = bench::Checker::read(params["checker"].string(), params["expected"].string());
  return checker ? "" : fmt::format("expected: {}", checker.error().message);
}

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  return judge(inputs, {.metric = "pass_rate",
                        .slice = json::Value().set("expect", expectation_digest(requirement.params)),
                        .what = fmt::format("answers to {} that pass", shown(requirement.params["prompt"])),
                        .unit = "1",
                        .least = least_percent(requirement.params) * kWhole / 100,
                        .most = std::nullopt,
                        .decide = fmt::format("{} --expect require.toml", kBench)});
}

}  // namespace

std::string expectation_digest(const json::Value& params) {
  json::Value asked = json::Object{};
  for (const char* key : {"prompt", "checker", "expected"}) asked.set(key, params[key]);
  return sha256(json::canonical(asked));
}

u32 expectation_samples(const json::Value& params) {
  if (const json::Value* samples = params.find("samples")) return static_cast<u32>(samples->integer());
  // Of n answers that all pass, Wilson's interval ends at n / (n + z²); twice as many leave room for some that don't.
  constexpr double kZSquared = 3.8415;
  const double share = static_cast<double>(least_percent(params)) / 100;
  const auto enough = static_cast<i64>(std::ceil(2 * kZSquared * share / (1 - share)));
  return static_cast<u32>(std::clamp(enough, kLeastSamples, kMostSamples));
}

extern const Kind expect_kind;
const Kind expect_kind{"expect", Layer::model, "The model's answers to a prompt pass a check often enough.",
                       kParams,  "bench",      evaluate,
                       fault};

}  // namespace steelyard::policy
