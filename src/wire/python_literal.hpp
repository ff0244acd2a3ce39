// PythonLiteral: what ast.literal_eval accepts of strings, numbers, names and containers; never eval.
//
// For headers of NumPy's .npy files. Strict: no operators, no comments, no implicit concatenation, no
// escapes beyond \\ \' \" \n. Attack resisted: nesting without end (bounded), expressions.
// Not thread-safe. Tested by tests/unit/npy_test.cpp; fuzzed through npy.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::wire {

struct PythonLiteral {
  enum class Kind { none, boolean, integer, text, tuple, list, dict };
  Kind kind = Kind::none;
  bool yes = false;
  bool negative = false;
  u64 integer = 0;  // its magnitude; UINT64_MAX: that or more
  std::string text;
  std::vector<PythonLiteral> items;  // a dict's alternate: key, value

  // The value of a key of a dict: of equal keys the last counts.
  const PythonLiteral* find(std::string_view key) const;

  // Nothing, and `why`, for what isn't one literal.
  static std::optional<PythonLiteral> parse(std::string_view source, std::string& why);
};

}  // namespace steelyard::wire
