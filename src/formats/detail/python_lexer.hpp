// PythonLexer: Python source (3.8 to 3.13) as tokens, with the limits that CPython's own tokenizer has.
//
// Spec: docs.python.org/3/reference/lexical_analysis.html. Constant texts are decoded; the expressions
// inside f-strings are kept as ranges of the source. Attack resisted: names in other letters that Python
// normalises to ASCII (fullwidth, mathematical), encodings that hide code (PEP 263), nesting without
// end. The first fault ends the tokens. Not thread-safe.
// Tested by tests/unit/python_test.cpp and, against CPython's ast, by tests/oracle/repository_test.py.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/examination.hpp"

namespace steelyard::formats {

struct PythonToken {
  enum class Kind { name, number, text, op, newline, indent, dedent, end, fault };
  Kind kind = Kind::end;
  std::string text;  // of a name or operator: itself; of a text: its value; of a fault: why
  Range at;
  std::vector<Range> parts;  // of an f-string: its expressions
  bool disguised = false;    // a name that is written in letters which Python turns into others
};

class PythonLexer {
 public:
  // `base`: where `source` begins in the file. `expression`: no indentation, newlines are spaces.
  explicit PythonLexer(std::string_view source, u64 base = 0, bool expression = false);

  PythonToken next();

  static constexpr std::size_t kDeepest = 200;                // brackets, as CPython's MAXLEVEL
  static constexpr std::size_t kDeepestIndent = 100;          // as CPython's MAXINDENT
  static constexpr std::size_t kKept = std::size_t{1} << 20;  // of a text

 private:
  PythonToken make(PythonToken::Kind kind, std::size_t begin, std::string text = {});
  PythonToken fault(std::string why);
  PythonToken line_start();
  PythonToken name(std::size_t begin);
  PythonToken number(std::size_t begin);
  PythonToken string(std::size_t begin, std::string_view prefix);
  PythonToken operation(std::size_t begin);
  void escape(std::string& out, bool bytes);
  bool format_part(PythonToken& token, std::size_t end_of_text, int depth);
  char look(std::size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }

  std::string_view source_;
  u64 base_;
  bool expression_;
  std::size_t at_ = 0;
  bool fresh_line_ = true;
  bool ended_ = false;
  std::string brackets_;
  std::vector<std::size_t> indents_ = {0};
  std::size_t dedents_ = 0;
};

}  // namespace steelyard::formats
