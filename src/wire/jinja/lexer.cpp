#include "wire/jinja/lexer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "wire/jinja/unicode.hpp"

namespace steelyard::wire::jinja {
namespace {

struct Operator {
  std::string_view text;
  Tok kind;
};

// Longest first.
constexpr std::array<Operator, 26> kOperators = {
    {{"//", Tok::floordiv}, {"**", Tok::pow},   {"==", Tok::eq},      {"!=", Tok::ne},      {">=", Tok::ge},
     {"<=", Tok::le},       {"+", Tok::add},    {"-", Tok::sub},      {"/", Tok::div},      {"*", Tok::mul},
     {"%", Tok::mod},       {"~", Tok::tilde},  {"[", Tok::lbracket}, {"]", Tok::rbracket}, {"(", Tok::lparen},
     {")", Tok::rparen},    {"{", Tok::lbrace}, {"}", Tok::rbrace},   {">", Tok::gt},       {"<", Tok::lt},
     {"=", Tok::assign},    {".", Tok::dot},    {":", Tok::colon},    {"|", Tok::pipe},     {",", Tok::comma},
     {";", Tok::semicolon}}};

bool digit(char c) { return c >= '0' && c <= '9'; }
int hex_digit(char c) {
  return digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

class Lexer {
 public:
  Lexer(std::string_view source, std::vector<std::string>& texts) : texts_(texts) {
    text_.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
      if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') {
        removed_.push_back(static_cast<u32>(text_.size()));
      } else {
        text_ += source[i] == '\r' ? '\n' : source[i];
      }
    }
    if (text_.ends_with('\n')) text_.pop_back();
  }

  std::expected<std::vector<Token>, Refusal> run() {
    while (at_ < text_.size() && !refusal_) root();
    if (refusal_) return std::unexpected(*refusal_);
    push(Tok::end, at_, at_);
    return std::move(tokens_);
  }

 private:
  u32 original(std::size_t at) const {
    return static_cast<u32>(at + static_cast<std::size_t>(std::ranges::upper_bound(removed_, at) - removed_.begin()));
  }

  void refuse(std::size_t at, std::string why, bool budget = false) {
    if (!refusal_) refusal_ = Refusal{original(at), std::move(why), budget};
    at_ = text_.size();
  }

  Token& push(Tok kind, std::size_t begin, std::size_t end) {
    if (tokens_.size() >= kMostTokens) refuse(begin, "more tokens than are read", true);
    Token& token = tokens_.emplace_back();
    token.kind = kind;
    token.begin = original(begin);
    token.end = original(end);
    return token;
  }

  void push_text(Tok kind, std::size_t begin, std::size_t end, std::string text) {
    push(kind, begin, end).text = static_cast<u32>(texts_.size());
    texts_.push_back(std::move(text));
  }

  bool here(std::string_view what, std::size_t at) const { return text_.compare(at, what.size(), what) == 0; }

  std::size_t skip_space(std::size_t at) const {
    while (at < text_.size()) {
      const Character c = character_at(text_, at);
      if (!is_space(c.code)) break;
      at += c.bytes;
    }
    return at;
  }

  // `-%}` with the space behind it, `+%}`, or `%}` with one line break: where it ends, or npos.
  std::size_t closing(std::size_t at, std::string_view end, bool plus) const {
    if (here(end, at))
      return at + end.size() + (end != "}}" && at + end.size() < text_.size() && text_[at + end.size()] == '\n');
    if (at < text_.size() && text_[at] == '-' && here(end, at + 1)) return skip_space(at + 1 + end.size());
    if (plus && at < text_.size() && text_[at] == '+' && here(end, at + 1)) return at + 1 + end.size();
    return std::string::npos;
  }

  // The text before a tag, without the space that the tag takes away.
  void put_data(std::size_t begin, std::size_t end, char sign, bool variable) {
    std::size_t stop = end;
    if (sign == '-') {
      while (stop > begin) {
        const std::size_t previous = previous_character(text_, stop);
        if (previous < begin || !is_space(character_at(text_, previous).code)) break;
        stop = previous;
      }
    } else if (sign != '+' && !variable) {
      const std::size_t line = text_.substr(begin, end - begin).rfind('\n');
      const std::size_t from = line == std::string::npos ? begin : begin + line + 1;
      if ((from > begin || line_starting_) && skip_space(from) >= end) stop = from;
    }
    if (stop > begin) push_text(Tok::data, begin, stop, text_.substr(begin, stop - begin));
  }

