// File: a regular file opened for reading without following a link, and what it was when opened.
//
// Attack resisted: a file swapped, truncated or rewritten between stat, hash and parse; FIFOs and
// devices that block or have side effects (O_NONBLOCK, checked with fstat before any read).
// read() may be called from several threads. Tested by tests/unit/io_test.cpp.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <string>

#include "base/result.hpp"
#include "base/source.hpp"

namespace steelyard::io {

// What identifies the content of a file without reading it. Times are nanoseconds since 1970.
struct Stat {
  u64 device = 0;
  u64 inode = 0;
  u64 bytes = 0;
  i64 modified = 0;
  i64 changed = 0;
  friend bool operator==(const Stat&, const Stat&) = default;
};

Stat stat_of(const struct stat& s);

class File final : public Source {
 public:
  // `path` must have been resolved: a link in it is an error (on kernels before 5.6, or where
  // openat2 is not allowed, only a link as its last part).
  static Result<File> open(const std::filesystem::path& path);
  // Takes over an open descriptor; `name` is for messages. An Error when that is of no regular file.
  static Result<File> adopt(int descriptor, const std::filesystem::path& name);
  // A second descriptor of the same file.
  Result<File> again() const;
  ~File() override;
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  u64 size() const override { return stat_.bytes; }
  std::size_t read(u64 offset, std::span<std::byte> out) const override;

  const Stat& stat() const { return stat_; }
  int descriptor() const { return descriptor_; }
  // Whether the file is still what it was when opened.
  bool unchanged() const;

 private:
  File(int descriptor, Stat stat) : descriptor_(descriptor), stat_(stat) {}
  int descriptor_ = -1;
  Stat stat_;
};

// SHA-256 of the bytes in [begin, end). Empty when the file ended early or couldn't be read.
std::string hash(const File& file, u64 begin, u64 end);
// SHA-256 of all bytes, read once in windows. Empty when the file ended early or couldn't be read.
// `progress`, if set, is told the bytes done so far.
std::string hash(const File& file, const std::function<void(u64)>& progress = {});

// The MD5 that a package database may have; empty as above.
std::string md5(const File& file);
// The name that git would give the content; empty as above.
std::string git_blob(const File& file);

// Writes by a temporary file in the same folder, fsync and rename: a reader sees the old content
// or the new one, never a part. Creates missing folders (mode 0700). `mode` is that of the file.
Result<bool> write_atomically(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644);

// A whole small text file; at most `most` bytes.
Result<std::string> read_text(const std::filesystem::path& path, u64 most = u64{16} << 20);

}  // namespace steelyard::io
