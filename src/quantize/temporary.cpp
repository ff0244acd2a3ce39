#include "quantize/temporary.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.hpp"

namespace steelyard::quantize {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRandom = 6;  // characters of mkostemp(3)
constexpr int kTries = 8;

std::string beginning(const fs::path& beside) { return "." + beside.filename().string() + ".steelyard-"; }

std::unexpected<Error> unwritable(const fs::path& name) {
  return fail(ErrorCode::io, fmt::format("{}: cannot write: {}", text::display(name.string()), std::strerror(errno)));
}

void remove_stale(const fs::path& beside) {
  const std::string begin = beginning(beside);
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(beside.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(begin) || name.size() != begin.size() + kRandom) continue;
    const int fd = ::open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) continue;
    struct stat found{};
    if (::fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && ::flock(fd, LOCK_EX | LOCK_NB) == 0)
      ::unlink(entry.path().c_str());
    ::close(fd);
  }
}

}  // namespace

Result<std::unique_ptr<Temporary>> Temporary::create(const fs::path& beside) {
  remove_stale(beside);
  for (int i = 0; i < kTries; ++i) {
    std::string name = (beside.parent_path() / (beginning(beside) + std::string(kRandom, 'X'))).string();
    const int fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0) return unwritable(beside);
    // Another process may have taken it for stale before it was locked. Some file systems know no locks.
    struct stat found{};
    if ((::flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) && ::fstat(fd, &found) == 0 &&
        found.st_nlink == 1)
      return std::unique_ptr<Temporary>(new Temporary(std::move(name), fd));
    ::unlink(name.c_str());
    ::close(fd);
  }
  return fail(ErrorCode::io, fmt::format("{}: cannot lock a file in its folder", text::display(beside.string())));
}

Temporary::~Temporary() {
  if (!path_.empty()) ::unlink(path_.c_str());
  ::close(descriptor_);
}

Result<bool> Temporary::publish(const fs::path& name) {
  if (::fchmod(descriptor_, 0644) != 0 || ::fsync(descriptor_) != 0 || ::rename(path_.c_str(), name.c_str()) != 0)
    return unwritable(name);
  path_.clear();
  return true;
}

}  // namespace steelyard::quantize
