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

#if defined(__SANITIZE_ADDRESS__)
#define STEELYARD_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STEELYARD_ASAN 1
#endif
#endif

namespace steelyard::sandbox {
namespace {

// linux/landlock.h as of ABI 7. Numbers of the three system calls are the same on every architecture.
constexpr long kLandlockCreate = 444;
constexpr long kLandlockRestrict = 446;
constexpr unsigned kLandlockVersion = 1;
struct LandlockRuleset {
  u64 handled_access_fs = 0;
  u64 handled_access_net = 0;
  u64 scoped = 0;
};
constexpr u64 kNetBindConnect = 0b11;      // ABI 4
constexpr u64 kScopeUnixAndSignal = 0b11;  // ABI 6

u64 filesystem_rights(int abi) {
  u64 count = 13;            // ABI 1
  if (abi >= 2) count = 14;  // refer
  if (abi >= 3) count = 15;  // truncate
  if (abi >= 5) count = 16;  // ioctl on devices
  return (u64{1} << count) - 1;
}

}  // namespace

bool enter_namespaces() {
  constexpr int kNamespaces = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWPID;
  return ::unshare(CLONE_NEWUSER | kNamespaces) == 0 || ::unshare(kNamespaces) == 0;
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
  const long abi = ::syscall(kLandlockCreate, nullptr, 0, kLandlockVersion);
  if (abi < 1) return 0;
  LandlockRuleset ruleset{.handled_access_fs = filesystem_rights(static_cast<int>(abi))};
  std::size_t size = sizeof(u64);
  if (abi >= 4) {
    ruleset.handled_access_net = kNetBindConnect;
    size = 2 * sizeof(u64);
  }
  if (abi >= 6) {
    ruleset.scoped = kScopeUnixAndSignal;
    size = 3 * sizeof(u64);
  }
  const long fd = ::syscall(kLandlockCreate, &ruleset, size, 0);
  if (fd < 0) return 0;
  const bool restricted = ::syscall(kLandlockRestrict, fd, 0) == 0;
  ::close(static_cast<int>(fd));
  return restricted ? static_cast<int>(abi) : 0;
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

  std::vector<sock_filter> program;
  const int file = ::memfd_create("filter", MFD_CLOEXEC);
  if (good && file >= 0 && ::seccomp_export_bpf(filter, file) == 0) {
    const off_t bytes = ::lseek(file, 0, SEEK_END);
    program.resize(static_cast<std::size_t>(bytes) / sizeof(sock_filter));
    if (::pread(file, program.data(), static_cast<std::size_t>(bytes), 0) != bytes) program.clear();
  }
  if (file >= 0) ::close(file);
  ::seccomp_release(filter);
  return program;
}

bool install_filter(const std::vector<sock_filter>& program) {
  const sock_fprog fprog{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  return !program.empty() && ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) == 0;
}

bool forbid_signals_to_others() {
  // Processes of another architecture's calls are ended by the other filter.
  const std::vector<sock_filter> program = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tgkill, 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<u32>(::getpid()), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
  };
  return install_filter(program);
}

}  // namespace steelyard::sandbox
