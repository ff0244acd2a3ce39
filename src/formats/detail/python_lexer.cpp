#include "formats/detail/python_lexer.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace steelyard::formats {
namespace {

using Kind = PythonToken::Kind;

bool digit(char c) { return c >= '0' && c <= '9'; }
bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

struct Decoded {
  char32_t code;
  std::size_t length;
};
Decoded decode(std::string_view rest) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
  const std::size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : byte(0) >= 0xC0 ? 2 : 1;
  if (length > rest.size()) return {byte(0), 1};
  char32_t code = length == 1 ? byte(0) : byte(0) & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) code = (code << 6) | (byte(i) & 0x3FU);
  return {code, length};
}

// The ASCII letter that NFKC makes of it, or 0: fullwidth forms and mathematical alphanumerics.
char plain_letter(char32_t c) {
  if (c >= 0xFF01 && c <= 0xFF5E) return static_cast<char>(c - 0xFF01 + '!');
  if (c >= 0x1D400 && c <= 0x1D6A3) {
    const char32_t i = (c - 0x1D400) % 52;
    return static_cast<char>(i < 26 ? 'A' + i : 'a' + (i - 26));
  }
  if (c >= 0x1D7CE && c <= 0x1D7FF) return static_cast<char>('0' + (c - 0x1D7CE) % 10);
  return c == 0x17F ? 's' : '\0';
}

void append_utf8(std::string& out, char32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

}  // namespace

PythonLexer::PythonLexer(std::string_view source, u64 base, bool expression)
    : source_(source), base_(base), expression_(expression), fresh_line_(!expression) {
  if (source_.starts_with("\xEF\xBB\xBF")) at_ = 3;
}

PythonToken PythonLexer::make(Kind kind, std::size_t begin, std::string text) {
  PythonToken token;
  token.kind = kind;
  token.text = std::move(text);
  token.at = {base_ + begin, base_ + at_};
  return token;
}

PythonToken PythonLexer::fault(std::string why) {
  PythonToken token = make(Kind::fault, at_, std::move(why));
  ended_ = true;
  at_ = source_.size();
  dedents_ = 0;
  return token;
}

// Spaces, blank lines and comments at the start of a line, then what the indentation means.
PythonToken PythonLexer::line_start() {
  while (true) {
    std::size_t column = 0;
    const std::size_t begin = at_;
    for (char c = look(); at_ < source_.size() && (c == ' ' || c == '\t' || c == '\f'); c = look()) {
      column = c == ' ' ? column + 1 : c == '\t' ? (column / 8 + 1) * 8 : 0;
      ++at_;
    }
    if (look() == '#') {
      while (at_ < source_.size() && look() != '\n' && look() != '\r') ++at_;
    }
    if (at_ >= source_.size()) return make(Kind::end, at_);
    if (look() == '\n' || look() == '\r') {
      ++at_;
      continue;
    }
    fresh_line_ = false;
    if (column > indents_.back()) {
      if (indents_.size() >= kDeepestIndent) return fault("too many levels of indentation");
      indents_.push_back(column);
      return make(Kind::indent, begin);
    }
    while (column < indents_.back()) {
      indents_.pop_back();
      ++dedents_;
    }
    if (column != indents_.back()) return fault("an indentation that matches no other level");
    return make(Kind::end, at_);  // nothing special
  }
}

PythonToken PythonLexer::next() {
  if (dedents_ > 0) {
    --dedents_;
    return make(Kind::dedent, at_);
  }
  if (fresh_line_ && !ended_) {
    PythonToken token = line_start();
    if (token.kind == Kind::indent || token.kind == Kind::fault) return token;
    if (dedents_ > 0) return next();
  }
  while (at_ < source_.size()) {
    const char c = look();
    if (c == ' ' || c == '\t' || c == '\f') {
      ++at_;
    } else if (c == '\\' && (look(1) == '\n' || look(1) == '\r')) {
      at_ += look(1) == '\r' && look(2) == '\n' ? std::size_t{3} : 2;
    } else if (c == '#') {
      while (at_ < source_.size() && look() != '\n' && look() != '\r') ++at_;
    } else if (c == '\n' || c == '\r') {
      const std::size_t begin = at_++;
      if (!brackets_.empty() || expression_) continue;
      fresh_line_ = true;
      return make(Kind::newline, begin);
    } else {
      break;
    }
  }
  if (at_ >= source_.size()) {
    if (!ended_) {
      ended_ = true;
      if (!brackets_.empty()) return fault("a bracket that is never closed");
      dedents_ = indents_.size() - 1;
      indents_.resize(1);
      if (!expression_) return make(Kind::newline, at_);
    }
    if (dedents_ > 0) return next();
    return make(Kind::end, at_);
  }
  const std::size_t begin = at_;
  const char c = look();
  if (c == '"' || c == '\'') return string(begin, {});
  if (digit(c) || (c == '.' && digit(look(1)))) return number(begin);
  if (letter(c)) return name(begin);
  return operation(begin);
}

