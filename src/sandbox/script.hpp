// Script: a program text that nobody trusts, run by an interpreter of this machine.
//
// It has no network, no further process, no file but the interpreter, the system's libraries and its own standard
// streams, and bounded memory, time and output. Without Landlock, seccomp, limits and no_new_privs it isn't started: an
// Error (resource) names what is missing. What it prints is hostile. Linux: landlock(7), seccomp(2), execveat(2).
// Blocks until it has ended; may be called from several threads. Tested by tests/unit/script_test.cpp.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "sandbox/program.hpp"

namespace steelyard::sandbox {

struct Script {
  std::filesystem::path interpreter;   // of the file itself, no link
  std::vector<std::string> arguments;  // after the program's name
  std::string input;
  u64 memory_bytes = u64{1} << 30;  // address space
  int seconds = 10;                 // of CPU; of the clock thrice as many
  std::size_t output_bytes = 64 * 1024;
};

struct Ran {
  int status = 0;      // exit status; 128 + signal
  std::string output;  // the end of what it printed on both streams, at most twice output_bytes
  std::vector<std::string> sandbox;
};

Result<Ran> run_script(const Script& script);

}  // namespace steelyard::sandbox
