// What lockdown.hpp and program.hpp share: a Landlock ruleset over every right that this kernel knows, and a seccomp
// program out of a libseccomp filter.
//
// Own Landlock constants: Debian 12's headers end at ABI 2. Sources: landlock(7), seccomp_export_bpf(3).
#pragma once

#include <linux/filter.h>

#include <vector>

#include "base/bytes.hpp"

namespace steelyard::sandbox {

struct Landlock {
  int ruleset = -1;  // a descriptor that is the caller's to close; -1: none
  int abi = 0;
  u64 rights = 0;  // to files, all handled
};

// Nothing is allowed yet.
Landlock landlock_ruleset();
// Rights to a file or folder; those that the kernel doesn't know are left out.
bool landlock_allow(const Landlock& landlock, int file, u64 rights);
bool landlock_restrict(int ruleset);

// Releases `filter`, a scmp_filter_ctx; empty unless `good` and libseccomp can write it.
std::vector<sock_filter> exported(void* filter, bool good);

}  // namespace steelyard::sandbox
