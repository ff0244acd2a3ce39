// Isolation of a program that isn't ours and has to be started: what it may reach is named, nothing else is there.
//
// Unlike lockdown.hpp's layers, these outlive an exec: the program may open named files by their paths and start
// threads. Sources: landlock(7), seccomp(2). Tested by tests/cli/quantize_test.py.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "base/bytes.hpp"

namespace steelyard::sandbox {

struct Grants {
  std::vector<int> readable;  // files and folders, by descriptor; to be read and run
  std::vector<int> writable;  // files that exist already
};

// A Landlock ruleset for landlock_restrict() after a fork; -1 when there is none. `abi`: its version, or 0.
int grant_landlock(const Grants& grants, int& abi);
// A network of its own, with nothing in it.
bool enter_empty_network();
// Everything but sockets, signals to others (with forbid_signals_to_others()), further processes, other processes'
// memory, keys, mounts and the kernel's wider interfaces. Built before the fork; empty when libseccomp refuses.
std::vector<sock_filter> program_filter();

}  // namespace steelyard::sandbox