  char sign_at(std::size_t at) const {
    return at < text_.size() && (text_[at] == '-' || text_[at] == '+') ? text_[at] : ' ';
  }

  void finish_tag(std::size_t end) {
    line_starting_ = end > 0 && text_[end - 1] == '\n';
    at_ = end;
  }

  void root() {
    std::size_t open = text_.find('{', at_);
    while (open != std::string::npos && !here("{%", open) && !here("{{", open) && !here("{#", open))
      open = text_.find('{', open + 1);
    if (open == std::string::npos) {
      push_text(Tok::data, at_, text_.size(), text_.substr(at_));
      at_ = text_.size();
      return;
    }
    const char sign = sign_at(open + 2);
    const std::size_t inside = open + 2 + (sign != ' ');
    const char what = text_[open + 1];
    put_data(at_, open, sign, what == '{');
    if (what == '#') return comment(inside);
    if (what == '%') {
      std::size_t word = skip_space(inside);
      if (here("raw", word)) {
        word = skip_space(word + 3);
        if (here("%}", word)) return raw(word + 2);
        if (here("-%}", word)) return raw(skip_space(word + 3));
      }
    }
    line_starting_ = false;
    push(what == '%' ? Tok::block_begin : Tok::variable_begin, open, inside);
    at_ = inside;
    tag(what == '{');
  }

  void comment(std::size_t begin) {
    if (begin == text_.size()) return finish_tag(begin);  // Jinja2 takes an opening at the very end for empty
    const std::size_t close = text_.find("#}", begin);
    if (close == std::string::npos) return refuse(begin, "a comment that doesn't end");
    const bool signed_ = close > begin && (text_[close - 1] == '-' || text_[close - 1] == '+');
    finish_tag(closing(signed_ ? close - 1 : close, "#}", true));
  }

  void raw(std::size_t begin) {
    if (begin == text_.size()) return finish_tag(begin);
    line_starting_ = text_[begin - 1] == '\n';
    for (std::size_t open = text_.find("{%", begin); open != std::string::npos; open = text_.find("{%", open + 1)) {
      const char sign = sign_at(open + 2);
      std::size_t word = skip_space(open + 2 + (sign != ' '));
      if (!here("endraw", word)) continue;
      word = skip_space(word + 6);
      const std::size_t end = closing(word, "%}", true);
      if (end == std::string::npos) continue;
      put_data(begin, open, sign, false);
      return finish_tag(end);
    }
    refuse(begin, "a raw block that doesn't end");
  }

  void tag(bool variable) {
    std::string open;  // the closing brackets that are due
    while (at_ < text_.size()) {
      if (open.empty()) {
        const std::size_t end = closing(at_, variable ? "}}" : "%}", !variable);
        if (end != std::string::npos) {
          push(variable ? Tok::variable_end : Tok::block_end, at_, end);
          return finish_tag(end);
        }
      }
      const std::size_t next = skip_space(at_);
      if (next != at_) {
        at_ = next;
      } else if (digit(text_[at_])) {
        number();
      } else if (text_[at_] == '\'' || text_[at_] == '"') {
        string();
      } else if (is_identifier(character_at(text_, at_).code)) {
        const std::size_t begin = at_;
        while (at_ < text_.size()) {
          const Character c = character_at(text_, at_);
          if (!is_identifier(c.code)) break;
          at_ += c.bytes;
        }
        push_text(Tok::name, begin, at_, text_.substr(begin, at_ - begin));
      } else if (!operation(open)) {
        return;
      }
    }
  }

