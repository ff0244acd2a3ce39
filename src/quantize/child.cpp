#include "quantize/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "sandbox/kernel.hpp"
#include "sandbox/lockdown.hpp"
#include "sandbox/program.hpp"

namespace steelyard::quantize {
namespace {

constexpr std::size_t kTail = 4096;
constexpr u64 kSpare = u64{8} << 20;
constexpr int kSource = 3, kProgram = 5, kReport = 6, kState = 7;

struct Descriptor {
  explicit Descriptor(int number) : fd(number) {}
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
  std::array<int, 5> files;  // become kSource to kState
  int output;
  int ruleset;
  std::vector<sock_filter> filter;
  std::vector<char*> arguments;
  std::array<char*, 3> environment;
  std::string folder;
  u64 memory, file_bytes;
};

// One byte for each layer that holds, then the other program.
[[noreturn]] void become(const Prepared& with, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int null = ::open("/dev/null", O_RDONLY);
  bool ready = ::getppid() == parent && null >= 0 && (with.folder.empty() || ::chdir(with.folder.c_str()) == 0);
  std::array<int, 5> files{};
  for (std::size_t i = 0; i < files.size(); ++i) files[i] = ::fcntl(with.files[i], F_DUPFD, 64);
  const int ruleset = with.ruleset < 0 ? -1 : ::fcntl(with.ruleset, F_DUPFD_CLOEXEC, 64);
  ready = ready && ::dup2(null, 0) == 0 && ::dup2(with.output, 1) == 1 && ::dup2(with.output, 2) == 2;
  for (std::size_t i = 0; i < files.size(); ++i)
    ready = ready && ::dup2(files[i], kSource + static_cast<int>(i)) == kSource + static_cast<int>(i);
  ready = ready && ::fcntl(kProgram, F_SETFD, FD_CLOEXEC) == 0 && ::fcntl(kReport, F_SETFD, FD_CLOEXEC) == 0;
  if (!ready) ::_exit(127);
  for (int fd = kState + 1; fd < 1024; ++fd) {
    if (fd != ruleset) ::close(fd);
  }
  const auto limit = [](auto resource, u64 value) {
    const rlimit both{value, value};
    return ::setrlimit(resource, &both) == 0;
  };
  const auto say = [](char layer, bool holds) {
    if (holds && ::write(kReport, &layer, 1) != 1) ::_exit(127);
  };
  say('n', sandbox::enter_empty_network());
  say('p', sandbox::drop_privileges());
  say('r', limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, 64) && limit(RLIMIT_FSIZE, with.file_bytes) &&
               limit(RLIMIT_AS, with.memory));
  say('l', sandbox::landlock_restrict(ruleset));
  const bool alone = sandbox::forbid_signals_to_others();
  say('s', sandbox::install_filter(with.filter) && alone);
  ::signal(SIGXFSZ, SIG_DFL);
  ::syscall(SYS_execveat, kProgram, "", with.arguments.data(), with.environment.data(), AT_EMPTY_PATH);
  ::_exit(126);
}

// The last line that says something, rather one about an error.
std::string last_words(std::string_view tail) {
  std::string out;
  for (std::size_t at = 0; at < tail.size();) {
    const std::size_t end = std::min(tail.find('\n', at), tail.size());
    const std::string_view line = tail.substr(at, end - at);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      const bool better = out.find("rror") == std::string::npos && out.find("failed") == std::string::npos;
      if (better || line.find("rror") != std::string_view::npos) out = text::display(line, 200);
    }
    at = end + 1;
  }
  return out;
}

}  // namespace

