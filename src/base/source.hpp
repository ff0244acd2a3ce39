// Source: random access to the bytes of one file or archive member, read in windows.
//
// Files are never mapped: a truncated mapping kills the process and mapped pages count as memory.
#pragma once

#include <algorithm>

#include "base/bytes.hpp"

namespace steelyard {

class Source {
 public:
  virtual ~Source() = default;

  // Bytes, fixed when the source was opened.
  virtual u64 size() const = 0;

  // Reads up to out.size() bytes from `offset`. A short count means the end, or bytes that could
  // not be read (the file shrank, the medium failed): the caller treats both as missing bytes.
  virtual std::size_t read(u64 offset, std::span<std::byte> out) const = 0;
};

// Bytes already in memory: tests, fuzzing, decoded members. Doesn't own them.
class MemorySource final : public Source {
 public:
  explicit MemorySource(Bytes bytes) : bytes_(bytes) {}
  u64 size() const override { return bytes_.size(); }
  std::size_t read(u64 offset, std::span<std::byte> out) const override {
    if (offset >= bytes_.size()) return 0;
    const auto part = bytes_.subspan(offset, std::min<u64>(out.size(), bytes_.size() - offset));
    std::ranges::copy(part, out.begin());
    return part.size();
  }

 private:
  Bytes bytes_;
};

// A part of another source, which must outlive it.
class SliceSource final : public Source {
 public:
  SliceSource(const Source& whole, u64 begin, u64 end)
      : whole_(whole),
        begin_(std::min(begin, whole.size())),
        size_(std::min(std::max(begin, end), whole.size()) - begin_) {}
  u64 size() const override { return size_; }
  std::size_t read(u64 offset, std::span<std::byte> out) const override {
    if (offset >= size_) return 0;
    return whole_.read(begin_ + offset, out.first(std::min<u64>(out.size(), size_ - offset)));
  }

 private:
  const Source& whole_;
  u64 begin_;
  u64 size_;
};

}  // namespace steelyard
