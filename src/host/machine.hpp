// What this machine has for a model: cores to compute with, and memory.
//
// Limits of control groups (v1 and v2, of this group and all above it) and of the processor mask count; a file that
// isn't there or can't be read limits nothing. Sources: proc(5), cgroups(7), the kernel's
// Documentation/admin-guide/cgroup-v1. Tested by tests/unit/machine_test.cpp.
#pragma once

#include "base/environment.hpp"

namespace steelyard::host {

// Physical cores, at least 1: threads that share one don't compute faster.
u32 cores(const Environment& environment);

struct Memory {
  u64 total = 0;       // bytes, of the machine or the narrowest control group
  u64 available = 0;   // what a new program can have without swapping; 0: not known
  bool group = false;  // a control group is what limits it
};
Memory memory(const Environment& environment);

}  // namespace steelyard::host
