// Child: a program of the stack, llama-quantize or llama-imatrix, in a sandbox.
//
// Its input is hostile and it is no code of ours. It is given open files (source, output, state), files that it finds
// by their names, no network, no further process, no privilege, and no file but these, itself and the system's
// libraries. The source can't be exchanged for another by its name, and the program that runs is the one that was
// hashed: it is started by its descriptor. Linux: landlock(7), seccomp(2), execveat(2).
// Tested by tests/cli/quantize_test.py and tests/unit/quantize_test.cpp.
#pragma once

#include <atomic>
#include <functional>

#include "io/file.hpp"

namespace steelyard::quantize {

// What the program calls the files that it is given open.
inline constexpr std::string_view kSourcePath = "/proc/self/fd/3";
inline constexpr std::string_view kOutputPath = "/proc/self/fd/4";
inline constexpr std::string_view kStatePath = "/proc/self/fd/7";

struct Job {
  std::string name;  // "llama-quantize"
  const io::File* program = nullptr;
  std::filesystem::path program_path;  // for libraries beside it
  const io::File* source = nullptr;
  int output = -1;                  // an empty file
  const io::File* state = nullptr;  // may be absent
  const io::File* named = nullptr;  // may be absent: a file that the program opens by its bare name
  std::filesystem::path folder;     // where that lies
  std::vector<std::string> words;   // arguments
  u64 memory_bytes = 0;
  u64 output_bytes = 0;  // most
};

struct Ended {
  int status = 0;                    // exit status; 128 + signal
  bool cut = false;                  // by `said`
  std::vector<std::string> sandbox;  // layers achieved
  std::string tail;                  // the end of what it printed; hostile
};

// `said`: each piece that it prints, up to a comma or the end of a line; hostile; false ends the program. Ends it too
// when `stop` becomes true. An Error when it can't be started.
Result<Ended> run(const Job& job, const std::atomic<bool>& stop, const std::function<bool(std::string_view)>& said);

// Why a program that ended badly did, in its own words. `folder`: where it wrote.
Error why(const Job& job, const Ended& how, const std::filesystem::path& folder);

}  // namespace steelyard::quantize
