// What quantization changed.
#include <fmt/format.h>

#include <cmath>

#include "bench/bench.hpp"
#include "bench/statistics.hpp"

namespace steelyard::bench {
namespace {

Measurement labelled(Measurement measurement, std::string metric, json::Value slice, std::string unit) {
  measurement.metric = std::move(metric);
  measurement.slice = std::move(slice);
  measurement.unit = std::move(unit);
  return measurement;
}

}  // namespace

Result<std::vector<Measurement>> damage(engine::Engine& engine, std::string_view text, u32 window,
                                        const engine::Listener& listener) {
  SY_TRY(const engine::Tokens all, engine.tokenize({.text = std::string(text), .special = true, .parse = false}));
  if (all.size() < window)
    return fail(ErrorCode::usage, fmt::format("the text has {} tokens, at least {} are needed", all.size(), window));
  std::vector<double> agreement, divergence, surprise, ratio, flips;
  const std::size_t windows = all.size() / window;
  for (std::size_t i = 0; i < windows; ++i) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * window);
    SY_TRY(const engine::Compared one, engine.compare({begin, begin + window}));
    double model = 0, reference = 0, agrees = 0, apart = 0, flipped = 0;
    const auto count = static_cast<double>(one.logprobs.size());
    for (std::size_t k = 0; k < one.logprobs.size(); ++k) {
      model -= static_cast<double>(one.logprobs[k]) / count;
      reference -= static_cast<double>(one.reference[k]) / count;
      agrees += one.agrees[k] / count;
      flipped += one.flips[k] / count;
      apart += static_cast<double>(one.divergence[k]) / count;
    }
    // Tokens of one window depend on each other: a window is one observation.
    agreement.push_back(agrees);
    flips.push_back(flipped);
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
  out.push_back(labelled(mean(flips), "damage", score("flips"), "1"));
  out.push_back(labelled(mean(ratio), "damage", score("perplexity"), "1"));
  out.push_back(labelled(mean(surprise), "perplexity", json::Value().set("window", std::to_string(window)), "1"));
  return out;
}

}  // namespace steelyard::bench
