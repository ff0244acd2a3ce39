#include "stack/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

namespace steelyard::stack {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));  // execve only reads them
  out.push_back(nullptr);
  return out;
}

i64 milliseconds() {
  using namespace std::chrono;
  return duration_cast<std::chrono::milliseconds>(steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] void become(const Command& command, char* const* arguments, char* const* environment, int output,
                         pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  const int null = ::open("/dev/null", O_RDONLY);
  const bool ready = ::getppid() == parent && null >= 0 && ::dup2(null, STDIN_FILENO) == STDIN_FILENO &&
                     ::dup2(output, STDOUT_FILENO) == STDOUT_FILENO && ::dup2(output, STDERR_FILENO) == STDERR_FILENO &&
                     (command.folder.empty() || ::chdir(command.folder.c_str()) == 0);
  if (ready) ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

// Hands whole lines on and keeps the rest.
void tell(std::string& pending, const std::function<void(std::string_view)>& line, bool last) {
  std::size_t begin = 0;
  for (std::size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n', begin)) {
    line(std::string_view(pending).substr(begin, end - begin));
    begin = end + 1;
  }
  pending.erase(0, begin);
  if ((last || pending.size() > 64 * 1024) && !pending.empty()) {
    line(pending);
    pending.clear();
  }
}

}  // namespace

Result<Finished> run(const Command& command, const std::function<void(std::string_view)>& line) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return fail(ErrorCode::resource, "no pipe for a child process");
  const auto arguments = pointers(command.arguments);
  const auto environment = pointers(command.environment);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    ::close(pipe[0]);
    ::close(pipe[1]);
    return fail(ErrorCode::resource, fmt::format("{} can't be started", command.arguments.front()));
  }
  if (child == 0) become(command, arguments.data(), environment.data(), pipe[1], parent);
  ::close(pipe[1]);
  Finished out;
  std::string pending;
  std::array<char, 16 * 1024> window;
  const i64 end = command.seconds == 0 ? INT64_MAX : milliseconds() + i64{command.seconds} * 1000;
  while (true) {
    pollfd waiting{pipe[0], POLLIN, 0};
    const int ready = ::poll(&waiting, 1, 200);
    if (milliseconds() > end && !out.timed_out) {
      out.timed_out = true;
      ::kill(-child, SIGKILL);
    }
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t count = ::read(pipe[0], window.data(), window.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    const std::string_view part(window.data(), static_cast<std::size_t>(count));
    out.output.append(part.substr(0, std::min<u64>(part.size(), command.most_output - out.output.size())));
    if (line) {
      pending += part;
      tell(pending, line, false);
    }
  }
  ::close(pipe[0]);
  if (line) tell(pending, line, true);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return out;
}

std::filesystem::path program(const Environment& environment, const std::string& name) {
  std::string path = environment.variable("PATH").value_or("/usr/bin:/bin");
  while (!path.empty()) {
    const std::size_t colon = std::min(path.find(':'), path.size());
    const std::filesystem::path candidate = std::filesystem::path(path.substr(0, colon)) / name;
    path.erase(0, std::min(colon + 1, path.size()));
    std::error_code error;
    if (candidate.is_absolute() && std::filesystem::is_regular_file(candidate, error) &&
        ::access(candidate.c_str(), X_OK) == 0)
      return candidate;
  }
  return {};
}

}  // namespace steelyard::stack
