// Bench: what a model measurably does, as measurements of one record: speed and memory, tasks, expected answers, and
// what quantization changed.
//
// Sampling is deterministic by seed; greedy where nothing is sampled. Every number says how many runs or items stand
// behind it, with an interval. Not thread-safe. Tested by tests/unit/bench_test.cpp and tests/cli/bench_test.py.
#pragma once

#include <filesystem>
#include <span>

#include "engine/pool.hpp"
#include "evidence/record.hpp"
#include "io/file.hpp"

namespace steelyard::bench {

// "prompt" and what is expected, from one line of a task file (docs/tasks.md).
struct Item {
  std::string prompt;
  std::vector<std::string> choices;  // multiple choice by log-likelihood; empty: an answer is generated
  std::size_t answer = 0;            // index of the right choice
  std::string checker;               // of a generated answer: exact, contains, regex, json
  std::string expected;
};

struct Task {
  std::string name;
  std::string sha256;  // of the file
  std::vector<Item> items;
};

// A task file: JSON Lines. An Error names the line and what is wrong with it.
Result<Task> read_task(const std::filesystem::path& path);
// Whether an answer passes.
bool passes(std::string_view checker, std::string_view expected, std::string_view answer);

struct Expectation {
  std::string digest;  // by which the requirement finds its measurement
  std::string prompt, checker, expected;
};

// Of a task; `most` items at most, the first ones (0: all).
Result<std::vector<Measurement>> run_task(engine::Pool& pool, const Task& task, std::size_t most,
                                          const engine::Listener& listener);
// Claims that can be put to the test: "template", "json".
std::span<const std::string_view> known_claims();
// "claim.<name>" = {"state": "confirmed" | "refuted" | "undetermined", "why"}.
Result<Fact> test_claim(engine::Pool& pool, std::string_view claim);
Result<Measurement> run_expectation(engine::Pool& pool, const Expectation& expectation, u32 samples);
// Model and reference on windows of a text.
Result<std::vector<Measurement>> damage(engine::Engine& engine, std::string_view text, u32 window,
                                        const engine::Listener& listener);

struct Plan {
  const io::File* model = nullptr;
  std::string name;  // of the file, for the record
  std::string sha256;
  bool overridden = false;  // its scan found something
  std::filesystem::path engine;
  std::string engine_sha256;
  u32 context = 2048;
  u32 workers = 1;
  u32 repeats = 6;  // of speed; 0: none
  u32 threads = 1;  // of which it is measured
  std::vector<Task> tasks;
  u32 items = 0;  // of every task; 0: all
  std::vector<Expectation> expectations;
  std::vector<std::string> claims;
  const io::File* reference = nullptr;
  std::string text;  // on which it is compared
};

// All of the plan, as one record of kind "bench". `tell`: what is being measured, and how far it is.
using Told = std::function<void(std::string_view what, u64 done, u64 total)>;
Result<evidence::Record> measure(const Plan& plan, const Told& tell);

}  // namespace steelyard::bench
