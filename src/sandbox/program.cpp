#include "sandbox/program.hpp"

#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace steelyard::sandbox {
namespace {

constexpr long kCreate = 444, kAdd = 445, kRestrict = 446;
constexpr unsigned kVersion = 1;
constexpr int kBeneath = 1;
constexpr u64 kExecute = 1, kWriteFile = 1U << 1, kReadFile = 1U << 2, kReadFolder = 1U << 3, kTruncate = 1U << 14;
struct Ruleset {
  u64 files = 0, network = 0, scoped = 0;
};
struct [[gnu::packed]] Beneath {
  u64 allowed = 0;
  int parent = -1;
};

}  // namespace

int grant_landlock(const Grants& grants, int& version) {
  version = 0;
  const long abi = ::syscall(kCreate, nullptr, 0, kVersion);
  if (abi < 1) return -1;
  const unsigned rights = abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13;
  const Ruleset ruleset{(u64{1} << rights) - 1, abi >= 4 ? u64{3} : 0, abi >= 6 ? u64{3} : 0};
  const std::size_t size = sizeof(u64) * (abi >= 6 ? 3U : abi >= 4 ? 2U : 1U);
  const int fd = static_cast<int>(::syscall(kCreate, &ruleset, size, 0));
  if (fd < 0) return -1;
  const auto allow = [&](const std::vector<int>& files, u64 of_files, u64 of_folders) {
    return std::ranges::all_of(files, [&](int file) {
      struct stat found{};
      if (::fstat(file, &found) != 0) return false;
      const Beneath rule{(of_files | (S_ISDIR(found.st_mode) ? of_folders : 0)) & ruleset.files, file};
      return ::syscall(kAdd, fd, kBeneath, &rule, 0) == 0;
    });
  };
  if (!allow(grants.readable, kExecute | kReadFile, kReadFolder) ||
      !allow(grants.writable, kReadFile | kWriteFile | kTruncate, 0)) {
    ::close(fd);
    return -1;
  }
  version = static_cast<int>(abi);
  return fd;
}

bool restrict_to(int ruleset) { return ruleset >= 0 && ::syscall(kRestrict, ruleset, 0) == 0; }

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
                         SCMP_SYS(personality)})
    good = good && ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0) == 0;
  // Threads, but no processes; clone3 hides its flags, and the C library does without it.
  const scmp_arg_cmp process{.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = 0};
  good = good && ::seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &process) == 0 &&
         ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
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

}  // namespace steelyard::sandbox
