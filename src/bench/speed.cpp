// Speed and memory of one thread, and what quantization changed.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "bench/bench.hpp"
#include "bench/statistics.hpp"

namespace steelyard::bench {
namespace {

constexpr u32 kPrompt = 512;  // tokens, as llama-bench's pp512
constexpr u32 kAnswer = 64;   // and tg64
constexpr u32 kFirst = 128;

Measurement labelled(Measurement measurement, std::string metric, json::Value slice, std::string unit) {
  measurement.metric = std::move(metric);
  measurement.slice = std::move(slice);
  measurement.unit = std::move(unit);
  return measurement;
}

// Tokens that mean nothing: speed doesn't depend on them.
engine::Tokens filler(u32 count, u32 vocabulary) {
  engine::Tokens out;
  for (u32 i = 0; i < count; ++i) out.push_back(static_cast<engine::Token>((i * 7919 + 13) % vocabulary));
  return out;
}

}  // namespace

Result<std::vector<Measurement>> speed(engine::Engine& engine, u32 repeats, const engine::Listener& listener) {
  const u32 vocabulary = engine.loaded().vocabulary;
  std::vector<double> prompt, generation, first;
  for (u32 run = 0; run <= repeats; ++run) {
    if (listener) listener(run, repeats + 1);
    const auto once = [&](u32 before, u32 after) -> Result<engine::Generated> {
      engine::Generate request{
          .prefix = {}, .prompts = {filler(before, vocabulary)}, .most = after, .ignore_end = true, .sampling = {}};
      SY_TRY(auto answers, engine.generate(request));
      return std::move(answers.front());
    };
    SY_TRY(const auto long_prompt, once(kPrompt, 1));
    SY_TRY(const auto short_prompt, once(kFirst, 1));
    SY_TRY(const auto answer, once(1, kAnswer + 1));
    if (run == 0) continue;  // caches and clocks are cold
    prompt.push_back(kPrompt * 1e6 / static_cast<double>(std::max<u64>(long_prompt.first_us, 1)));
    first.push_back(static_cast<double>(short_prompt.first_us) / 1000);
    const u64 rest = std::max<u64>(answer.total_us - std::min(answer.first_us, answer.total_us), 1);
    generation.push_back(kAnswer * 1e6 / static_cast<double>(rest));
  }
  const auto phase = [](std::string_view name, u32 tokens) {
    return json::Value().set("phase", name).set("tokens", std::to_string(tokens)).set("threads", "1");
  };
  std::vector<Measurement> out;
  out.push_back(labelled(median(prompt), "speed", phase("prompt", kPrompt), "token/s"));
  out.push_back(labelled(median(generation), "speed", phase("generation", kAnswer), "token/s"));
  out.push_back(labelled(median(first), "speed", phase("first_token", kFirst), "ms"));
  out.push_back(labelled(median({static_cast<double>(engine.loaded().milliseconds)}), "speed",
                         json::Value().set("phase", "load"), "ms"));
  out.push_back(labelled(median({static_cast<double>(engine.loaded().bytes)}), "memory",
                         json::Value().set("what", "weights"), "byte"));
  if (const u64 peak = engine.peak_rss(); peak > 0)
    out.push_back(
        labelled(median({static_cast<double>(peak)}), "memory", json::Value().set("what", "peak_rss"), "byte"));
  return out;
}

Result<std::vector<Measurement>> damage(engine::Engine& engine, std::string_view text, u32 window,
                                        const engine::Listener& listener) {
  SY_TRY(const engine::Tokens all, engine.tokenize({.text = std::string(text), .special = true, .parse = false}));
  if (all.size() < window)
    return fail(ErrorCode::usage, fmt::format("the text has {} tokens, at least {} are needed", all.size(), window));
  std::vector<double> agreement, divergence, surprise, ratio;
  const std::size_t windows = all.size() / window;
  for (std::size_t i = 0; i < windows; ++i) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * window);
    SY_TRY(const engine::Compared one, engine.compare({begin, begin + window}));
    double model = 0, reference = 0, agrees = 0, apart = 0;
    const auto count = static_cast<double>(one.logprobs.size());
    for (std::size_t k = 0; k < one.logprobs.size(); ++k) {
      model -= static_cast<double>(one.logprobs[k]) / count;
      reference -= static_cast<double>(one.reference[k]) / count;
      agrees += one.agrees[k] / count;
      apart += static_cast<double>(one.divergence[k]) / count;
    }
    // Tokens of one window depend on each other: a window is one observation.
    agreement.push_back(agrees);
    divergence.push_back(apart);
    surprise.push_back(std::exp(model));
    ratio.push_back(std::exp(model - reference) - 1);
    if (listener) listener(i + 1, windows);
  }
  const auto score = [&](std::string_view name) {
    return json::Value().set("score", name).set("window", std::to_string(window));
  };
  std::vector<Measurement> out;
  out.push_back(labelled(mean(agreement), "damage", score("top_agreement"), "1"));
  out.push_back(labelled(mean(divergence), "damage", score("kl"), "nat"));
  out.push_back(labelled(mean(ratio), "damage", score("perplexity"), "1"));
  out.push_back(labelled(mean(surprise), "perplexity", json::Value().set("window", std::to_string(window)), "1"));
  return out;
}

}  // namespace steelyard::bench
