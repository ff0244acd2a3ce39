// The escape battery: what a taken-over parser would try. Each attempt is also made without the
// sandbox, where it must succeed (or the test proves nothing), except where that would do harm.

#include "sandbox/sandbox.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

namespace steelyard::sandbox {
namespace {

void say(const Writer& write, bool succeeded) { write(as_bytes(succeeded ? "did" : "denied")); }

bool connects(int type) {
  const int fd = ::socket(AF_INET, type, 0);
  if (fd < 0) return false;
  ::close(fd);
  return true;  // the sandboxed program may not even have a socket
}

#define ATTEMPT(name, expression) \
  void name(std::span<const int>, Bytes, const Writer& write) { say(write, (expression)); }

ATTEMPT(open_file, ::open("/etc/passwd", O_RDONLY) >= 0)
ATTEMPT(create_file, ::open("/tmp", O_TMPFILE | O_RDWR, 0600) >= 0)
ATTEMPT(list_folder, ::open("/", O_RDONLY | O_DIRECTORY) >= 0)
ATTEMPT(tcp, connects(SOCK_STREAM))
ATTEMPT(udp, connects(SOCK_DGRAM))
ATTEMPT(io_uring, ::syscall(SYS_io_uring_setup, 4, nullptr) >= 0 || errno == EFAULT)
ATTEMPT(executable_memory,
        ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
ATTEMPT(make_executable, ::mprotect(::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096,
                                    PROT_READ | PROT_EXEC) == 0)
ATTEMPT(trace_parent, ::ptrace(PTRACE_SEIZE, ::getppid(), 0, 0) == 0 || errno != EPERM)
ATTEMPT(signal_others, ::kill(-1, 0) == 0)
ATTEMPT(new_namespace, ::unshare(CLONE_NEWUSER) == 0)
ATTEMPT(become_dumpable, ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0)

void fork_and_exec(std::span<const int>, Bytes, const Writer& write) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/true", "true", nullptr);
    ::_exit(1);
  }
  int status = 1;
  if (child > 0) ::waitpid(child, &status, 0);
  say(write, child > 0 && status == 0);
}

void exec(std::span<const int>, Bytes, const Writer& write) {
  ::execl("/bin/true", "true", nullptr);
  say(write, false);  // reached only when exec was refused
}

void hog(std::span<const int>, Bytes, const Writer& write) {
  const std::size_t size = std::size_t{4} << 30;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  say(write, memory != MAP_FAILED);
  // Without the sandbox it happens in the test's own process, whose later workers would inherit it.
  if (memory != MAP_FAILED) ::munmap(memory, size);
}

void read_given(std::span<const int> files, Bytes request, const Writer& write) {
  char buffer[64];
  const ssize_t count = ::pread(files[0], buffer, sizeof(buffer), 0);
  write(request);
  write(as_bytes({buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0))}));
}

void write_given(std::span<const int> files, Bytes, const Writer& write) { say(write, ::write(files[0], "x", 1) == 1); }

void crash(std::span<const int>, Bytes, const Writer& write) {
  write(as_bytes("half"));
  ::raise(SIGKILL);
}
void segfault(std::span<const int>, Bytes, const Writer&) { ::raise(SIGSEGV); }
void throws(std::span<const int>, Bytes, const Writer&) { throw 1; }
void loops(std::span<const int>, Bytes, const Writer&) {
  while (true) ::sched_yield();
}
void babbles(std::span<const int>, Bytes, const Writer& write) {
  const std::vector<std::byte> much(1 << 20);
  while (true) write(much);
}
// Dies after output that looks like an end: sixteen bytes of anything.
void pretends(std::span<const int>, Bytes, const Writer& write) {
  write(std::vector<std::byte>(16));
  ::_exit(0);
}

enum TaskId : u32 {
  kOpen,
  kCreate,
  kList,
  kTcp,
  kUdp,
  kUring,
  kWx,
  kMprotect,
  kTrace,
  kSignal,
  kNamespace,
  kDumpable,
  kForkExec,
  kExec,
  kHog,
  kRead,
  kWrite,
  kCrash,
  kSegfault,
  kThrows,
  kLoops,
  kBabbles,
  kPretends,
};
const std::vector<Task> kTasks = {open_file,     create_file,       list_folder,     tcp,          udp,
                                  io_uring,      executable_memory, make_executable, trace_parent, signal_others,
                                  new_namespace, become_dumpable,   fork_and_exec,   exec,         hog,
                                  read_given,    write_given,       crash,           segfault,     throws,
                                  loops,         babbles,           pretends};

std::string text(const Reply& reply) { return std::string(as_text(reply.output)); }

std::unique_ptr<Zygote> start(Limits limits = {}) {
  auto zygote = Zygote::start(Mode::best, kTasks, limits);
  EXPECT_TRUE(zygote) << zygote.error().message;
  return std::move(*zygote);
}