  bool operation(std::string& open) {
    const auto found = std::ranges::find_if(kOperators, [&](const Operator& op) { return here(op.text, at_); });
    if (found == kOperators.end()) {
      refuse(at_, "a character that no expression has");
      return false;
    }
    const char c = found->text[0];
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != c) {
        refuse(at_, fmt::format("a '{}' that closes nothing", c));
        return false;
      }
      open.pop_back();
    }
    push(found->kind, at_, at_ + found->text.size());
    at_ += found->text.size();
    return true;
  }

  // Digits, in groups that single underscores separate: where they end.
  std::size_t digits(std::size_t at, int base) const {
    const auto is = [&](std::size_t i) {
      const int value = i < text_.size() ? hex_digit(text_[i]) : -1;
      return value >= 0 && value < base;
    };
    while (is(at) || (at < text_.size() && text_[at] == '_' && is(at + 1))) ++at;
    return at;
  }

  void number() {
    const std::size_t begin = at_;
    if (begin == 0 || text_[begin - 1] != '.') {
      const std::size_t whole = digits(begin, 10);
      std::size_t end = whole;
      if (end + 1 < text_.size() && text_[end] == '.' && digit(text_[end + 1])) end = digits(end + 1, 10);
      if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
        std::size_t exponent = end + 1;
        if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) ++exponent;
        if (exponent < text_.size() && digit(text_[exponent])) end = digits(exponent, 10);
      }
      if (end > whole) {
        std::string plain = text_.substr(begin, end - begin);
        std::erase(plain, '_');
        double value = 0;
        if (std::from_chars(plain.data(), plain.data() + plain.size(), value).ec != std::errc{})
          value = plain.find('-') == std::string::npos ? HUGE_VAL : 0;
        push(Tok::real, begin, end).real = value;
        at_ = end;
        return;
      }
    }
    int base = 10;
    std::size_t from = begin;
    if (text_[begin] == '0' && begin + 1 < text_.size()) {
      const char letter = static_cast<char>(text_[begin + 1] | 0x20);
      const int other = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
      if (other != 10 && digits(begin + 2, other) > begin + 2) {
        base = other;
        from = begin + 2;
      }
    }
    // A zero in front makes the number end with the zeros.
    std::size_t end = digits(from, base == 10 && text_[begin] == '0' ? 1 : base);
    std::string plain = text_.substr(from, end - from);
    std::erase(plain, '_');
    Token& token = push(Tok::integer, begin, end);
    const auto [_, error] = std::from_chars(plain.data(), plain.data() + plain.size(), token.integer, base);
    if (error != std::errc{}) {
      token.huge = true;
      token.integer = INT64_MAX;
    }
    at_ = end;
  }

  void string() {
    const std::size_t begin = at_;
    std::size_t end = begin + 1;
    while (end < text_.size() && text_[end] != text_[begin]) end += text_[end] == '\\' ? 2U : 1U;
    if (end >= text_.size()) return refuse(begin, "a text without its closing quote");
    at_ = end + 1;
    if (auto decoded = unescape(begin + 1, end)) push_text(Tok::string, begin, end + 1, std::move(*decoded));
  }

  // Python's unicode-escape; names of characters (\N{…}) aren't known here.
  std::optional<std::string> unescape(std::size_t at, std::size_t end) {
    std::string out;
    while (at < end) {
      if (text_[at] != '\\') {
        out += text_[at++];
        continue;
      }
      const char c = text_[at + 1];
      constexpr std::string_view kPlain = "\\'\"abfnrtv";
      constexpr std::string_view kMeant = "\\'\"\a\b\f\n\r\t\v";
      if (const std::size_t which = kPlain.find(c); which != std::string_view::npos) {
        out += kMeant[which];
        at += 2;
      } else if (c == '\n') {
        at += 2;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const std::size_t count = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        u32 code = 0;
        for (std::size_t i = 0; i < count; ++i) {
          const int value = at + 2 + i < end ? hex_digit(text_[at + 2 + i]) : -1;
          if (value < 0) {
            refuse(at, "an escape without its digits");
            return std::nullopt;
          }
          code = code << 4 | static_cast<u32>(value);
        }
        if (code > 0x10FFFF) {
          refuse(at, "an escape beyond the last character");
          return std::nullopt;
        }
        append_character(out, code);
        at += 2 + count;
      } else if (c >= '0' && c <= '7') {
        u32 code = 0;
        std::size_t i = at + 1;
        for (; i < end && i < at + 4 && text_[i] >= '0' && text_[i] <= '7'; ++i)
          code = code << 3 | static_cast<u32>(text_[i] - '0');
        append_character(out, code);
        at = i;
      } else if (c == 'N') {
        refuse(at, "a character given by its name");
        return std::nullopt;
      } else {
        out += text_[at++];
      }
    }
    return out;
  }

  std::string text_;
  std::vector<u32> removed_;  // offsets in text_ before which a carriage return was taken out
  std::vector<std::string>& texts_;
  std::vector<Token> tokens_;
  std::optional<Refusal> refusal_;
  std::size_t at_ = 0;
  bool line_starting_ = true;
};

}  // namespace

std::expected<std::vector<Token>, Refusal> tokenize(std::string_view source, std::vector<std::string>& texts) {
  return Lexer(source, texts).run();
}

}  // namespace steelyard::wire::jinja
