// Pattern: a regular expression that is looked for in hostile text, in time linear in it.
//
// Attack resisted: patterns and texts on which a backtracking matcher takes exponential time or overflows its stack
// ((a+)+b). RE2 matches by automata; what can't be matched so (lookaround, backreferences) is an Error. Syntax: RE2's,
// and ECMAScript's \uXXXX; text and pattern are UTF-8. RE2 stays in pattern.cpp. Immutable, thread-safe.
// Tested by tests/unit/pattern_test.cpp.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.hpp"

namespace steelyard {

class Pattern {
 public:
  static Result<Pattern> compile(std::string_view pattern);
  // Whether it matches anywhere.
  bool found_in(std::string_view text) const;

 private:
  struct Compiled;
  explicit Pattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace steelyard
