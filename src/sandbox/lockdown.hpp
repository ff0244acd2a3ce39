// The layers of isolation, each one switch. Everything here acts on the calling process and can't be undone.
//
// Sources: landlock(7), seccomp(2),
// user_namespaces(7), capabilities(7). Tested by tests/unit/sandbox_test.cpp.
#pragma once

#include <linux/filter.h>

#include <span>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::sandbox {

// What this process starts afterwards. The kernel gives no thread to a process whose children have a pid namespace.
enum class Children { processes, threads };
// User, network, ipc, uts, mount and, for processes to come, pid namespaces; false when the kernel refuses.
bool enter_namespaces(Children children = Children::processes);
// Empties every capability set and forbids new privileges and core dumps of this process.
bool drop_privileges();
// Handles every right that the kernel knows and grants none; the ABI version, 0 when there is none.
int restrict_landlock();
// Address space, CPU seconds, descriptors, file size, core.
bool limit_resources(u64 memory_bytes, int seconds);

// The worker's system calls as a BPF program: read what is open, write, compute, exit. Built before
// the file system is gone; empty when libseccomp refuses.
std::vector<sock_filter> worker_filter();
// On every thread of this process. The other layers are the calling thread's and those of threads that it starts.
bool install_filter(std::span<const sock_filter> program);
// tgkill() reaches this process only: Landlock before ABI 6 doesn't scope signals. Needs no_new_privs.
bool forbid_signals_to_others();

}  // namespace steelyard::sandbox
