// Child: llama-quantize in a sandbox.
//
// Its input is hostile and it is no code of ours. It is given three open files (source, output, importance
// matrix), no network, no further process, no privilege, and no file but these, itself and the system's
// libraries. The source can't be exchanged for another by its name, and the program that runs is the one that was
// hashed: it is started by its descriptor. Linux: landlock(7), seccomp(2), execveat(2).
// Tested by tests/cli/quantize_test.py and tests/unit/quantize_test.cpp.
#pragma once

#include <atomic>
#include <functional>

#include "io/file.hpp"

namespace steelyard::quantize {

struct Job {
  const io::File* program = nullptr;
  std::filesystem::path program_path;  // for libraries beside it
  const io::File* source = nullptr;
  int output = -1;                    // an empty file
  const io::File* matrix = nullptr;   // may be absent
  std::filesystem::path matrix_path;  // its folder is the working folder: its bare name becomes part of the output
  std::vector<std::string> flags;
  std::string type;
  u32 threads = 1;
  u64 memory_bytes = 0;
  u64 output_bytes = 0;  // most
};

struct Ended {
  int status = 0;                    // exit status; 128 + signal
  std::vector<std::string> sandbox;  // layers achieved
  std::string tail;                  // the end of what it printed; hostile
};

// `progress`: tensors done, of how many. Ends the child when `stop` becomes true. An Error when it can't be started.
Result<Ended> run(const Job& job, const std::atomic<bool>& stop, const std::function<void(u64, u64)>& progress);

}  // namespace steelyard::quantize
