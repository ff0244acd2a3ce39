// JsonNode: a JSON document with its numbers as they were written, for what json::Value can't hold.
//
// Attack resisted: documents that grow in memory: bytes and values are bounded, nesting is (32 levels; in Python's
// dialect, in which NaN and Infinity are numbers too, 64). Equal keys are an Error. Plain data.
// Tested by tests/unit/json_schema_test.cpp; the reader below it is wire/json_pull.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "wire/json_pull.hpp"

namespace steelyard::wire {

// ±digits × 10^exponent, exact; digits has no zero at either end, zero has none.
struct Decimal {
  bool negative = false;
  std::string digits;
  i64 exponent = 0;

  // Of a number as JSON writes it; nothing for NaN and Infinity.
  static std::optional<Decimal> parse(std::string_view text);
  bool integral() const { return digits.empty() || exponent >= 0; }
  // Of a non-negative integer up to 10^18.
  std::optional<u64> whole() const;
  double approximate() const;
  friend bool operator==(const Decimal&, const Decimal&) = default;
  friend std::strong_ordering operator<=>(const Decimal& a, const Decimal& b);
};

struct JsonMember;

struct JsonNode {
  enum class Kind { null, boolean, number, text, array, object };
  Kind kind = Kind::null;
  bool flag = false;
  Decimal number;
  std::string text;  // of a number that is none (NaN, Infinity): its name
  std::vector<JsonNode> items;
  std::vector<JsonMember> members;  // in the order of the document

  bool is(Kind one) const { return kind == one; }
  const JsonNode* find(std::string_view key) const;
  // The text of a member, or empty.
  const std::string& text_of(std::string_view key) const;
};

struct JsonMember {
  std::string name;
  JsonNode value;
};

struct JsonLimits {
  std::size_t bytes = std::size_t{1} << 20;
  std::size_t values = 100'000;
  JsonPull::Dialect dialect = JsonPull::Dialect::strict;
};

Result<JsonNode> read_json(std::string_view text, const JsonLimits& limits = {});
// One line; numbers in the shortest exact form.
std::string to_json(const JsonNode& node);

}  // namespace steelyard::wire
