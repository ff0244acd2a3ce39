// JsonPull: strict JSON (RFC 8259), one token at a time, through a Cursor's window.
//
// For headers that are too large for a DOM (docs/decisions.md, 3): memory is one token. Sees every
// member, equal keys included; refuses what strict readers refuse: comments, trailing commas, leading
// zeros, control characters in texts, lone surrogates, bytes that aren't UTF-8, nesting beyond the
// limit. The first fault sticks in the cursor. Not thread-safe. Files that Python's json module loads are
// read in its dialect: NaN and Infinity are numbers, halves of surrogate pairs are characters (kept as
// U+FFFD), and nesting ends where its recursion limit does.
// Tested by tests/unit/json_pull_test.cpp, against simdjson too; fuzzed through safetensors.
#pragma once

#include <string>

#include "base/cursor.hpp"

namespace steelyard::wire {

class JsonPull {
 public:
  enum class Token { object, end_object, array, end_array, key, text, number, yes, no, null, end, fault };

  enum class Dialect { strict, python };

  // `keep`: bytes of one token that content() holds at most.
  explicit JsonPull(Cursor& in, Dialect dialect = Dialect::strict, std::size_t keep = kKept)
      : in_(in), dialect_(dialect), keep_(keep) {}

  // The next token. After the outermost value: spaces, then `end`.
  Token next();
  // Of a key or text: the decoded characters, cut to `keep` bytes. Of a number: its characters.
  const std::string& content() const { return content_; }
  // Whether content() was cut.
  bool cut() const { return cut_; }
  // Where the token begins in the source.
  u64 offset() const { return begin_; }
  // A number that is a non-negative integer below 2^64 written without sign, fraction or exponent.
  std::optional<u64> unsigned_integer() const;
  // Reads the rest of the value whose first token was just returned.
  void skip(Token first);

  static constexpr std::size_t kKept = 64 * 1024;
  static constexpr std::size_t kDeepest = 32;
  static constexpr std::size_t kDeepestPython = 990;

 private:
  Token value(char first);
  Token string(Token kind);
  Token number(char first);
  Token word(std::string_view rest, Token kind);
  Token refuse(std::string why);
  int look();
  int take();
  void spaces();
  void ordinary();
  void put(char c);
  void put(char32_t code);
  std::optional<u32> hex4();

  Cursor& in_;
  Dialect dialect_;
  std::size_t keep_;
  std::string stack_;  // '{' or '[' for each open container
  enum class Expect { value, first_key, key, after_value, first_item, done } expect_ = Expect::value;
  std::string content_;
  bool cut_ = false;
  u64 begin_ = 0;
};

}  // namespace steelyard::wire