PythonToken PythonLexer::name(std::size_t begin) {
  std::string text;
  bool disguised = false;
  while (at_ < source_.size() && (letter(look()) || digit(look()))) {
    const Decoded next = decode(source_.substr(at_));
    const char plain = next.code < 0x80 ? '\0' : plain_letter(next.code);
    if (plain != '\0') {
      disguised = true;
      text += plain;
    } else {
      text += source_.substr(at_, next.length);
    }
    at_ += next.length;
  }
  if ((look() == '"' || look() == '\'') && text.size() <= 2) {
    const std::string prefix = text::lower(text);
    static constexpr std::array<std::string_view, 11> kPrefixes = {"r",  "u",  "b", "f",  "br", "rb",
                                                                   "fr", "rf", "t", "tr", "rt"};
    if (std::ranges::find(kPrefixes, prefix) != kPrefixes.end()) return string(begin, prefix);
  }
  PythonToken token = make(Kind::name, begin, std::move(text));
  token.disguised = disguised;
  return token;
}

PythonToken PythonLexer::number(std::size_t begin) {
  while (at_ < source_.size()) {
    const char c = look();
    const char before = at_ > begin ? source_[at_ - 1] : '\0';
    const bool hex = begin + 1 < source_.size() && (source_[begin + 1] == 'x' || source_[begin + 1] == 'X');
    const bool sign = (c == '+' || c == '-') && (before == 'e' || before == 'E') && !hex;
    if (!digit(c) && !letter(c) && c != '.' && !sign) break;
    if (static_cast<unsigned char>(c) >= 0x80) break;
    ++at_;
  }
  return make(Kind::number, begin, std::string(source_.substr(begin, at_ - begin)));
}

PythonToken PythonLexer::string(std::size_t begin, std::string_view prefix) {
  const char quote = look();
  const bool triple = look(1) == quote && look(2) == quote;
  at_ += triple ? std::size_t{3} : 1;
  const bool raw = prefix.contains('r');
  const bool bytes = prefix.contains('b');
  const bool format = prefix.contains('f') || prefix.contains('t');
  PythonToken token = make(Kind::text, begin);
  std::string out;
  while (true) {
    if (at_ >= source_.size()) return fault("a text that is never closed");
    const char c = look();
    if (c == quote && (!triple || (look(1) == quote && look(2) == quote))) {
      at_ += triple ? std::size_t{3} : 1;
      break;
    }
    if ((c == '\n' || c == '\r') && !triple) return fault("a text that its line doesn't close");
    if (c == '\\') {
      if (raw) {
        if (out.size() < kKept) out += c;
        ++at_;
        if (at_ < source_.size()) {
          if (out.size() < kKept) out += look();
          ++at_;
        }
      } else {
        escape(out, bytes);
      }
    } else if (format && c == '{') {
      if (look(1) == '{') {
        out += c;
        at_ += 2;
      } else {
        if (!format_part(token, source_.size(), 0)) return fault("a replacement field that is never closed");
        if (out.size() < kKept) out += '\x01';  // stands for a value that is not constant
      }
    } else if (format && c == '}' && look(1) == '}') {
      out += c;
      at_ += 2;
    } else {
      if (out.size() < kKept) out += c;
      ++at_;
    }
  }
  token.text = std::move(out);
  token.at.end = base_ + at_;
  return token;
}

