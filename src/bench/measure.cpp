#include <algorithm>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "bench/bench.hpp"
#include "bench/speed.hpp"

namespace steelyard::bench {
namespace {

constexpr u32 kAnalyzer = 1;
constexpr u32 kWindow = 512;
constexpr u32 kSequences = 8;  // side by side in one worker

// What all engines of a run had: the one with fewest layers counts.
class Layers {
 public:
  void add(const std::vector<std::string>& layers) {
    if (!seen_) common_ = layers;
    seen_ = true;
    std::erase_if(common_, [&](const auto& one) { return std::ranges::find(layers, one) == layers.end(); });
  }
  const std::vector<std::string>& common() const { return common_; }

 private:
  bool seen_ = false;
  std::vector<std::string> common_;
};

void take(std::vector<Measurement>& into, std::vector<Measurement> from) {
  for (Measurement& one : from) into.push_back(std::move(one));
}

}  // namespace

Result<evidence::Record> measure(const Plan& plan, const Told& tell) {
  if (plan.repeats == 0 && plan.tasks.empty() && plan.expectations.empty() && plan.claims.empty() &&
      plan.reference == nullptr)
    return fail(ErrorCode::usage, "nothing to measure");
  evidence::Record record;
  record.kind = "bench";
  std::string digests;
  for (const Weights& one : plan.model) {
    record.subjects.push_back({"weights", one.name, one.sha256, one.file->size()});
    digests += one.sha256;
  }
  const std::string model = plan.model.size() == 1 ? digests : sha256(digests);
  record.method.tool = STEELYARD_VERSION;
  record.method.analyzer = kAnalyzer;
  record.method.engine = "sha256:" + plan.engine_sha256;
  record.method.params = json::Value()
                             .set("context", u64{plan.context})
                             .set("workers", u64{plan.workers})
                             .set("threads", u64{plan.threads})
                             .set("override", plan.overridden);
  auto& measurements = record.found.measurements;
  const auto listener = [&](std::string_view what) -> engine::Listener {
    if (!tell) return {};
    return [&tell, what](u64 done, u64 total) { tell(what, done, total); };
  };
  engine::Options options;
  options.program = plan.engine;
  for (const Weights& one : plan.model) options.model.push_back(one.file);
  options.needs = plan.needs;
  options.load.context = plan.context;
  Layers layers;
  if (plan.repeats > 0) {
    engine::Options many = options;
    many.load.threads = plan.threads;
    SY_TRY(Speed found, speed(many, plan.repeats, listener("speed")));
    take(measurements, std::move(found.measurements));
    record.found.facts.push_back(std::move(found.noise));
    layers.add(found.layers);
  }
  if (!plan.tasks.empty() || !plan.expectations.empty() || !plan.claims.empty()) {
    options.load.sequences = kSequences;
    SY_TRY(engine::Pool pool, engine::Pool::start(options, plan.workers));
    if (!plan.answers.empty()) {
      auto answers = engine::Answers::open(plan.answers, model, plan.engine_sha256, plan.context);
      if (answers) pool.remember(std::move(*answers));
    }
    for (const auto& engine : pool.engines()) layers.add(engine->hello().sandbox);
    for (const Task& task : plan.tasks) {
      SY_TRY(auto found, run_task(pool, task, plan.items, listener(task.name)));
      take(measurements, std::move(found));
    }
    for (const Expectation& expectation : plan.expectations) {
      if (tell) tell("expected answers", 0, 0);
      SY_TRY(auto found, run_expectation(pool, expectation));
      if (found) measurements.push_back(std::move(*found));
    }
    for (const Claim& claim : plan.claims) {
      const std::string what = "claim " + claim.name;
      if (tell) tell(what, 0, 0);
      SY_TRY(Fact found, test_claim(pool, options, claim, listener(what)));
      record.found.facts.push_back(std::move(found));
    }
    static_cast<void>(pool.finish());  // what can't be kept costs time, not results
  }
  if (plan.reference != nullptr) {
    options.reference = plan.reference;
    options.load = {};
    options.load.context = kWindow;
    SY_TRY(auto engine, engine::Engine::start(options));
    SY_TRY(auto found, damage(*engine, plan.text, kWindow, listener("damage")));
    layers.add(engine->hello().sandbox);
    record.method.params.set("reference", "sha256:" + io::hash(*plan.reference))
        .set("text", "sha256:" + sha256(plan.text));
    take(measurements, std::move(found));
  }
  const auto runs_code = [](const std::optional<Checker>& checker) { return checker && checker->runs_code(); };
  const bool code = std::ranges::any_of(plan.expectations, &Checker::runs_code, &Expectation::checker) ||
                    std::ranges::any_of(plan.tasks, [&](const Task& task) {
                      return std::ranges::any_of(task.items, runs_code, &Item::checker);
                    });
  if (code) {
    auto python = io::File::open(interpreter());
    if (python) record.method.params.set("interpreter", "sha256:" + io::hash(*python));
  }
  json::Value list = json::Array{};
  for (const std::string& layer : layers.common()) list.push(text::display(layer, 40));
  record.found.facts.push_back({"engine.sandbox", std::move(list), std::nullopt, std::nullopt, Assurance::verified});
  record.run.sandbox = layers.common();
  record.run.digest_source = "hashed";
  return record;
}

}  // namespace steelyard::bench
