// The zygote and its workers. See sandbox.hpp for what they may do.
//
// Attack resisted: a parser taken over by the file it parses. Its worker holds the descriptors of one
// batch, a pipe for output and nothing else. The runtime appends a secret trailer, made by the parent
// for the batch, once the task has returned: a worker that dies early can't pretend that it finished
// (one that is taken over and lives can: its output is treated as hostile either way).

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "sandbox/lockdown.hpp"
#include "sandbox/sandbox.hpp"

namespace steelyard::sandbox {
namespace {

constexpr std::size_t kMostFiles = 240;  // below SCM_MAX_FD
using Trailer = std::array<std::byte, 16>;

// Parent to zygote. Descriptors ride along: the output pipe, the request, the files.
struct Order {
  enum class Kind : u32 { run, kill } kind = Kind::run;
  u32 task = 0;
  u64 batch = 0;
  u64 request_bytes = 0;
  Trailer trailer{};
};

// Zygote to parent, once, when it is ready.
struct Hello {
  bool namespaces = false;
  bool privileges = false;
  bool limits = false;
  bool filter = false;
  int landlock = 0;
};

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

bool send_order(int socket, const Order& order, std::span<const int> descriptors) {
  iovec part{const_cast<Order*>(&order), sizeof(order)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * (kMostFiles + 2))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(sizeof(order));
}

bool receive_order(int socket, Order& order, std::vector<int>& descriptors) {
  iovec part{&order, sizeof(order)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * (kMostFiles + 2))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got != static_cast<ssize_t>(sizeof(order))) return false;
  descriptors.clear();
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    descriptors.resize((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(descriptors.data(), CMSG_DATA(header), descriptors.size() * sizeof(int));
  }
  return true;
}

bool write_all(int fd, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

[[noreturn]] void work(const Order& order, const std::vector<int>& descriptors, const std::vector<Task>& tasks,
                       const std::vector<sock_filter>& filter) {
  if (!filter.empty() && !install_filter(filter)) ::_exit(1);
  std::vector<std::byte> request(order.request_bytes);
  std::size_t done = 0;
  while (done < request.size()) {
    const ssize_t count =
        ::pread(descriptors[1], request.data() + done, request.size() - done, static_cast<off_t>(done));
    if (count <= 0) ::_exit(1);
    done += static_cast<std::size_t>(count);
  }
  const int out = descriptors[0];
  try {
    tasks[order.task](std::span(descriptors).subspan(2), request, [out](Bytes bytes) {
      if (!write_all(out, bytes)) ::_exit(1);
    });
  } catch (...) {
    ::_exit(1);
  }
  ::_exit(write_all(out, order.trailer) ? 0 : 1);
}

// The zygote's whole life. Ends when the parent's end of the socket closes; as the first process of
// its pid namespace it takes every worker with it.
[[noreturn]] void live(int socket, const std::vector<Task>& tasks, const Limits& limits, void (*warm)()) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::signal(SIGINT, SIG_IGN);  // a Ctrl-C is for the parent, whose end ends this process
  Hello hello;
  const std::vector<sock_filter> filter = worker_filter();
  hello.filter = !filter.empty();
  hello.namespaces = ::getpid() == 1;
  hello.landlock = restrict_landlock();
  hello.privileges = drop_privileges();
  hello.limits = limit_resources(limits.memory_bytes, limits.seconds);
  if (!write_all(socket, std::as_bytes(std::span(&hello, 1)))) ::_exit(1);

  std::map<u64, pid_t> workers;
  Order order;
  u64 batches = 0;
  std::vector<int> descriptors;
  while (receive_order(socket, order, descriptors)) {
    for (int status = 0; const pid_t ended = ::waitpid(-1, &status, WNOHANG);) {
      if (ended < 0) break;
      std::erase_if(workers, [&](const auto& worker) { return worker.second == ended; });
    }
    if (order.kind == Order::Kind::kill) {
      if (const auto found = workers.find(order.batch); found != workers.end()) ::kill(found->second, SIGKILL);
    } else if (descriptors.size() >= 2 && order.task < tasks.size()) {
      if (++batches == 2 && warm != nullptr) warm();
      const pid_t child = ::fork();
      if (child == 0) {
        ::close(socket);
        work(order, descriptors, tasks, filter);
      }
      if (child > 0) workers[order.batch] = child;
    }
    for (const int fd : descriptors) ::close(fd);
  }
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  ::_exit(0);
}

constexpr i64 kFarewell = 1000;  // milliseconds

i64 milliseconds() {
  using namespace std::chrono;
  return duration_cast<std::chrono::milliseconds>(steady_clock::now().time_since_epoch()).count();
}

class ForkedZygote final : public Zygote {
 public:
  ForkedZygote(Descriptor socket, pid_t child, Limits limits, std::vector<std::string> layers)
      : socket_(std::move(socket)), child_(child), limits_(limits), layers_(std::move(layers)) {}

