// DigestCache: remembers the SHA-256 of files by (device, inode, size, mtime, ctime).
//
// ctime can't be set by a program, so a rewrite shows; digests of files whose ctime is under two
// seconds old are not remembered, because a second write may fall into the same clock tick.
// Whoever can write the cache's folder can forge it: it is the user's own (mode 0600), and a file
// that belongs to somebody else is ignored. One line per digest, appended; torn or foreign lines
// are skipped. Thread-safe. Tested by tests/unit/io_test.cpp.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "io/file.hpp"

namespace steelyard::io {

class DigestCache {
 public:
  // Reads the cache at `path`; a missing or foreign one is empty.
  explicit DigestCache(std::filesystem::path path);

  std::optional<std::string> find(const Stat& stat) const;
  // `now` in seconds since 1970. Appends one line; a failure to write is ignored.
  void remember(const Stat& stat, const std::string& sha256, i64 now);

 private:
  std::filesystem::path path_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> digests_;
};

}  // namespace steelyard::io
