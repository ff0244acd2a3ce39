// Jinja source into tokens, as the regular expressions of jinja2/lexer.py do with trim_blocks and
// lstrip_blocks set, which is how transformers and llama.cpp configure it.
//
// Tested against jinja2 by tests/oracle/jinja_test.py; fuzzed by fuzz/jinja_language.cpp.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "wire/jinja/ast.hpp"

namespace steelyard::wire::jinja {

enum class Tok : u8 {
  data,
  block_begin,
  block_end,
  variable_begin,
  variable_end,
  name,
  string,
  integer,
  real,
  // Operators
  add,
  sub,
  div,
  floordiv,
  mul,
  mod,
  pow,
  tilde,
  lbracket,
  rbracket,
  lparen,
  rparen,
  lbrace,
  rbrace,
  eq,
  ne,
  gt,
  ge,
  lt,
  le,
  assign,
  dot,
  colon,
  pipe,
  comma,
  semicolon,
  end
};

struct Token {
  Tok kind = Tok::end;
  bool huge = false;  // an integer beyond 64 bits
  u32 begin = 0;
  u32 end = 0;
  u32 text = kNone;  // of data, names and strings: index into the texts
  union {
    i64 integer = 0;
    double real;
  };
};

inline constexpr std::size_t kMostTokens = 200'000;

// `texts` receives the contents; offsets count in `source`, which must be valid UTF-8.
std::expected<std::vector<Token>, Refusal> tokenize(std::string_view source, std::vector<std::string>& texts);

}  // namespace steelyard::wire::jinja
