#include "sandbox/script.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>

#include "sandbox/kernel.hpp"
#include "sandbox/lockdown.hpp"

namespace steelyard::sandbox {
namespace {

constexpr int kProgram = 3, kReport = 4;
constexpr int kRefused = 125;

struct Descriptor {
  explicit Descriptor(int number = -1) : fd(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int fd;
};

// What the child needs after the fork: nothing is allocated there.
struct Prepared {
  int input, output, program, report, ruleset;
  std::vector<sock_filter> filter;
  std::vector<char*> arguments;
  std::array<char*, 4> environment;
  u64 memory, seconds;
};

// One byte for each layer that holds, then the interpreter.
[[noreturn]] void become(const Prepared& with, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto away = [](int file, int command) { return file < 0 ? -1 : ::fcntl(file, command, 64); };
  const int input = away(with.input, F_DUPFD), output = away(with.output, F_DUPFD);
  const int program = away(with.program, F_DUPFD), report = away(with.report, F_DUPFD);
  const int ruleset = away(with.ruleset, F_DUPFD_CLOEXEC);
  if (input < 0 || output < 0 || program < 0 || report < 0) ::_exit(kRefused);
  if (::getppid() != parent || ::chdir("/") != 0 || ::dup2(input, 0) != 0 || ::dup2(output, 1) != 1 ||
      ::dup2(output, 2) != 2 || ::dup2(program, kProgram) != kProgram || ::dup2(report, kReport) != kReport ||
      ::fcntl(kProgram, F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(kReport, F_SETFD, FD_CLOEXEC) != 0)
    ::_exit(kRefused);
  for (int fd = kReport + 1; fd < 1024; ++fd) {
    if (fd != ruleset) ::close(fd);
  }
  const auto limit = [](auto resource, u64 value) {
    const rlimit both{value, value};
    return ::setrlimit(resource, &both) == 0;
  };
  bool all = true;
  const auto say = [&](char layer, bool holds) {
    if (holds && ::write(kReport, &layer, 1) != 1) ::_exit(kRefused);
    all = all && holds;
  };
  // Without sockets an empty network adds nothing that has to be there.
  const bool network = enter_empty_network();
  if (network) say('n', true);
  say('p', drop_privileges());
  say('r', limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, 64) && limit(RLIMIT_FSIZE, 0) &&
               limit(RLIMIT_CPU, with.seconds) && limit(RLIMIT_AS, with.memory));
  say('l', landlock_restrict(ruleset));
  const bool alone = forbid_signals_to_others();
  say('s', install_filter(with.filter) && alone);
  if (!all) ::_exit(kRefused);
  ::syscall(SYS_execveat, kProgram, "", with.arguments.data(), with.environment.data(), AT_EMPTY_PATH);
  ::_exit(126);
}

// A file in memory, written and rewound.
int file_of(const std::string& text) {
  const int file = ::memfd_create("script", MFD_CLOEXEC);
  for (std::size_t done = 0; file >= 0 && done < text.size();) {
    const ssize_t count = ::write(file, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      ::close(file);
      return -1;
    }
    done += static_cast<std::size_t>(count);
  }
  if (file >= 0) ::lseek(file, 0, SEEK_SET);
  return file;
}

std::vector<std::string> names_of(std::string_view held, int abi) {
  std::vector<std::string> out;
  for (const char layer : held) {
    switch (layer) {
      case 'n':
        out.emplace_back("network");
        break;
      case 'p':
        out.emplace_back("no_new_privs");
        break;
      case 'r':
        out.emplace_back("rlimits");
        break;
      case 'l':
        out.push_back(fmt::format("landlock:{}", abi));
        break;
      default:
        out.emplace_back("seccomp");
    }
  }
  return out;
}

}  // namespace

Result<Ran> run_script(const Script& script) {
  const auto broken = [&](std::string_view what) {
    return fail(ErrorCode::resource, fmt::format("{} can't be started: {}", script.interpreter.string(), what));
  };
  const Descriptor program{::open(script.interpreter.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  const Descriptor input{file_of(script.input)};
  std::array<int, 2> pipe{}, report{};
  if (program.fd < 0) return broken("it can't be opened");
  if (input.fd < 0 || ::pipe2(pipe.data(), O_CLOEXEC) != 0) return broken("no pipe");
  Descriptor output{pipe[0]}, output_end{pipe[1]};
  if (::pipe2(report.data(), O_CLOEXEC) != 0) return broken("no pipe");
  Descriptor layers{report[0]}, layers_end{report[1]};

  Grants grants{{program.fd}, {}};
  std::vector<std::unique_ptr<Descriptor>> places;
  for (const char* place : {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"}) {
    auto opened = std::make_unique<Descriptor>(::open(place, O_PATH | O_CLOEXEC));
    if (opened->fd < 0) continue;
    grants.readable.push_back(opened->fd);
    places.push_back(std::move(opened));
  }
  int abi = 0;
  const Descriptor ruleset{grant_landlock(grants, abi)};

  std::vector<std::string> words = {script.interpreter.string()};
  words.insert(words.end(), script.arguments.begin(), script.arguments.end());
  // The order of a set of texts must not differ from run to run.
  std::string language = "LC_ALL=C.UTF-8", hash = "PYTHONHASHSEED=0", path = "PATH=";
  Prepared with{input.fd,
                output_end.fd,
                program.fd,
                layers_end.fd,
                ruleset.fd,
                program_filter(),
                {},
                {language.data(), hash.data(), path.data(), nullptr},
                script.memory_bytes,
                static_cast<u64>(script.seconds)};
  for (std::string& word : words) with.arguments.push_back(word.data());
  with.arguments.push_back(nullptr);

  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return broken("no further process");
  if (child == 0) become(with, parent);
  output_end.close();
  layers_end.close();

  Ran out;
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::seconds(3 * script.seconds);
  std::array<char, 16 * 1024> window{};
  bool killed = false;
  while (true) {
    pollfd waiting{output.fd, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, 100);
    if (!killed && Clock::now() > deadline) {
      ::kill(child, SIGKILL);
      killed = true;
    }
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t count = ::read(output.fd, window.data(), window.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    out.output.append(window.data(), static_cast<std::size_t>(count));
    if (out.output.size() > 2 * script.output_bytes) out.output.erase(0, out.output.size() - script.output_bytes);
  }
  // It may have closed its streams and go on.
  int status = 0;
  for (pid_t ended = 0; ended != child;) {
    ended = ::waitpid(child, &status, killed ? 0 : WNOHANG);
    if (ended < 0 && errno != EINTR) break;
    if (ended != child && Clock::now() > deadline && !killed) {
      ::kill(child, SIGKILL);
      killed = true;
    }
    if (ended == 0) ::poll(nullptr, 0, 5);
  }
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::array<char, 8> held{};
  const ssize_t count = std::max<ssize_t>(::read(layers.fd, held.data(), held.size()), 0);
  const std::string_view said(held.data(), static_cast<std::size_t>(count));
  std::string missing;
  for (const auto& [layer, name] :
       {std::pair('p', "no_new_privs"), {'r', "rlimits"}, {'l', "landlock"}, {'s', "seccomp"}}) {
    if (!said.contains(layer)) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", name);
  }
  if (!missing.empty()) return broken("its sandbox lacks " + missing);
  out.sandbox = names_of(said, abi);
  return out;
}

}  // namespace steelyard::sandbox
