// The escape battery of the engine's worker: what a model that took it over would try. This program starts itself as
// the engine, through the real client: it enters the worker's own sandbox and is asked for one attempt after another,
// by the name of a role, on its first thread and on one that it started for computing. Each attempt is made without the
// sandbox too, where it must succeed.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "engine/engine.hpp"
#include "engine/worker/lock.hpp"
#include "io/file.hpp"
#include "sandbox/lockdown.hpp"

namespace steelyard::engine {
namespace {

constexpr int kSocket = 3;

bool connects(int type) {
  const int fd = ::socket(AF_INET, type, 0);
  if (fd >= 0) ::close(fd);
  return fd >= 0;  // the sandboxed program may not even have a socket
}

bool exec_in_child() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/true", "true", nullptr);
    ::_exit(1);
  }
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

bool hog() {
  const std::size_t size = std::size_t{8} << 30;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory != MAP_FAILED) ::munmap(memory, size);
  return memory != MAP_FAILED;
}

bool maps(int protection) {
  return ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

[[maybe_unused]] bool starts_thread() {
  try {
    std::thread([] {}).join();
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

// Returns only when it was refused.
bool exec() {
  ::execl("/bin/true", "true", nullptr);
  return false;
}

using Attempt = bool (*)();
const std::map<std::string, Attempt>& attempts() {
  static const std::map<std::string, Attempt> all = {
      {"open", [] { return ::open("/etc/passwd", O_RDONLY) >= 0; }},
      {"create", [] { return ::open("/tmp", O_TMPFILE | O_RDWR, 0600) >= 0; }},
      {"connect", [] { return connects(SOCK_STREAM); }},
      {"udp", [] { return connects(SOCK_DGRAM); }},
      {"fork", exec_in_child},
      {"clone", [] { return ::syscall(SYS_clone, CLONE_SIGHAND, nullptr) >= 0 || errno == EINVAL; }},
#ifndef __SANITIZE_ADDRESS__  // its runtime ends the program when no thread can be made
      {"library's thread", starts_thread},
#endif
      {"clone3", [] { return ::syscall(SYS_clone3, nullptr, 0) >= 0 || errno == EINVAL; }},
      {"ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, 0, 0) == 0; }},
      {"io_uring", [] { return ::syscall(SYS_io_uring_setup, 4, nullptr) >= 0 || errno == EFAULT; }},
      {"executable memory", [] { return maps(PROT_READ | PROT_WRITE | PROT_EXEC); }},
      {"make executable",
       [] {
         void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
         return ::mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
       }},
      {"kill parent", [] { return ::kill(::getppid(), 0) == 0; }},
      {"signal a thread of the parent", [] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0) == 0; }},
      {"memory hog", hog},
      {"exec", exec},
  };
  return all;
}

bool transfer(auto call, void* at, std::size_t size) {
  auto* bytes = static_cast<std::byte*>(at);
  while (size > 0) {
    const ssize_t count = call(kSocket, bytes, size);
    if (count <= 0) return false;
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

void give(std::vector<std::byte> frame) { transfer(::write, frame.data(), frame.size()); }

// A thread of an engine that computes: it waits for work.
class Other {
 public:
  // Returns when the thread runs: starting makes system calls that are denied later.
  void start() {
    std::thread([this] { loop(); }).detach();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ready_; });
  }
  bool run(Attempt attempt) {
    std::unique_lock lock(mutex_);
    attempt_ = attempt;
    changed_.notify_all();
    changed_.wait(lock, [this] { return attempt_ == nullptr; });
    return did_;
  }

 private:
  void loop() {
    std::unique_lock lock(mutex_);
    ready_ = true;
    changed_.notify_all();
    while (true) {
      changed_.wait(lock, [this] { return attempt_ != nullptr; });
      did_ = attempt_();
      attempt_ = nullptr;
      changed_.notify_all();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  Attempt attempt_ = nullptr;
  bool did_ = false;
  bool ready_ = false;
};

[[noreturn]] void serve(bool locked, u64 memory, u64 threads) {
  const auto& all = attempts();
  Hello hello;
  static Other other;
  const auto start = [] { other.start(); };
  if (locked) hello.sandbox = lock(memory, threads > 1 ? start : std::function<void()>());
  if (!locked && threads > 1) start();
  give(encode(Type::hello, hello));
  for (std::array<std::byte, kFrameHead> head{}; transfer(::read, head.data(), head.size());) {
    u32 size = 0;
    std::memcpy(&size, head.data(), sizeof(size));
    std::vector<std::byte> payload(size);
    transfer(::read, payload.data(), size);
    if (static_cast<Type>(head[4]) == Type::load) give(encode(Type::loaded, Loaded{}));
    ApplyTemplate asked;
    if (static_cast<Type>(head[4]) == Type::apply_template && decode(payload, asked)) {
      const auto& [role, where] = asked.messages.front();
      const bool did = where == "other thread" ? other.run(all.at(role)) : all.at(role)();
      give(encode(Type::text, Text{did ? "did" : "denied"}));
    }
    give(encode(Type::done));
  }
  ::_exit(0);
}

// Started as the client starts an engine: "--serve" or "--serve-open", and the memory. Runs before gtest does.
const bool kServed = [] {
  std::ifstream file("/proc/self/cmdline");
  const std::string all(std::istreambuf_iterator<char>(file), {});
  const std::size_t mode = all.find('\0') + 1;
  const std::string first = mode < all.size() ? all.c_str() + mode : "";
  if (first == "--serve" || first == "--serve-open") {
    const char* const memory = all.c_str() + mode + first.size() + 1;
    serve(first == "--serve", std::strtoull(memory, nullptr, 10),
          std::strtoull(memory + std::strlen(memory) + 1, nullptr, 10));
  }
  return false;
}();

std::unique_ptr<Engine> start(bool sandboxed, u32 threads) {
  EXPECT_FALSE(kServed);
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  const auto model = io::File::open(self);
  EXPECT_TRUE(model) << model.error().message;
  Options options;
  options.program = self;
  options.model = {&*model};
  options.memory_bytes = u64{2} << 30;
  options.seconds = 30;
  options.sandboxed = sandboxed;
  options.load.threads = threads;
  auto engine = Engine::start(options);
  EXPECT_TRUE(engine) << engine.error().message;
  return engine ? std::move(*engine) : nullptr;
}

std::string tries(Engine& engine, const std::string& attempt, const std::string& where = "") {
  const auto answer = engine.apply_template({.messages = {{attempt, where}}});
  return answer ? *answer : answer.error().message;
}

class EngineEscape : public testing::TestWithParam<u32> {};
INSTANTIATE_TEST_SUITE_P(Threads, EngineEscape, testing::Values(1U, 2U));

TEST_P(EngineEscape, IsDenied) {
  const auto engine = start(true, GetParam());
  ASSERT_TRUE(engine);
  std::string layers;
  for (const std::string& layer : engine->hello().sandbox) layers += layer + " ";
  for (const char* layer : {"no_new_privs", "rlimits", "seccomp"})
    EXPECT_NE(layers.find(layer), std::string::npos) << layers;
  for (const auto& [name, attempt] : attempts()) {
#if defined(__SANITIZE_ADDRESS__)
    if (name == "memory hog") continue;  // AddressSanitizer reserves terabytes of address space
#endif
    EXPECT_EQ(tries(*engine, name), "denied") << name;
    if (GetParam() > 1) EXPECT_EQ(tries(*engine, name, "other thread"), "denied") << name;
  }
}

TEST_P(EngineEscape, WouldSucceedWithoutTheSandbox) {
  for (const auto& [name, attempt] : attempts()) {
    if (name == "exec") continue;  // the engine would be another program; "fork" shows that it can
    const auto engine = start(false, GetParam());
    ASSERT_TRUE(engine);
    EXPECT_TRUE(engine->hello().sandbox.empty());
    // A traced process of several threads could keep this one waiting for its end.
    if (GetParam() > 1 && name == "ptrace") continue;
    EXPECT_EQ(tries(*engine, name, GetParam() > 1 ? "other thread" : ""), "did") << name;
  }
}

// Where Landlock doesn't scope signals (before Linux 6.12), the filter alone has to.
TEST(EngineSignals, StayInsideWithoutLandlock) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    sandbox::drop_privileges();
    const bool filtered = sandbox::forbid_signals_to_others();
    const bool others = ::syscall(SYS_tgkill, parent, parent, 0) == 0;
    const bool own = ::syscall(SYS_tgkill, ::getpid(), ::gettid(), 0) == 0;
    ::_exit(filtered && !others && own ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace steelyard::engine
