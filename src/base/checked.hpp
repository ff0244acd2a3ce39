// Checked arithmetic on sizes that come from a file: nothing wraps, an overflow is a value.
#pragma once

#include <optional>

#include "base/bytes.hpp"

namespace steelyard {

inline std::optional<u64> checked_add(u64 a, u64 b) {
  u64 sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

inline std::optional<u64> checked_mul(u64 a, u64 b) {
  u64 product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// Rounds `value` up to a multiple of `alignment` (any number > 0, not only powers of two).
inline std::optional<u64> checked_align(u64 value, u64 alignment) {
  const u64 rest = value % alignment;
  return rest == 0 ? std::optional(value) : checked_add(value, alignment - rest);
}

}  // namespace steelyard
