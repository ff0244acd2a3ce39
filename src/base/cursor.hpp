// Cursor: the only place where bounds arithmetic on untrusted sizes happens.
//
// Reads fields in order from a Source through a small window. The first read past the limit sets
// a sticky fault that keeps the field, the absolute offset, the bytes wanted and the bytes left;
// from then on reads return zero or nothing and the position stays, so a parser may read a whole
// structure and check once. Not thread-safe. Tested by tests/unit/cursor_test.cpp.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/source.hpp"

namespace steelyard {

struct Fault {
  std::string field;  // what was being read: "tensor 12 name"
  u64 offset = 0;     // absolute, where the read began
  u64 wanted = 0;     // bytes
  u64 available = 0;  // bytes up to the limit
  std::string why;    // empty: past the limit; otherwise what was wrong with the value
};

class Cursor {
 public:
  Cursor(const Source& source, u64 begin, u64 end, std::endian order = std::endian::little);
  explicit Cursor(const Source& source) : Cursor(source, 0, source.size()) {}

  bool ok() const { return !fault_; }
  const std::optional<Fault>& fault() const { return fault_; }
  u64 offset() const { return offset_; }
  u64 remaining() const { return end_ - offset_; }
  u64 limit() const { return end_; }
  void set_order(std::endian order) { order_ = order; }

  // Fixed-size number in the cursor's byte order; 0 after a fault.
  template <class T>
    requires std::integral<T> || std::floating_point<T>
  T read(std::string_view field) {
    std::array<std::byte, sizeof(T)> raw{};
    if (!take(raw, field)) return T{};
    if (order_ != std::endian::native) std::ranges::reverse(raw);
    return std::bit_cast<T>(raw);
  }

  // Copies out.size() bytes.
  bool take(std::span<std::byte> out, std::string_view field);

  // `length` bytes as a string. Faults, without allocating, when they aren't there or when there
  // are more than `most`.
  std::string text(u64 length, u64 most, std::string_view field);

  // The bytes may be looked at without a copy: up to `most` bytes of the current window, at least
  // one unless at the limit. Follow with skip().
  Bytes peek(std::size_t most);

  // The rest of the window, moved first when it holds fewer than `least` bytes (at most 64 KiB) and
  // there are more: for tight loops over small fields. Follow with skip().
  Bytes ahead(std::size_t least);

  bool skip(u64 bytes, std::string_view field);

  // Makes the cursor fail here for a reason other than the limit.
  void fail(std::string_view field, std::string why);

 private:
  bool fill();

  const Source& source_;
  u64 offset_;
  u64 end_;
  std::endian order_;
  std::optional<Fault> fault_;
  std::vector<std::byte> window_;
  u64 window_at_ = 0;
  std::size_t window_size_ = 0;
};

// "tensor 3 name at 0x1f0: 4096 bytes wanted, 12 available"
std::string to_string(const Fault& fault);

}  // namespace steelyard
