#include "sandbox/kernel.hpp"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace steelyard::sandbox {
namespace {

// linux/landlock.h as of ABI 7. Numbers of the three system calls are the same on every architecture.
constexpr long kCreate = 444, kAdd = 445, kRestrict = 446;
constexpr unsigned kVersion = 1;
constexpr int kBeneath = 1;
struct Ruleset {
  u64 files = 0;
  u64 network = 0;
  u64 scoped = 0;
};
struct [[gnu::packed]] Beneath {
  u64 allowed = 0;
  int parent = -1;
};
constexpr u64 kBindConnect = 0b11;    // ABI 4
constexpr u64 kUnixAndSignal = 0b11;  // ABI 6

u64 filesystem_rights(int abi) {
  u64 count = 13;            // ABI 1
  if (abi >= 2) count = 14;  // refer
  if (abi >= 3) count = 15;  // truncate
  if (abi >= 5) count = 16;  // ioctl on devices
  return (u64{1} << count) - 1;
}

}  // namespace

Landlock landlock_ruleset() {
  Landlock out;
  const long abi = ::syscall(kCreate, nullptr, 0, kVersion);
  if (abi < 1) return out;
  out.rights = filesystem_rights(static_cast<int>(abi));
  const Ruleset ruleset{out.rights, abi >= 4 ? kBindConnect : 0, abi >= 6 ? kUnixAndSignal : 0};
  const std::size_t size = sizeof(u64) * (abi >= 6 ? 3U : abi >= 4 ? 2U : 1U);
  out.ruleset = static_cast<int>(::syscall(kCreate, &ruleset, size, 0));
  if (out.ruleset >= 0) out.abi = static_cast<int>(abi);
  return out;
}

bool landlock_allow(const Landlock& landlock, int file, u64 rights) {
  const Beneath rule{rights & landlock.rights, file};
  return ::syscall(kAdd, landlock.ruleset, kBeneath, &rule, 0) == 0;
}

bool landlock_restrict(int ruleset) { return ruleset >= 0 && ::syscall(kRestrict, ruleset, 0) == 0; }

std::vector<sock_filter> exported(void* filter, bool good) {
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
