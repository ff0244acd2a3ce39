#include "bench/claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "bench/checker.hpp"
#include "bench/statistics.hpp"

namespace steelyard::bench {
namespace {

constexpr std::array<std::string_view, 5> kClaims = {"template", "json", "tools", "languages", "context"};
constexpr u32 kAnswer = 256;  // tokens
constexpr u32 kSamples = 20;
constexpr double kOften = 0.8;  // what a model has to do that can do it
constexpr double kHalf = 0.5;
constexpr u32 kLongest = 32'768;  // tokens that are tried: more take hours
constexpr u32 kShortest = 2048;

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
  if (std::stod(share.interval[0]) >= kHalf) return Found{"confirmed", why};
  if (ended == 0) return Found{"refuted", why};
  return Found{"undetermined", why};
}

Result<Found> json_answers(engine::Pool& pool) {
  SY_TRY(const auto answers,
         ask(pool, "Give the name and the capital of France as a JSON object, with no other text.", kSamples));
  SY_TRY(const Checker json, Checker::read("json", ""));
  u64 right = 0;
  for (const auto& answer : answers) right += json.check(answer.text) == Outcome::passed ? 1U : 0U;
  return decided(right, kSamples, kOften, "answers are JSON");
}

// In an engine of its own, of the length that is claimed, or as much of it as this machine holds.
Result<Found> long_context(engine::Options options, u32 claimed, const engine::Listener& listener) {
  if (claimed < kShortest)
    return Found{"undetermined", fmt::format("no context of {} tokens or more is claimed", kShortest)};
  options.load = {};
  std::string refused;
  for (u32 tokens = std::min(claimed, kLongest); tokens >= kShortest; tokens /= 2) {
    options.load.context = tokens;
    auto engine = engine::Engine::start(options);
    if (engine) return probe_context(**engine, tokens, claimed, listener);
    refused = engine.error().message;
  }
  return Found{"undetermined", "no context could be had: " + refused};
}

}  // namespace

std::span<const std::string_view> known_claims() { return kClaims; }

Found decided(u64 right, u64 n, double enough, std::string_view what) {
  const Measurement share = bench::share(right, n);
  std::string why = fmt::format("{} of {} {}", right, n, what);
  if (std::stod(share.interval[0]) >= enough) return {"confirmed", std::move(why)};
  if (std::stod(share.interval[1]) < enough) return {"refuted", std::move(why)};
  return {"undetermined", std::move(why)};
}

Result<Found> probe_tools(engine::Pool& pool) {
  // What is asked, and the call that it takes.
  constexpr std::array<std::array<std::string_view, 3>, 4> kTasks = {{
      {"What is the weather in Rome?", "get_weather", R"({"city": {"const": "Rome"}})"},
      {"What is the weather in Oslo?", "get_weather", R"({"city": {"const": "Oslo"}})"},
      {"Add 12 and 30.", "add", R"({"a": {"enum": [12, 30]}, "b": {"enum": [12, 30]}})"},
      {"Add 7 and 8.", "add", R"({"a": {"enum": [7, 8]}, "b": {"enum": [7, 8]}})"},
  }};
  constexpr std::string_view kTools =
      "You can call these functions:\n"
      R"({"name": "get_weather", "description": "Weather of a city", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}})"
      "\n"
      R"({"name": "add", "description": "Adds two numbers", "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a", "b"]}})"
      "\nTo call one, answer only with {\"name\": function name, \"arguments\": {arguments}}.\n\n";
  u64 right = 0, asked = 0;
  for (const auto& [question, name, properties] : kTasks) {
    const bool add = name == "add";
    SY_TRY(const Checker call,
           Checker::read("tool_call", fmt::format(R"({{"name": "{}", "schema": {{"properties": {}, "required": {}}}}})",
                                                  name, properties, add ? R"(["a", "b"])" : R"(["city"])")));
    SY_TRY(const auto answers, ask(pool, fmt::format("{}{}", kTools, question), kSamples / kTasks.size()));
    for (const auto& answer : answers) right += call.check(answer.text) == Outcome::passed ? 1U : 0U;
    asked += answers.size();
  }
  return decided(right, asked, kHalf, "answers are the call that was asked for");
}

Result<Fact> test_claim(engine::Pool& pool, const engine::Options& options, const Claim& claim,
                        const engine::Listener& listener) {
  const auto probed = [&]() -> Result<Found> {
    if (claim.name == "languages") return probe_languages(pool, claim.languages);
    if (claim.name == "context") return long_context(options, claim.context, listener);
    if (pool.first().loaded().chat_template.empty()) return Found{"refuted", "the model has no chat template"};
    if (claim.name == "tools") return probe_tools(pool);
    return claim.name == "json" ? json_answers(pool) : chat_template(pool);
  };
  SY_TRY(const Found found, probed());
  return Fact{fmt::format("claim.{}", claim.name), json::Value().set("state", found.state).set("why", found.why),
              std::nullopt, std::nullopt, Assurance::verified};
}

}  // namespace steelyard::bench
