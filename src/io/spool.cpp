#include "io/spool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "base/text.hpp"

namespace steelyard::io {
namespace {

constexpr std::size_t kWindow = 256 * 1024;

std::string reason(int error) { return std::generic_category().message(error); }

// Not every file system can make a file without a name.
int nameless(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  std::string name = (folder / "steelyard.XXXXXX").string();
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace

Result<File> spool(int descriptor, const std::string& name, const std::filesystem::path& folder, u64 most) {
  struct stat s{};
  if (::fstat(descriptor, &s) != 0) return fail(ErrorCode::io, fmt::format("{}: {}", name, reason(errno)));
  if (::isatty(descriptor) == 1)
    return fail(ErrorCode::usage, fmt::format("{}: a terminal; send a file through a pipe", name));
  if (S_ISREG(s.st_mode)) {
    const int copy = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return fail(ErrorCode::io, fmt::format("{}: {}", name, reason(errno)));
    return File::adopt(copy, name);
  }
  const int out = nameless(folder);
  if (out < 0)
    return fail(ErrorCode::io,
                fmt::format("{}: cannot be kept in {}: {}", name, text::display(folder.string()), reason(errno)));
  std::vector<char> window(kWindow);
  u64 bytes = 0;
  std::string problem;
  while (problem.empty()) {
    const ssize_t count = ::read(descriptor, window.data(), window.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) problem = reason(errno);
    if (count <= 0) break;
    bytes += static_cast<u64>(count);
    if (bytes > most) {
      problem = fmt::format("more than {}; save it to a file and name that", text::human_bytes(most));
      break;
    }
    for (ssize_t done = 0; done < count;) {
      const ssize_t written = ::write(out, window.data() + done, static_cast<std::size_t>(count - done));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        problem = fmt::format("cannot be kept in {}: {}; TMPDIR names another folder", text::display(folder.string()),
                              reason(errno));
        break;
      }
      done += written;
    }
  }
  if (!problem.empty()) {
    ::close(out);
    return fail(ErrorCode::io, fmt::format("{}: {}", name, problem));
  }
  return File::adopt(out, name);
}

}  // namespace steelyard::io
