// Process: one program, run to its end with a chosen environment, its output kept or told line by line.
//
// No shell is involved: arguments are what they are. Standard input is empty. The child is a process group
// of its own and is ended when the caller is (PR_SET_PDEATHSIG), so that an interrupted build leaves nothing running.
// Tested by tests/unit/stack_build_test.cpp.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/environment.hpp"
#include "base/result.hpp"

namespace steelyard::stack {

struct Command {
  std::vector<std::string> arguments;    // the program first, by its path
  std::vector<std::string> environment;  // "NAME=value", whole
  std::filesystem::path folder;
  u64 most_output = u64{64} << 20;  // what is beyond it is dropped
  int seconds = 0;                  // killed after them; 0: never
};

struct Finished {
  int status = 0;  // exit status; 128 + signal
  bool timed_out = false;
  std::string output;  // standard output and error, together
};

// `line` is told every line of the output as it comes. An Error when the program can't be started.
Result<Finished> run(const Command& command, const std::function<void(std::string_view line)>& line = {});

// The program of this name in PATH; empty when there is none.
std::filesystem::path program(const Environment& environment, const std::string& name);

}  // namespace steelyard::stack
