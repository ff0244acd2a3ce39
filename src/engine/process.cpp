#include "engine/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "io/file.hpp"

namespace steelyard::engine {
namespace {

constexpr std::size_t kPage = 4096;
constexpr int kFirst = 3;  // descriptor of the child

class Process final : public Channel {
 public:
  Process(int socket, pid_t child, std::atomic<u32>* page) : socket_(socket), child_(child), page_(page) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() override {
    ::close(socket_);
    end(SIGKILL);
    ::munmap(page_, kPage);
  }

  Result<bool> send(const std::vector<std::byte>& frame) override {
    for (std::size_t at = 0; at < frame.size();) {
      const ssize_t count = ::send(socket_, frame.data() + at, frame.size() - at, MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return gone();
      at += static_cast<std::size_t>(count);
    }
    return true;
  }

  Result<Frame> receive(Clock::time_point since, int seconds) override {
    std::array<std::byte, kFrameHead> head{};
    SY_CHECK(read(head, since, seconds));
    u32 size = 0;
    std::memcpy(&size, head.data(), sizeof(size));
    if (size > kMostFrame) {
      end(SIGKILL);
      return fail(ErrorCode::resource, fmt::format("the engine announced a frame of {} bytes; it was stopped", size));
    }
    Frame frame{static_cast<Type>(head[4]), std::vector<std::byte>(size)};
    SY_CHECK(read(frame.payload, since, seconds));
    return frame;
  }

  void cancel() override { page_->store(1); }
  void rearm() override { page_->store(0); }

  u64 peak_rss() const override {
    std::ifstream status(fmt::format("/proc/{}/status", child_));
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
    }
    return 0;
  }

 private:
  Result<bool> read(std::span<std::byte> out, Clock::time_point since, int seconds) {
    const auto late = since + std::chrono::seconds(seconds);
    while (!out.empty()) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(late - Clock::now()).count();
      pollfd ready{socket_, POLLIN, 0};
      const int status = left <= 0 ? 0 : ::poll(&ready, 1, static_cast<int>(std::min<i64>(left, 1'000'000)));
      if (status < 0 && errno == EINTR) continue;
      if (status <= 0) {
        end(SIGKILL);
        return fail(ErrorCode::resource, fmt::format("nothing new from the engine for {} s; it was stopped", seconds));
      }
      const ssize_t count = ::read(socket_, out.data(), out.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return gone();
      out = out.subspan(static_cast<std::size_t>(count));
    }
    return true;
  }

  // Why there is nobody at the other end.
  std::unexpected<Error> gone() {
    end(0);
    if (WIFSIGNALED(status_)) {
      const char* name = ::sigabbrev_np(WTERMSIG(status_));
      return fail(ErrorCode::resource, fmt::format("the engine crashed (SIG{})", name == nullptr ? "?" : name));
    }
    return fail(ErrorCode::resource, fmt::format("the engine ended with status {}", WEXITSTATUS(status_)));
  }

  void end(int signal) {
    if (child_ <= 0) return;
    if (signal != 0) ::kill(child_, signal);
    while (::waitpid(child_, &status_, 0) < 0 && errno == EINTR) {
    }
    child_ = 0;
  }

  int socket_;
  pid_t child_;
  std::atomic<u32>* page_;
  int status_ = 0;
};

struct Descriptor {
  explicit Descriptor(int number) : fd(number) {}
  Descriptor(Descriptor&& other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};

}  // namespace

Result<std::unique_ptr<Channel>> launch(const std::filesystem::path& program, const std::vector<const io::File*>& model,
                                        const io::File* reference, u64 memory_bytes, u32 threads, bool sandboxed) {
  const auto failed = [&](std::string_view what, int error) {
    return fail(ErrorCode::resource,
                fmt::format("{}: {}: {}", text::display(program.string()), what, std::strerror(error)));
  };
  if (model.empty() || model.size() > kMostParts)
    return fail(ErrorCode::usage, fmt::format("a model in {} files; expected 1 to {}", model.size(), kMostParts));
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return failed("no socket", errno);
  Descriptor ours{ends[0]};
  Descriptor theirs{ends[1]};
  Descriptor control{::memfd_create("steelyard-control", MFD_CLOEXEC)};
  if (control.fd < 0 || ::ftruncate(control.fd, kPage) != 0) return failed("no page of memory", errno);
  void* page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, control.fd, 0);
  if (page == MAP_FAILED) return failed("no page of memory", errno);

  // Copies above those that the child is given, so that none is overwritten before it is used.
  std::vector<Descriptor> copies;
  std::vector<int> given = {theirs.fd, control.fd};
  for (const io::File* file : model) given.push_back(file->descriptor());
  if (reference != nullptr) given.push_back(reference->descriptor());
  copies.reserve(given.size());
  for (const int fd : given) {
    copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(given.size()) + kFirst));
    if (copies.back().fd < 0) {
      const int error = errno;
      ::munmap(page, kPage);
      return failed("too many files", error);
    }
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (const int fd : {0, 1, 2}) ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  for (std::size_t i = 0; i < copies.size(); ++i)
    ::posix_spawn_file_actions_adddup2(&actions, copies[i].fd, static_cast<int>(i) + kFirst);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, static_cast<int>(copies.size()) + kFirst);
  std::string mode = sandboxed ? "--serve" : "--serve-open";
  std::string memory = std::to_string(memory_bytes);
  std::string name = program.string();
  std::string team = std::to_string(threads);
  std::string parts = std::to_string(model.size());
  std::array<char*, 6> arguments{name.data(), mode.data(), memory.data(), team.data(), parts.data(), nullptr};
  // One thread has nobody to wait for. Several spin for some ten microseconds at each of the thousand barriers of a
  // token before they sleep: the milliseconds that are libgomp's default starve whoever has to come to the barrier on a
  // busy machine.
  std::string wait = threads > 1 ? "GOMP_SPINCOUNT=2000" : "OMP_WAIT_POLICY=passive";
  std::array<char*, 2> environment{wait.data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawn(&child, name.c_str(), &actions, nullptr, arguments.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    ::munmap(page, kPage);
    return failed("can't be started", error);
  }
  return std::make_unique<Process>(std::exchange(ours.fd, -1), child, static_cast<std::atomic<u32>*>(page));
}

}  // namespace steelyard::engine
