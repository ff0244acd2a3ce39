#include "sandbox/lockdown.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "sandbox/kernel.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define STEELYARD_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STEELYARD_ASAN 1
#endif
#endif

namespace steelyard::sandbox {
bool enter_namespaces(Children children) {
  const int namespaces =
      CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | (children == Children::processes ? CLONE_NEWPID : 0);
  return ::unshare(CLONE_NEWUSER | namespaces) == 0 || ::unshare(namespaces) == 0;
}

bool drop_privileges() {
  for (int capability = 0; capability < 64; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno == EINVAL) break;
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  const bool dropped = ::syscall(SYS_capset, &header, none.data()) == 0;
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && dropped;
}

int restrict_landlock() {
  const Landlock landlock = landlock_ruleset();
  if (landlock.ruleset < 0) return 0;
  const bool restricted = landlock_restrict(landlock.ruleset);
  ::close(landlock.ruleset);
  return restricted ? landlock.abi : 0;
}

bool limit_resources(u64 memory_bytes, int seconds) {
  const auto set = [](auto resource, u64 value) {
    const rlimit limit{value, value};
    return ::setrlimit(resource, &limit) == 0;
  };
  bool done = set(RLIMIT_CORE, 0) && set(RLIMIT_FSIZE, 0) && set(RLIMIT_NOFILE, 256) &&
              set(RLIMIT_CPU, static_cast<u64>(seconds) + 1);
#ifndef STEELYARD_ASAN
  done = done && set(RLIMIT_AS, memory_bytes);  // AddressSanitizer reserves terabytes of address space
#else
  (void)memory_bytes;
#endif
  return done;
}

std::vector<sock_filter> worker_filter() {
  scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ERRNO(EPERM));
  if (filter == nullptr) return {};
  bool good = true;
  const auto allow = [&](int call) { good = good && ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0; };
  for (const int call :
       {SCMP_SYS(read),         SCMP_SYS(pread64),       SCMP_SYS(write),        SCMP_SYS(writev),
        SCMP_SYS(close),        SCMP_SYS(fstat),         SCMP_SYS(lseek),        SCMP_SYS(munmap),
        SCMP_SYS(mremap),       SCMP_SYS(madvise),       SCMP_SYS(brk),          SCMP_SYS(futex),
        SCMP_SYS(exit),         SCMP_SYS(exit_group),    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(rt_sigaction), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom),
        SCMP_SYS(getpid),       SCMP_SYS(gettid),        SCMP_SYS(sched_yield),  SCMP_SYS(restart_syscall),
        SCMP_SYS(tgkill)})
    allow(call);
#ifdef STEELYARD_ASAN
  for (const int call :
       {SCMP_SYS(sigaltstack), SCMP_SYS(sched_getaffinity), SCMP_SYS(prctl), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64)})
    allow(call);
#endif
  // Memory may be mapped, but never executable: a hijacked parser can't bring code of its own.
  const auto no_exec = [&](int call) {
    const scmp_arg_cmp protection{.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};
    good = good && ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &protection) == 0;
  };
  no_exec(SCMP_SYS(mmap));
  no_exec(SCMP_SYS(mprotect));

  return exported(filter, good);
}

bool install_filter(std::span<const sock_filter> program) {
  const sock_fprog fprog{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  return !program.empty() && ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &fprog) == 0;
}

bool forbid_signals_to_others() {
  // Processes of another architecture's calls are ended by the other filter.
  const std::array<sock_filter, 6> program = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<u32>(::getpid()), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
  }};
  return install_filter(program);
}

}  // namespace steelyard::sandbox
