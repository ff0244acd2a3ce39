// json::Value: the document model of records, verdicts and reports, and its three texts.
//
// Numbers are integers within ±2^53 (RFC 8785 §3.2.2.3 keeps those exact in every reader); larger
// integers and decimals are strings. Objects keep the order of insertion; canonical() sorts it.
// Strings are valid UTF-8 (text::to_value makes a Value of arbitrary bytes). Values are plain
// data: safe to share between threads while nobody writes.
// Tested by tests/unit/json_test.cpp and, against the Python package rfc8785, by
// tests/oracle/canonical_json_test.py.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace steelyard::json {

class Value;
using Array = std::vector<Value>;
using Member = std::pair<std::string, Value>;
using Object = std::vector<Member>;

inline constexpr i64 kLargestInteger = i64{1} << 53;

class Value {
 public:
  Value() = default;  // null
  Value(std::nullptr_t) {}
  Value(bool flag) : data_(flag) {}
  Value(int number) : data_(i64{number}) {}
  Value(i64 number);  // a string when beyond ±2^53
  Value(u64 number);
  Value(u32 number) : data_(i64{number}) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(Array items) : data_(std::move(items)) {}
  Value(Object members) : data_(std::move(members)) {}

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_integer() const { return std::holds_alternative<i64>(data_); }
  bool is_string() const { return std::holds_alternative<std::string>(data_); }
  bool is_array() const { return std::holds_alternative<Array>(data_); }
  bool is_object() const { return std::holds_alternative<Object>(data_); }

  // The content, or an empty one when the value is of another type.
  bool boolean() const;
  i64 integer() const;
  const std::string& string() const;
  const Array& array() const;
  const Object& object() const;

  // The member of an object, or nullptr.
  const Value* find(std::string_view key) const;
  // The member of an object, or null.
  const Value& operator[](std::string_view key) const;
  // A non-negative integer, whether number or decimal string.
  std::optional<u64> unsigned_integer() const;

  // Appends to an object (null becomes one); doesn't look for an equal key.
  Value& set(std::string key, Value value);
  // Appends to an array (null becomes one).
  Value& push(Value value);

  friend bool operator==(const Value&, const Value&) = default;

 private:
  std::variant<std::nullptr_t, bool, i64, std::string, Array, Object> data_;
};

// RFC 8785: no spaces, keys sorted by UTF-16 code units, minimal escapes.
std::string canonical(const Value& value);
// Two spaces a level, members in order of insertion.
std::string pretty(const Value& value);
// One line, members in order of insertion.
std::string compact(const Value& value);
// `text` as a JSON string literal, quotes included.
std::string quote(std::string_view text);

struct ParseOptions {
  std::size_t most_bytes = 64u << 20;
  bool decimals = false;    // keep 1.5 as the string "1.5"; without it a decimal is an error
  bool duplicates = false;  // keep members with equal keys; without it they are an error
};

// Strict RFC 8259 through simdjson's DOM, which sees every value (On-Demand skips errors in
// values it isn't asked for).
Result<Value> parse(std::string_view text, const ParseOptions& options = {});

}  // namespace steelyard::json
