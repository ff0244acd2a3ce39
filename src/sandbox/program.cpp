#include "sandbox/program.hpp"

#include <sched.h>
#include <seccomp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sandbox/kernel.hpp"

namespace steelyard::sandbox {
namespace {

constexpr u64 kExecute = 1, kWriteFile = 1U << 1, kReadFile = 1U << 2, kReadFolder = 1U << 3, kTruncate = 1U << 14;

}  // namespace

int grant_landlock(const Grants& grants, int& abi) {
  const Landlock landlock = landlock_ruleset();
  abi = 0;
  if (landlock.ruleset < 0) return -1;
  const auto allow = [&](const std::vector<int>& files, u64 of_files, u64 of_folders) {
    return std::ranges::all_of(files, [&](int file) {
      struct stat found{};
      return ::fstat(file, &found) == 0 &&
             landlock_allow(landlock, file, of_files | (S_ISDIR(found.st_mode) ? of_folders : 0));
    });
  };
  if (!allow(grants.readable, kExecute | kReadFile, kReadFolder) ||
      !allow(grants.writable, kReadFile | kWriteFile | kTruncate, 0)) {
    ::close(landlock.ruleset);
    return -1;
  }
  abi = landlock.abi;
  return landlock.ruleset;
}

bool enter_empty_network() { return ::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 || ::unshare(CLONE_NEWNET) == 0; }

std::vector<sock_filter> program_filter() {
  scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return {};
  bool good = true;
  for (const int call : {SCMP_SYS(socket),
                         SCMP_SYS(socketpair),
                         SCMP_SYS(io_uring_setup),
                         SCMP_SYS(ptrace),
                         SCMP_SYS(process_vm_readv),
                         SCMP_SYS(process_vm_writev),
                         SCMP_SYS(pidfd_open),
                         SCMP_SYS(pidfd_getfd),
                         SCMP_SYS(fork),
                         SCMP_SYS(vfork),
                         SCMP_SYS(unshare),
                         SCMP_SYS(setns),
                         SCMP_SYS(mount),
                         SCMP_SYS(umount2),
                         SCMP_SYS(pivot_root),
                         SCMP_SYS(chroot),
                         SCMP_SYS(open_tree),
                         SCMP_SYS(move_mount),
                         SCMP_SYS(fsopen),
                         SCMP_SYS(bpf),
                         SCMP_SYS(perf_event_open),
                         SCMP_SYS(userfaultfd),
                         SCMP_SYS(keyctl),
                         SCMP_SYS(add_key),
                         SCMP_SYS(request_key),
                         SCMP_SYS(kexec_load),
                         SCMP_SYS(init_module),
                         SCMP_SYS(finit_module),
                         SCMP_SYS(delete_module),
                         SCMP_SYS(kill),
                         SCMP_SYS(tkill),
                         SCMP_SYS(rt_sigqueueinfo),
                         SCMP_SYS(rt_tgsigqueueinfo),
                         SCMP_SYS(pidfd_send_signal),
                         SCMP_SYS(personality)})
    good = good && ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) == 0;
  // Threads, but no processes; clone3 hides its flags, and the C library does without it.
  const scmp_arg_cmp process{.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = 0};
  good = good && ::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &process) == 0 &&
         ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
  return exported(filter, good);
}

}  // namespace steelyard::sandbox