class Escape : public testing::TestWithParam<u32> {};

TEST_P(Escape, IsDenied) {
  const auto zygote = start();
  const auto reply = zygote->run({.task = GetParam(), .files = {}, .request = {}});
  ASSERT_TRUE(reply);
  if (reply->ending == Ending::finished) {
    EXPECT_EQ(text(*reply), "denied");
  } else {
    EXPECT_EQ(reply->ending, Ending::crashed);
  }
}

// AddressSanitizer needs prctl and reserves terabytes of address space: these two are for real builds.
#if !defined(__SANITIZE_ADDRESS__)
INSTANTIATE_TEST_SUITE_P(Limits, Escape, testing::Values(kDumpable, kHog));
#endif
INSTANTIATE_TEST_SUITE_P(Battery, Escape,
                         testing::Values(kOpen, kCreate, kList, kTcp, kUdp, kUring, kWx, kMprotect, kTrace, kSignal,
                                         kNamespace, kForkExec, kExec));

TEST(Escape, WouldSucceedWithoutTheSandbox) {
  auto zygote = Zygote::start(Mode::off, kTasks);
  for (const u32 task : {kOpen, kCreate, kList, kTcp, kUdp, kWx, kMprotect, kForkExec, kHog}) {
    const auto reply = (*zygote)->run({.task = task, .files = {}, .request = {}});
    EXPECT_EQ(text(*reply), "did") << task;
  }
  EXPECT_TRUE((*zygote)->layers().empty());
}

TEST(Sandbox, EveryLayerIsThereOnACurrentKernel) {
  const auto zygote = start();
  std::string all;
  for (const auto& layer : zygote->layers()) all += layer + " ";
  for (const char* layer : {"namespaces", "landlock:", "seccomp", "rlimits", "no_new_privs"})
    EXPECT_NE(all.find(layer), std::string::npos) << all;
  EXPECT_TRUE(Zygote::start(Mode::strict, kTasks));
}

TEST(Sandbox, GivenFilesAreReadableAndNoMore) {
  const auto zygote = start();
  char name[] = "/tmp/steelyard-sandbox-XXXXXX";
  const int writable = ::mkstemp(name);
  ASSERT_EQ(::write(writable, "content", 7), 7);
  const int readable = ::open(name, O_RDONLY);
  std::vector<std::byte> request(100'000, std::byte{'r'});
  const auto reply = zygote->run({.task = kRead, .files = {readable}, .request = request});
  EXPECT_EQ(text(*reply), std::string(100'000, 'r') + "content");
  EXPECT_EQ(text(*zygote->run({.task = kWrite, .files = {readable}, .request = {}})), "denied");
  ::close(readable);
  ::close(writable);
  ::unlink(name);
}

TEST(Sandbox, DeathIsSeenAndHurtsNobodyElse) {
  const auto zygote = start();
  for (const u32 task : {kCrash, kSegfault, kThrows, kPretends}) {
    EXPECT_EQ(zygote->run({.task = task, .files = {}, .request = {}})->ending, Ending::crashed) << task;
    EXPECT_EQ(zygote->run({.task = kOpen, .files = {}, .request = {}})->ending, Ending::finished);
  }
}

TEST(Sandbox, EndlessWorkIsCut) {
  const auto zygote = start({.seconds = 1});
  EXPECT_EQ(zygote->run({.task = kLoops, .files = {}, .request = {}})->ending, Ending::timed_out);
  EXPECT_EQ(zygote->run({.task = kOpen, .files = {}, .request = {}})->ending, Ending::finished);
}

TEST(Sandbox, EndlessOutputIsCut) {
  const auto zygote = start({.output_bytes = 4 << 20});
  EXPECT_EQ(zygote->run({.task = kBabbles, .files = {}, .request = {}})->ending, Ending::too_much_output);
  EXPECT_EQ(zygote->run({.task = kOpen, .files = {}, .request = {}})->ending, Ending::finished);
}

TEST(Sandbox, BatchesMayRunAtTheSameTime) {
  const auto zygote = start();
  std::atomic<int> finished = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 20; ++j) {
          const auto reply = zygote->run({.task = kTcp, .files = {}, .request = {}});
          if (reply && reply->ending == Ending::finished && text(*reply) == "denied") ++finished;
        }
      });
    }
  }
  EXPECT_EQ(finished, 160);
}

TEST(Sandbox, NothingIsLeftBehind) {
  const auto children = [] {
    int count = 0;
    while (::waitpid(-1, nullptr, WNOHANG) > 0) ++count;
    return count;
  };
  {
    const auto zygote = start();
  }
  EXPECT_EQ(children(), 0) << "the zygote is reaped by its destructor";
}

}  // namespace
}  // namespace steelyard::sandbox