  ~ForkedZygote() override {
    socket_.reset();
    // It ends by itself, and what its workers used is then counted as this process's.
    for (const i64 late = milliseconds() + kFarewell; milliseconds() < late; ::usleep(200)) {
      if (::waitpid(child_, nullptr, WNOHANG) == child_) return;
    }
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

  const std::vector<std::string>& layers() const override { return layers_; }

  Result<Reply> run(const Batch& batch) override {
    if (batch.files.size() > kMostFiles)
      return fail(ErrorCode::internal, fmt::format("a batch of {} files, at most {}", batch.files.size(), kMostFiles));
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return fail(ErrorCode::resource, "no pipe for a worker");
    const Descriptor output(pipe[0]);
    Descriptor input(pipe[1]);
    const Descriptor request(::memfd_create("request", MFD_CLOEXEC));
    if (request.get() < 0 || !write_all(request.get(), batch.request))
      return fail(ErrorCode::resource, "no memory for a worker's request");

    Order order{.kind = Order::Kind::run, .task = batch.task, .request_bytes = batch.request.size()};
    if (::getrandom(order.trailer.data(), order.trailer.size(), 0) != static_cast<ssize_t>(order.trailer.size()))
      return fail(ErrorCode::resource, "no random bytes");
    std::vector<int> descriptors = {input.get(), request.get()};
    descriptors.insert(descriptors.end(), batch.files.begin(), batch.files.end());
    {
      const std::lock_guard lock(mutex_);
      order.batch = ++batches_;
      if (!send_order(socket_.get(), order, descriptors)) return fail(ErrorCode::resource, "the sandbox is gone");
    }
    input.reset();
    Reply reply = collect(output.get());
    if (reply.ending != Ending::finished) {
      const std::lock_guard lock(mutex_);
      (void)send_order(socket_.get(), {.kind = Order::Kind::kill, .batch = order.batch}, {});
      return reply;
    }
    const Bytes all(reply.output);
    if (all.size() < order.trailer.size() || !std::ranges::equal(all.last(order.trailer.size()), order.trailer)) {
      reply.ending = Ending::crashed;
    } else {
      reply.output.resize(all.size() - order.trailer.size());
    }
    return reply;
  }

 private:
  Reply collect(int pipe) const {
    Reply reply;
    const i64 deadline = milliseconds() + i64{limits_.seconds} * 1000;
    std::vector<std::byte> window(64 * 1024);
    while (true) {
      const i64 left = deadline - milliseconds();
      pollfd wait{pipe, POLLIN, 0};
      const int ready = left <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(std::min<i64>(left, 1'000'000)));
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) {
        reply.ending = Ending::timed_out;
        return reply;
      }
      const ssize_t count = ::read(pipe, window.data(), window.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return reply;
      if (reply.output.size() + static_cast<std::size_t>(count) > limits_.output_bytes) {
        reply.ending = Ending::too_much_output;
        return reply;
      }
      reply.output.insert(reply.output.end(), window.begin(), window.begin() + count);
    }
  }

