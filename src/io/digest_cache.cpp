#include "io/digest_cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/sha256.hpp"

namespace steelyard::io {
namespace {

constexpr i64 kSettled = 2;  // seconds
constexpr u64 kLargest = u64{64} << 20;

std::string key(const Stat& s) {
  return fmt::format("{} {} {} {} {}", s.device, s.inode, s.bytes, s.modified, s.changed);
}

// A line ends with eight digits of its own digest, so that a torn one is recognised.
std::string line(const std::string& key, const std::string& digest) {
  const std::string content = key + " " + digest;
  return content + " " + sha256(content).substr(0, 8) + "\n";
}

bool own(const std::filesystem::path& path) {
  struct stat s{};
  return ::lstat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode) && s.st_uid == ::geteuid() && (s.st_mode & 022) == 0 &&
         static_cast<u64>(s.st_size) <= kLargest;
}

}  // namespace

DigestCache::DigestCache(std::filesystem::path path) : path_(std::move(path)) {
  if (!own(path_)) return;
  std::ifstream in(path_);
  for (std::string content; std::getline(in, content);) {
    if (content.size() < 64 + 10) continue;
    const std::string key = content.substr(0, content.size() - 74);
    const std::string digest = content.substr(content.size() - 73, 64);
    if (is_sha256(digest) && line(key, digest) == content + "\n") digests_[key] = digest;
  }
}

std::optional<std::string> DigestCache::find(const Stat& stat) const {
  const std::lock_guard lock(mutex_);
  const auto found = digests_.find(key(stat));
  return found == digests_.end() ? std::nullopt : std::optional(found->second);
}

void DigestCache::remember(const Stat& stat, const std::string& digest, i64 now) {
  if (now - stat.changed / 1'000'000'000 < kSettled) return;
  const std::string entry = line(key(stat), digest);
  const std::lock_guard lock(mutex_);
  digests_[key(stat)] = digest;
  std::error_code error;
  std::filesystem::create_directories(path_.parent_path(), error);
  const int fd = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return;
  // One write() of one line: appends of several processes don't mix.
  [[maybe_unused]] const ssize_t written = ::write(fd, entry.data(), entry.size());
  ::close(fd);
}

}  // namespace steelyard::io
