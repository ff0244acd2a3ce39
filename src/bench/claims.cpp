// What is claimed of a model, put to the test by a probe. Tested by tests/cli/bench_test.py.
#include <fmt/format.h>

#include <array>

#include "bench/bench.hpp"
#include "bench/statistics.hpp"

namespace steelyard::bench {
namespace {

constexpr std::array<std::string_view, 2> kClaims = {"template", "json"};
constexpr u32 kAnswer = 256;  // tokens
constexpr u32 kSamples = 20;
constexpr double kOften = 0.8;  // what a model has to do that can do it

struct Found {
  std::string_view state;
  std::string why;
};

Result<std::vector<engine::Generated>> ask(engine::Pool& pool, const std::string& prompt, u32 samples) {
  SY_TRY(const std::string text, pool.first().apply_template({.messages = {{"user", prompt}}}));
  engine::Generate request{.most = kAnswer};
  SY_TRY(request.prefix, pool.first().tokenize({.text = text, .special = false, .parse = true}));
  request.prompts.assign(samples, {});
  if (samples > 1) request.sampling.temperature = 0.8F;
  return pool.generate(request);
}

// With the right template a model ends its answers.
Result<Found> chat_template(engine::Pool& pool) {
  SY_TRY(const auto answers, ask(pool, "Answer with one word: which colour has the sky?", kSamples));
  u64 ended = 0;
  for (const auto& answer : answers) ended += answer.stop == engine::Stop::end && !answer.tokens.empty() ? 1U : 0U;
  const Measurement share = bench::share(ended, kSamples);
  const std::string why = fmt::format("{} of {} answers end by themselves within {} tokens", ended, kSamples, kAnswer);
  if (std::stod(share.interval[0]) >= 0.5) return Found{"confirmed", why};
  if (ended == 0) return Found{"refuted", why};
  return Found{"undetermined", why};
}

Result<Found> json_answers(engine::Pool& pool) {
  SY_TRY(const auto answers,
         ask(pool, "Give the name and the capital of France as a JSON object, with no other text.", kSamples));
  u64 right = 0;
  for (const auto& answer : answers) right += passes("json", "", answer.text) ? 1U : 0U;
  const Measurement share = bench::share(right, kSamples);
  const std::string why = fmt::format("{} of {} answers are JSON", right, kSamples);
  if (std::stod(share.interval[0]) >= kOften) return Found{"confirmed", why};
  if (std::stod(share.interval[1]) < kOften) return Found{"refuted", why};
  return Found{"undetermined", why};
}

}  // namespace

std::span<const std::string_view> known_claims() { return kClaims; }

Result<Fact> test_claim(engine::Pool& pool, std::string_view claim) {
  Found found{"refuted", "the model has no chat template"};
  if (!pool.first().loaded().chat_template.empty()) {
    SY_TRY(found, claim == "json" ? json_answers(pool) : chat_template(pool));
  }
  return Fact{fmt::format("claim.{}", claim), json::Value().set("state", found.state).set("why", found.why),
              std::nullopt, std::nullopt, Assurance::verified};
}

}  // namespace steelyard::bench