// One {expression!r:format} of an f-string; the position is behind it afterwards.
bool PythonLexer::format_part(PythonToken& token, std::size_t end_of_text, int depth) {
  constexpr int kDeepestFormat = 4;
  ++at_;
  const std::size_t begin = at_;
  std::size_t open = 0;
  bool in_format = false;
  std::size_t end = 0;
  while (at_ < end_of_text) {
    const char c = look();
    if (!in_format && (c == '"' || c == '\'')) {
      const bool triple = look(1) == c && look(2) == c;
      at_ += triple ? std::size_t{3} : 1;
      while (at_ < end_of_text && !(look() == c && (!triple || (look(1) == c && look(2) == c))))
        at_ += look() == '\\' ? std::size_t{2} : 1;
      at_ += triple ? std::size_t{3} : 1;
    } else if (c == '(' || c == '[' || (c == '{' && !in_format)) {
      ++open;
      ++at_;
    } else if (c == '{' && in_format) {
      if (depth >= kDeepestFormat || !format_part(token, end_of_text, depth + 1)) return false;
    } else if (open > 0 && (c == ')' || c == ']' || c == '}')) {
      --open;
      ++at_;
    } else if (c == '}') {
      token.parts.push_back({base_ + begin, base_ + (end != 0 ? end : at_)});
      ++at_;
      return true;
    } else {
      const bool conversion = c == '!' && look(1) != '=';
      if (open == 0 && !in_format && (c == ':' || conversion) && end == 0) {
        end = at_;
        in_format = c == ':';
      } else if (open == 0 && c == ':' && !in_format) {
        in_format = true;
      }
      ++at_;
    }
  }
  return false;
}

void PythonLexer::escape(std::string& out, bool bytes) {
  ++at_;
  if (at_ >= source_.size()) return;
  const char c = look();
  ++at_;
  std::string piece;
  const auto hex = [&](std::size_t most) {
    char32_t value = 0;
    std::size_t count = 0;
    for (; count < most; ++count) {
      const char h = look();
      const int d = h >= '0' && h <= '9'   ? h - '0'
                    : h >= 'a' && h <= 'f' ? h - 'a' + 10
                    : h >= 'A' && h <= 'F' ? h - 'A' + 10
                                           : -1;
      if (d < 0) break;
      value = value * 16 + static_cast<char32_t>(d);
      ++at_;
    }
    return value;
  };
  const auto character = [&](char32_t code) {
    if (bytes) {
      piece += static_cast<char>(code & 0xFF);
    } else {
      append_utf8(piece, code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ? 0xFFFD : code);
    }
  };
  switch (c) {
    case '\n':
      break;
    case '\r':
      if (look() == '\n') ++at_;
      break;
    case 'n':
      piece = "\n";
      break;
    case 't':
      piece = "\t";
      break;
    case 'r':
      piece = "\r";
      break;
    case 'a':
    case 'b':
    case 'f':
    case 'v':
      piece = " ";
      break;
    case 'x':
      character(hex(2));
      break;
    case 'u':
    case 'U':
      if (bytes) {
        piece = std::string("\\") + c;
      } else {
        character(hex(c == 'u' ? 4 : 8));
      }
      break;
    case 'N': {
      const std::size_t close = source_.find('}', at_);
      if (!bytes && look() == '{' && close != std::string_view::npos) {
        at_ = close + 1;
        piece = "?";
      } else {
        piece = "\\N";
      }
      break;
    }
    case '\\':
    case '\'':
    case '"':
      piece = std::string(1, c);
      break;
    default:
      if (c >= '0' && c <= '7') {
        char32_t value = static_cast<char32_t>(c - '0');
        for (int i = 0; i < 2 && look() >= '0' && look() <= '7'; ++i)
          value = value * 8 + static_cast<char32_t>(source_[at_++] - '0');
        character(value);
      } else {
        piece = std::string("\\") + c;
      }
  }
  if (out.size() < kKept) out += piece;
}

PythonToken PythonLexer::operation(std::size_t begin) {
  const char c = look();
  if (c == '(' || c == '[' || c == '{') {
    if (brackets_.size() >= kDeepest) return fault("too many nested brackets");
    brackets_ += c;
  } else if (c == ')' || c == ']' || c == '}') {
    const char open = c == ')' ? '(' : c == ']' ? '[' : '{';
    if (brackets_.empty() || brackets_.back() != open) return fault("a bracket that closes nothing");
    brackets_.pop_back();
  }
  static constexpr std::array<std::string_view, 25> kLong = {
      "**=", "//=", ">>=", "<<=", "...", ":=", "->", "==", "!=", "<=", ">=", "+=", "-=",
      "*=",  "/=",  "%=",  "&=",  "|=",  "^=", "@=", "**", "//", "<<", ">>", "<>"};
  for (const std::string_view op : kLong) {
    if (source_.substr(at_).starts_with(op)) {
      at_ += op.size();
      return make(Kind::op, begin, std::string(op));
    }
  }
  if (!std::string_view("()[]{}+-*/%&|^~<>=.,:;@!").contains(c)) return fault("a character that Python has no use for");
  ++at_;
  return make(Kind::op, begin, std::string(1, c));
}

}  // namespace steelyard::formats