Result<Ended> run(const Job& job, const std::atomic<bool>& stop, const std::function<bool(std::string_view)>& said) {
  std::array<int, 2> pipe{}, report{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return fail(ErrorCode::resource, "no pipe for " + job.name);
  Descriptor output{pipe[0]}, output_end{pipe[1]};
  if (::pipe2(report.data(), O_CLOEXEC) != 0) return fail(ErrorCode::resource, "no pipe for " + job.name);
  Descriptor layers{report[0]}, layers_end{report[1]};

  sandbox::Grants grants{{job.program->descriptor(), job.source->descriptor()}, {job.output}};
  for (const io::File* more : {job.state, job.named}) {
    if (more != nullptr) grants.readable.push_back(more->descriptor());
  }
  std::vector<std::unique_ptr<Descriptor>> places;
  for (const std::string& place :
       {std::string("/lib"), std::string("/lib64"), std::string("/usr/lib"), std::string("/usr/lib64"),
        std::string("/etc/ld.so.cache"), job.program_path.parent_path().string()}) {
    auto opened = std::make_unique<Descriptor>(::open(place.c_str(), O_PATH | O_CLOEXEC));
    if (opened->fd < 0) continue;
    grants.readable.push_back(opened->fd);
    places.push_back(std::move(opened));
  }
  int abi = 0;
  const Descriptor ruleset{sandbox::grant_landlock(grants, abi)};

  std::vector<std::string> words = {job.name};
  words.insert(words.end(), job.words.begin(), job.words.end());
  // OpenMP must not spin where others want the processor.
  std::string language = "LC_ALL=C.UTF-8", wait = "OMP_WAIT_POLICY=passive";
  Prepared with{{job.source->descriptor(), job.output, job.program->descriptor(), layers_end.fd,
                 (job.state != nullptr ? job.state : job.source)->descriptor()},
                output_end.fd,
                ruleset.fd,
                sandbox::program_filter(),
                {},
                {language.data(), wait.data(), nullptr},
                job.folder.string(),
                job.memory_bytes,
                job.output_bytes};
  for (std::string& word : words) with.arguments.push_back(word.data());
  with.arguments.push_back(nullptr);

  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail(ErrorCode::resource, job.name + " can't be started");
  if (child == 0) become(with, parent);
  output_end.close();
  layers_end.close();

  Ended out;
  std::string pending;
  std::array<char, 16 * 1024> window{};
  bool killed = false;
  while (true) {
    pollfd waiting{output.fd, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, 100);
    if (stop && !killed) {
      ::kill(child, SIGKILL);
      killed = true;
    }
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t count = ::read(output.fd, window.data(), window.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    pending.append(window.data(), static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (std::size_t end = pending.find_first_of(",\n"); end != std::string::npos && !killed;
         end = pending.find_first_of(",\n", begin)) {
      out.cut = !said(std::string_view(pending).substr(begin, end - begin));
      begin = end + 1;
      if (!out.cut) continue;
      ::kill(child, SIGKILL);
      killed = true;
    }
    out.tail.append(window.data(), static_cast<std::size_t>(count));
    if (out.tail.size() > 2 * kTail) out.tail.erase(0, out.tail.size() - kTail);
    pending.erase(0, pending.size() - begin > kTail ? pending.size() : begin);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::array<char, 8> held{};
  const ssize_t count = ::read(layers.fd, held.data(), held.size());
  for (ssize_t i = 0; i < count; ++i) {
    switch (held[static_cast<std::size_t>(i)]) {
      case 'n':
        out.sandbox.emplace_back("network");
        break;
      case 'p':
        out.sandbox.emplace_back("no_new_privs");
        break;
      case 'r':
        out.sandbox.emplace_back("rlimits");
        break;
      case 'l':
        out.sandbox.push_back(fmt::format("landlock:{}", abi));
        break;
      default:
        out.sandbox.emplace_back("seccomp");
    }
  }
  return out;
}

Error why(const Job& job, const Ended& how, const std::filesystem::path& folder) {
  struct statvfs room{};
  const bool full =
      ::statvfs(folder.empty() ? "." : folder.c_str(), &room) == 0 && room.f_bavail * room.f_frsize < kSpare;
  if (how.status == 128 + SIGXFSZ) return {ErrorCode::resource, job.name + " wrote more than it may"};
  std::string out = how.status > 128    ? fmt::format("{} was ended by signal {}", job.name, how.status - 128)
                    : how.status >= 126 ? job.name + " can't be started"
                                        : fmt::format("{} ended with status {}", job.name, how.status);
  if (full) out += ", the disk is full";
  if (const std::string words = last_words(how.tail); !words.empty()) out += ": " + words;
  return {full ? ErrorCode::resource : ErrorCode::io, std::move(out)};
}

}  // namespace steelyard::quantize
