// Bench: what a model measurably does, as measurements of one record: speed and memory, tasks, expected answers, and
// what quantization changed.
//
// Sampling is deterministic by seed; greedy where nothing is sampled. Every number says how many runs or items stand
// behind it, with an interval. Not thread-safe. Tested by tests/unit/bench_test.cpp and tests/cli/bench_test.py.
#pragma once

#include <filesystem>
#include <span>

#include "bench/claims.hpp"
#include "bench/task.hpp"
#include "engine/pool.hpp"
#include "evidence/record.hpp"
#include "io/file.hpp"

namespace steelyard::bench {

struct Expectation {
  std::string digest;  // by which the requirement finds its measurement
  std::string prompt;
  Checker checker;
  u32 samples = 0;
};

// Of a task; `most` items at most, the first ones (0: all).
Result<std::vector<Measurement>> run_task(engine::Pool& pool, const Task& task, std::size_t most,
                                          const engine::Listener& listener);
// Nothing when the answers can't be checked on this machine.
Result<std::optional<Measurement>> run_expectation(engine::Pool& pool, const Expectation& expectation);
// Model and reference on windows of a text.
Result<std::vector<Measurement>> damage(engine::Engine& engine, std::string_view text, u32 window,
                                        const engine::Listener& listener);

struct Weights {
  std::string name;  // for the record
  std::string sha256;
  const io::File* file = nullptr;
};

struct Plan {
  std::vector<Weights> model;  // its files in their order
  bool overridden = false;     // its scan found something
  std::filesystem::path engine;
  std::string engine_sha256;
  engine::Needs needs;
  u32 context = 2048;
  u32 workers = 1;
  u32 repeats = 6;  // of speed; 0: none
  u32 threads = 1;  // of which it is measured
  std::vector<Task> tasks;
  u32 items = 0;  // of every task; 0: all
  std::vector<Expectation> expectations;
  std::vector<Claim> claims;
  std::filesystem::path answers;  // where earlier ones are kept; empty: nowhere
  const io::File* reference = nullptr;
  std::string text;  // on which it is compared
};

// All of the plan, as one record of kind "bench". `tell`: what is being measured, and how far it is.
using Told = std::function<void(std::string_view what, u64 done, u64 total)>;
Result<evidence::Record> measure(const Plan& plan, const Told& tell);

}  // namespace steelyard::bench
