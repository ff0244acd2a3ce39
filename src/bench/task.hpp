// Tasks: prompts and how an answer to each is judged, from task files and from the files of public data sets.
//
// Files are JSON Lines, or what loaders.cpp recognises, packed with gzip or not (docs/tasks.md). Errors name the line
// and what is wrong with it. Tested by tests/unit/bench_test.cpp and tests/cli/tasks_test.py.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bench/checker.hpp"

namespace steelyard::bench {

inline constexpr u32 kAnswerTokens = 256;

struct Item {
  std::string prompt;
  std::vector<std::string> choices;  // multiple choice by log-likelihood; empty: an answer is generated
  std::size_t answer = 0;            // index of the right choice
  std::optional<Checker> checker;    // of a generated answer
  bool plain = false;                // the prompt isn't put into the chat template
  std::vector<std::string> stop;     // a generated answer ends before the first of these
  u32 tokens = kAnswerTokens;        // that it has at most
  // How the item reads among worked examples, with the solution and up to it; empty: it can't be one.
  std::string question, solution;
};

struct Task {
  std::string name;
  std::string data_set;  // whose format it has; empty: a task file
  std::string sha256;    // of the file
  std::vector<Item> items;
  std::string examples;  // worked ones, before every prompt
  u32 shots = 0;         // how many
};

Result<Task> read_task(const std::filesystem::path& path);
// The first items become worked examples, and are not asked any more.
Result<Task> with_shots(Task task, u32 shots);

}  // namespace steelyard::bench
