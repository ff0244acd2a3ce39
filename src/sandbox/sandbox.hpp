// Zygote: runs registered tasks over hostile bytes in worker processes that can do nothing else.
//
// The zygote is forked while the program has one thread; it enters user, pid, network, ipc, uts
// and mount namespaces, drops capabilities, installs Landlock (no path, no port, scoped signals)
// and rlimits once, then forks one worker per batch, which adds a seccomp filter and runs one task
// over descriptors that the parent opened. Sources: landlock(7), seccomp(2), user_namespaces(7).
// Knows no parser and no format. run() may be called from several threads.
// Tested by tests/unit/sandbox_test.cpp and tests/cli/no_socket_test.py.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace steelyard::sandbox {

enum class Mode {
  strict,  // refuse to start when a layer is missing
  best,    // use every layer there is and say which
  off,     // run tasks in this process: for debugging, never the default
};

// Where a task writes its output; cut off at the batch's output limit.
using Writer = std::function<void(Bytes)>;
// Runs in the worker. `files` are read-only descriptors, in the order of the batch.
using Task = void (*)(std::span<const int> files, Bytes request, const Writer& write);

struct Limits {
  u64 memory_bytes = u64{512} << 20;  // address space of a worker
  u64 output_bytes = u64{64} << 20;
  int seconds = 60;  // wall and CPU; a watchdog: what it cuts is partial and never reused
};

struct Batch {
  u32 task = 0;            // index into the tasks given to start()
  std::vector<int> files;  // at most 240
  std::vector<std::byte> request;
};

enum class Ending { finished, crashed, timed_out, too_much_output };

struct Reply {
  std::vector<std::byte> output;  // what came before the end; hostile
  Ending ending = Ending::finished;
};

class Zygote {
 public:
  // Call while the process has a single thread. `warm`, if set, runs once in the zygote when a second batch
  // comes: what it loads, all further workers inherit.
  static Result<std::unique_ptr<Zygote>> start(Mode mode, std::vector<Task> tasks, Limits limits = {},
                                               void (*warm)() = nullptr);
  virtual ~Zygote() = default;
  // Error only when the zygote itself is gone.
  virtual Result<Reply> run(const Batch& batch) = 0;
  // Achieved: "namespaces", "landlock:7", "seccomp", "rlimits", "no_new_privs"; empty when off.
  virtual const std::vector<std::string>& layers() const = 0;
};

}  // namespace steelyard::sandbox