  Descriptor socket_;
  pid_t child_;
  Limits limits_;
  std::vector<std::string> layers_;
  std::mutex mutex_;
  u64 batches_ = 0;
};

class InProcess final : public Zygote {
 public:
  explicit InProcess(std::vector<Task> tasks) : tasks_(std::move(tasks)) {}
  const std::vector<std::string>& layers() const override { return layers_; }
  Result<Reply> run(const Batch& batch) override {
    Reply reply;
    try {
      tasks_.at(batch.task)(batch.files, batch.request,
                            [&](Bytes bytes) { reply.output.insert(reply.output.end(), bytes.begin(), bytes.end()); });
    } catch (...) {
      reply.ending = Ending::crashed;
    }
    return reply;
  }

 private:
  std::vector<Task> tasks_;
  std::vector<std::string> layers_;
};

std::vector<std::string> achieved(const Hello& hello, std::string& missing) {
  std::vector<std::string> layers;
  const auto add = [&](bool there, std::string name, std::string_view lack) {
    if (there) {
      layers.push_back(std::move(name));
    } else {
      missing += fmt::format("{}{}", missing.empty() ? "" : ", ", lack);
    }
  };
  add(hello.namespaces, "namespaces", "namespaces");
  add(hello.landlock > 0, fmt::format("landlock:{}", hello.landlock), "landlock");
  add(hello.filter, "seccomp", "seccomp");
  add(hello.limits, "rlimits", "rlimits");
  add(hello.privileges, "no_new_privs", "no_new_privs");
  return layers;
}

}  // namespace

Result<std::unique_ptr<Zygote>> Zygote::start(Mode mode, std::vector<Task> tasks, Limits limits, void (*warm)()) {
  if (mode == Mode::off) return std::make_unique<InProcess>(std::move(tasks));
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0)
    return fail(ErrorCode::resource, fmt::format("no socket pair for the sandbox: {}", std::strerror(errno)));
  Descriptor ours(sockets[0]);
  Descriptor theirs(sockets[1]);

  const pid_t outer = ::fork();
  if (outer < 0) return fail(ErrorCode::resource, fmt::format("no process for the sandbox: {}", std::strerror(errno)));
  if (outer == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    // Only the control socket survives: what a worker could print on a terminal is an attack too.
    const int null = ::open("/dev/null", O_RDWR);
    if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(null, 1) < 0 || ::dup2(null, 2) < 0) ::_exit(1);
    if (::dup2(theirs.get(), 3) < 0 || ::syscall(SYS_close_range, 4U, ~0U, 0U) != 0) ::_exit(1);
    // The pid namespace holds for children: the zygote is its first one, this process only waits.
    const bool inside = enter_namespaces();
    if (!inside) live(3, tasks, limits, warm);
    const pid_t zygote = ::fork();
    if (zygote == 0) live(3, tasks, limits, warm);
    ::close(3);
    ::signal(SIGINT, SIG_IGN);
    if (zygote > 0) ::waitpid(zygote, nullptr, 0);
    ::_exit(0);
  }
  theirs.reset();
  Hello hello;
  const ssize_t got = ::read(ours.get(), &hello, sizeof(hello));
  if (got != static_cast<ssize_t>(sizeof(hello))) {
    ::waitpid(outer, nullptr, 0);
    return fail(ErrorCode::resource, "the sandbox did not start");
  }
  std::string missing;
  std::vector<std::string> layers = achieved(hello, missing);
  auto zygote = std::make_unique<ForkedZygote>(std::move(ours), outer, limits, std::move(layers));
  if (mode == Mode::strict && !missing.empty())
    return fail(ErrorCode::resource, fmt::format("--sandbox=strict: this system lacks {}", missing));
  return zygote;
}

}  // namespace steelyard::sandbox
