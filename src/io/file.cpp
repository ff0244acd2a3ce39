#include "io/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "base/sha256.hpp"
#include "base/text.hpp"

namespace steelyard::io {
namespace {

constexpr std::size_t kHashWindow = 256 * 1024;  // fits the second-level cache

std::string reason(int error) { return std::generic_category().message(error); }

std::string shown(const std::filesystem::path& path) { return text::display(path.string()); }

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "not a regular file";
}

i64 nanoseconds(const timespec& time) { return i64{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

// A folder above the file may have been exchanged for a link since the path was resolved.
int open_without_links(const char* path) {
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  open_how how{};
  how.flags = static_cast<u64>(kFlags);
  how.resolve = RESOLVE_NO_SYMLINKS;
  const auto fd = ::syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
  return ::open(path, kFlags);
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Stat stat_of(const struct stat& s) {
  return {s.st_dev, s.st_ino, static_cast<u64>(s.st_size), nanoseconds(s.st_mtim), nanoseconds(s.st_ctim)};
}

Result<File> File::open(const std::filesystem::path& path) {
  const int fd = open_without_links(path.c_str());
  if (fd < 0) return fail(ErrorCode::io, fmt::format("{}: cannot open: {}", shown(path), reason(errno)));
  return adopt(fd, path);
}

Result<File> File::adopt(int descriptor, const std::filesystem::path& name) {
  struct stat s{};
  if (::fstat(descriptor, &s) != 0) {
    const int error = errno;
    ::close(descriptor);
    return fail(ErrorCode::io, fmt::format("{}: cannot stat: {}", shown(name), reason(error)));
  }
  if (!S_ISREG(s.st_mode)) {
    ::close(descriptor);
    return fail(ErrorCode::io, fmt::format("{}: expected a regular file, found {}", shown(name), kind_of(s.st_mode)));
  }
  return File(descriptor, stat_of(s));
}

Result<File> File::again() const {
  const int copy = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return fail(ErrorCode::io, reason(errno));
  return File(copy, stat_);
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), stat_(other.stat_) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(stat_, other.stat_);
  return *this;
}

std::size_t File::read(u64 offset, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

bool File::unchanged() const {
  struct stat s{};
  return ::fstat(descriptor_, &s) == 0 && stat_of(s) == stat_;
}

namespace {

// Feeds the bytes in [begin, end) to `digest`; empty when they end early.
template <class Digest>
std::string hash_range(Digest digest, const File& file, u64 begin, u64 end, const std::function<void(u64)>& progress) {
  if (end - begin > kHashWindow) ::posix_fadvise(file.descriptor(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::vector<std::byte> window(std::min<u64>(kHashWindow, end - begin));
  for (u64 at = begin; at < end;) {
    const std::size_t count = file.read(at, std::span(window).first(std::min<u64>(window.size(), end - at)));
    if (count == 0) return {};
    digest.update(Bytes(window).first(count));
    at += count;
    if (progress) progress(at);
  }
  return digest.finish();
}

}  // namespace

std::string hash(const File& file, u64 begin, u64 end) { return hash_range(Sha256(), file, begin, end, {}); }

std::string hash(const File& file, const std::function<void(u64)>& progress) {
  return hash_range(Sha256(), file, 0, file.size(), progress);
}

std::string md5(const File& file) { return hash_range(Md5(), file, 0, file.size(), {}); }

std::string git_blob(const File& file) { return hash_range(GitBlob(file.size()), file, 0, file.size(), {}); }

Result<bool> write_atomically(const std::filesystem::path& path, std::string_view content, unsigned mode) {
  std::error_code error;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::exists(folder, error)) {
    const mode_t mask = ::umask(0077);
    std::filesystem::create_directories(folder, error);
    ::umask(mask);
    if (error) return fail(ErrorCode::io, fmt::format("{}: cannot create: {}", shown(folder), error.message()));
  }
  std::string temporary = (folder / ("." + path.filename().string() + ".XXXXXX")).string();
  const Descriptor out{::mkostemp(temporary.data(), O_CLOEXEC)};
  if (out.fd < 0) return fail(ErrorCode::io, fmt::format("{}: cannot write: {}", shown(path), reason(errno)));
  int failure = 0;
  if (::fchmod(out.fd, mode) != 0 || !write_all(out.fd, content) || ::fsync(out.fd) != 0) failure = errno;
  if (failure == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) failure = errno;
  if (failure != 0) {
    ::unlink(temporary.c_str());
    return fail(ErrorCode::io, fmt::format("{}: cannot write: {}", shown(path), reason(failure)));
  }
  return true;
}

Result<std::string> read_text(const std::filesystem::path& path, u64 most) {
  std::error_code error;
  const auto resolved = std::filesystem::canonical(path, error);
  if (error) return fail(ErrorCode::io, fmt::format("{}: {}", shown(path), error.message()));
  SY_TRY(const File file, File::open(resolved));
  if (file.size() > most)
    return fail(ErrorCode::usage, fmt::format("{}: {} bytes, at most {} are read", shown(path), file.size(), most));
  std::string content(file.size(), '\0');
  content.resize(file.read(0, std::as_writable_bytes(std::span(content))));
  return content;
}

}  // namespace steelyard::io
