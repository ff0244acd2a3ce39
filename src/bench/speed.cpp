#include "bench/speed.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bench/statistics.hpp"

namespace steelyard::bench {
namespace {

constexpr u32 kPrompt = 512;  // tokens, as llama-bench's pp512
constexpr u32 kAnswer = 128;  // and tg128
constexpr u32 kFirst = 128;
constexpr u32 kBeside = 16;  // tokens of a prompt decoded beside others
constexpr u32 kBesideAnswer = 32;
constexpr u32 kBesideContext = 256;
constexpr u32 kWidths[] = {4, 16};
constexpr u32 kLoads = 3;
constexpr double kFill = 30;         // seconds
constexpr u32 kFewest = 3;           // rounds of a slow model
constexpr u64 kEnough = 30'000'000;  // microseconds, after which these are enough
constexpr double kNoisy = 0.05;      // of the median, either way

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

struct Timed {
  u64 first_us = 1;
  u64 rest_us = 1;  // from the last first token to the end
  u64 all_us = 1;
};

// `width` answers of exactly `after` tokens.
Result<Timed> timed(engine::Engine& engine, u32 width, u32 before, u32 after) {
  engine::Generate request{.prefix = {},
                           .prompts = {width, filler(before, engine.loaded().vocabulary)},
                           .most = after,
                           .ignore_end = true,
                           .sampling = {}};
  SY_TRY(const auto answers, engine.generate(request));
  Timed out;
  for (const auto& one : answers) {
    out.first_us = std::max(out.first_us, one.first_us);
    out.all_us = std::max(out.all_us, one.total_us);
  }
  out.rest_us = std::max<u64>(out.all_us - std::min(out.first_us, out.all_us), 1);
  return out;
}

double rate(u64 tokens, u64 microseconds) {
  return static_cast<double>(tokens) * 1e6 / static_cast<double>(microseconds);
}

// Rounds until there are `repeats`, or enough of a slow model; the first only warms up.
class Rounds {
 public:
  Rounds(u32 repeats, const engine::Listener& listener) : repeats_(repeats), listener_(listener) {}
  bool another() {
    if (listener_) listener_(done_, repeats_ + 1);
    return done_ <= std::min(repeats_, kFewest) || (done_ <= repeats_ && spent_ < kEnough);
  }
  bool warming() const { return done_ == 0; }
  void finished(u64 microseconds) {
    ++done_;
    spent_ += microseconds;
  }

 private:
  u32 repeats_;
  const engine::Listener& listener_;
  u32 done_ = 0;
  u64 spent_ = 0;
};

Fact noise(const std::vector<std::pair<std::string_view, double>>& spreads) {
  const auto widest = std::ranges::max_element(spreads, {}, &std::pair<std::string_view, double>::second);
  return {"bench.noise",
          json::Value()
              .set("state", widest->second > kNoisy ? "noisy" : "quiet")
              .set("phase", widest->first)
              .set("spread", decimal(widest->second)),
          std::nullopt, std::nullopt, Assurance::verified};
}

}  // namespace

Result<Speed> speed(engine::Options options, u32 repeats, const engine::Listener& listener) {
  options.load.context = std::max(options.load.context, kPrompt + kAnswer);
  options.load.fastest = true;  // what else is decoded beside it doesn't matter here
  Speed out;
  const auto threads = std::to_string(options.load.threads);
  const auto slice = [&](std::string_view phase, u32 tokens) {
    return json::Value().set("phase", phase).set("tokens", std::to_string(tokens)).set("threads", threads);
  };
  const auto give = [&](Measurement one, const char* metric, json::Value of, const char* unit) {
    out.measurements.push_back(labelled(std::move(one), metric, std::move(of), unit));
  };
  std::unique_ptr<engine::Engine> engine;
  std::vector<double> load;
  for (u32 run = 0; run <= std::min(repeats, kLoads); ++run) {
    engine.reset();
    SY_TRY(engine, engine::Engine::start(options));
    if (run > 0) load.push_back(static_cast<double>(engine->loaded().milliseconds));
  }
  out.layers = engine->hello().sandbox;

  std::vector<double> prompt, generation, first;
  for (Rounds rounds(repeats, listener); rounds.another();) {
    SY_TRY(const Timed long_prompt, timed(*engine, 1, kPrompt, 1));
    SY_TRY(const Timed short_prompt, timed(*engine, 1, kFirst, 1));
    SY_TRY(const Timed answer, timed(*engine, 1, 1, kAnswer + 1));
    if (!rounds.warming()) {
      prompt.push_back(rate(kPrompt, long_prompt.first_us));
      first.push_back(static_cast<double>(short_prompt.first_us) / 1000);
      generation.push_back(rate(kAnswer, answer.rest_us));
    }
    rounds.finished(long_prompt.all_us + short_prompt.all_us + answer.all_us);
  }
  give(median(prompt), "speed", slice("prompt", kPrompt), "token/s");
  give(median(generation), "speed", slice("generation", kAnswer), "token/s");
  give(median(first), "speed", slice("first_token", kFirst), "ms");
  give(median(load), "speed", json::Value().set("phase", "load").set("threads", threads), "ms");
  const auto bytes = [&](const char* what, u64 number) {
    give(median({static_cast<double>(number)}), "memory",
         json::Value().set("what", what).set("context", std::to_string(options.load.context)), "byte");
  };
  bytes("weights", engine->loaded().bytes);
  bytes("kv_cache", engine->loaded().cache_bytes);
  bytes("compute", engine->loaded().compute_bytes);
  // A context that is used takes more than an empty one; as much of it as can be read in half a minute.
  const double affordable = std::stod(out.measurements.front().value) * kFill;
  const auto used =
      static_cast<u32>(std::min<double>(options.load.context - 2.0, std::max<double>(affordable, kPrompt)));
  SY_CHECK(timed(*engine, 1, used, 1));
  if (const u64 peak = engine->peak_rss(); peak > 0) {
    bytes("peak_rss", peak);
    out.measurements.back().slice.set("used", std::to_string(used));
  }

  options.load.context = kBesideContext;
  options.load.sequences = *std::ranges::max_element(kWidths);
  u32 engines = 1;
  options.needs.fit(options.load, engines);
  std::vector<u32> widths(std::begin(kWidths), std::end(kWidths));
  std::erase_if(widths, [&](u32 width) { return width > options.load.sequences; });
  engine.reset();
  SY_TRY(engine, engine::Engine::start(options));
  std::vector<std::vector<double>> beside(widths.size());
  for (Rounds rounds(repeats, listener); rounds.another();) {
    u64 spent = 0;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      SY_TRY(const Timed one, timed(*engine, widths[i], kBeside, kBesideAnswer + 1));
      if (!rounds.warming()) beside[i].push_back(rate(u64{widths[i]} * kBesideAnswer, one.rest_us));
      spent += one.all_us;
    }
    rounds.finished(spent);
  }
  for (std::size_t i = 0; i < widths.size(); ++i)
    give(median(beside[i]), "speed", slice("batched", kBesideAnswer).set("sequences", std::to_string(widths[i])),
         "token/s");
  std::vector<std::pair<std::string_view, double>> spreads = {{"prompt", spread(prompt)},
                                                              {"generation", spread(generation)}};
  if (!beside.empty()) spreads.emplace_back("batched", spread(beside.front()));
  out.noise = noise(spreads);
  return out;
}

}  // namespace steelyard::bench
