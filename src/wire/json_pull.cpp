#include "wire/json_pull.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace steelyard::wire {

int JsonPull::look() {
  const Bytes next = in_.peek(1);
  return next.empty() ? -1 : std::to_integer<int>(next[0]);
}

int JsonPull::take() {
  const int c = look();
  if (c >= 0) in_.skip(1, "JSON");
  return c;
}

void JsonPull::spaces() {
  for (int c = look(); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = look()) take();
}

JsonPull::Token JsonPull::refuse(std::string why) {
  in_.fail("JSON", std::move(why));
  return Token::fault;
}

JsonPull::Token JsonPull::next() {
  if (!in_.ok()) return Token::fault;
  spaces();
  begin_ = in_.offset();
  if (expect_ == Expect::done) return look() < 0 ? Token::end : refuse("something follows the value");
  int c = take();
  if (c < 0) return refuse("the text ends early");
  const auto close = [&](char open, Token token) {
    if (stack_.empty() || stack_.back() != open) return refuse("a bracket closes what isn't open");
    stack_.pop_back();
    expect_ = stack_.empty() ? Expect::done : Expect::after_value;
    return token;
  };
  if (expect_ == Expect::after_value) {
    if (c == '}') return close('{', Token::end_object);
    if (c == ']') return close('[', Token::end_array);
    if (c != ',') return refuse("expected a comma or the end of the list");
    spaces();
    begin_ = in_.offset();
    expect_ = stack_.back() == '{' ? Expect::key : Expect::value;
    c = take();
    if (c < 0) return refuse("the text ends early");
  } else if (expect_ == Expect::first_key && c == '}') {
    return close('{', Token::end_object);
  } else if (expect_ == Expect::first_item && c == ']') {
    return close('[', Token::end_array);
  }
  if (expect_ == Expect::key || expect_ == Expect::first_key) {
    if (c != '"') return refuse("expected a key in quotes");
    if (string(Token::key) == Token::fault) return Token::fault;
    spaces();
    if (take() != ':') return refuse("expected a colon after the key");
    expect_ = Expect::value;
    return Token::key;
  }
  return value(static_cast<char>(c));
}

JsonPull::Token JsonPull::value(char first) {
  if (first == '{' || first == '[') {
    const std::size_t deepest = dialect_ == Dialect::python ? kDeepestPython : kDeepest;
    if (stack_.size() >= deepest) return refuse(fmt::format("nested deeper than {} levels", deepest));
    stack_ += first;
    expect_ = first == '{' ? Expect::first_key : Expect::first_item;
    return first == '{' ? Token::object : Token::array;
  }
  expect_ = stack_.empty() ? Expect::done : Expect::after_value;
  switch (first) {
    case '"':
      return string(Token::text);
    case 't':
      return word("rue", Token::yes);
    case 'f':
      return word("alse", Token::no);
    case 'n':
      return word("ull", Token::null);
    case 'N':
    case 'I':
      content_ = first == 'N' ? "NaN" : "Infinity";
      if (dialect_ == Dialect::python) return word(std::string_view(content_).substr(1), Token::number);
      [[fallthrough]];
    default:
      return number(first);
  }
}

JsonPull::Token JsonPull::word(std::string_view rest, Token kind) {
  for (const char c : rest) {
    if (take() != c) return refuse("expected a value");
  }
  return kind;
}

JsonPull::Token JsonPull::number(char first) {
  content_.assign(1, first);
  cut_ = false;
  const auto digit = [](int c) { return c >= '0' && c <= '9'; };
  const auto digits = [&] {
    if (!digit(look())) return false;
    while (digit(look())) {
      const int c = take();
      if (content_.size() < keep_) content_ += static_cast<char>(c);
    }
    return true;
  };
  char lead = first;
  if (first == '-') {
    if (dialect_ == Dialect::python && look() == 'I') {
      content_ = "-Infinity";
      return word("Infinity", Token::number);
    }
    if (!digit(look())) return refuse("expected a value");
    lead = static_cast<char>(take());
    content_ += lead;
  } else if (!digit(first)) {
    return refuse("expected a value");
  }
  if (lead == '0' && digit(look())) return refuse("a number with a leading zero");
  digits();
  if (look() == '.') {
    content_ += static_cast<char>(take());
    if (!digits()) return refuse("expected a digit after the point");
  }
  if (look() == 'e' || look() == 'E') {
    content_ += static_cast<char>(take());
    if (look() == '+' || look() == '-') content_ += static_cast<char>(take());
    if (!digits()) return refuse("expected a digit in the exponent");
  }
  return Token::number;
}

// A run of characters that stand for themselves, at once.
void JsonPull::ordinary() {
  constexpr std::size_t kRun = 4096;
  while (true) {
    const std::string_view window = as_text(in_.peek(kRun));
    std::size_t length = 0;
    while (length < window.size() && window[length] >= 0x20 && window[length] != '"' && window[length] != '\\')
      ++length;
    if (length == 0) return;
    const std::size_t kept = std::min(length, keep_ - content_.size());
    content_.append(window.substr(0, kept));
    cut_ = cut_ || kept < length;
    in_.skip(length, "JSON");
  }
}

void JsonPull::put(char c) {
  if (content_.size() < keep_) {
    content_ += c;
  } else {
    cut_ = true;
  }
}

void JsonPull::put(char32_t code) {
  const auto byte = [&](char32_t value) { put(static_cast<char>(value)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | (code >> 6));
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | (code >> 12));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | (code >> 18));
    byte(0x80 | ((code >> 12) & 0x3F));
    byte(0x80 | ((code >> 6) & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

std::optional<u32> JsonPull::hex4() {
  u32 value = 0;
  for (int i = 0; i < 4; ++i) {
    const int c = take();
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<u32>(digit);
  }
  return value;
}

JsonPull::Token JsonPull::string(Token kind) {
  content_.clear();
  cut_ = false;
  // UTF-8 is checked on the raw bytes, also beyond what is kept: carry holds an unfinished character.
  std::string carry;
  bool escaped = false;  // the backslash of an escape has been taken
  while (true) {
    if (!escaped) {
      if (carry.empty()) ordinary();
      const int c = take();
      if (c == '"') break;
      if (c < 0) return refuse("a text without its closing quote");
      if (c < 0x20) return refuse("a control character inside a text");
      if (c >= 0x80) {
        carry += static_cast<char>(c);
        const auto lead = static_cast<unsigned char>(carry[0]);
        const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        if (carry.size() == length) {
          if (!text::valid_utf8(carry)) return refuse("a text that is not UTF-8");
          for (const char byte : carry) put(byte);
          carry.clear();
        }
        continue;
      }
      if (!carry.empty()) return refuse("a text that is not UTF-8");
      if (c != '\\') {
        put(static_cast<char>(c));
        continue;
      }
    }
    escaped = false;
    switch (take()) {
      case '"':
        put('"');
        break;
      case '\\':
        put('\\');
        break;
      case '/':
        put('/');
        break;
      case 'b':
        put('\b');
        break;
      case 'f':
        put('\f');
        break;
      case 'n':
        put('\n');
        break;
      case 'r':
        put('\r');
        break;
      case 't':
        put('\t');
        break;
      case 'u': {
        const auto high = hex4();
        if (!high) return refuse("expected four hex digits after \\u");
        if (*high < 0xD800 || *high >= 0xE000) {
          put(static_cast<char32_t>(*high));
          break;
        }
        constexpr char32_t kReplacement = 0xFFFD;
        const bool lenient = dialect_ == Dialect::python;
        escaped = *high < 0xDC00 && look() == '\\' && take() > 0;
        const bool pair = escaped && look() == 'u' && take() > 0;
        if (pair) escaped = false;
        const auto low = pair ? hex4() : std::nullopt;
        if (low && *low >= 0xDC00 && *low < 0xE000) {
          put(static_cast<char32_t>(0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00)));
          break;
        }
        if (!lenient || (pair && !low)) return refuse("half of a surrogate pair");
        put(kReplacement);
        if (low) put(*low >= 0xD800 && *low < 0xE000 ? kReplacement : static_cast<char32_t>(*low));
        break;
      }
      default:
        return refuse("an unknown escape");
    }
  }
  if (!carry.empty()) return refuse("a text that is not UTF-8");
  return kind;
}

std::optional<u64> JsonPull::unsigned_integer() const {
  u64 value = 0;
  const auto [end, error] = std::from_chars(content_.data(), content_.data() + content_.size(), value);
  if (content_.empty() || error != std::errc{} || end != content_.data() + content_.size()) return std::nullopt;
  return value;
}

void JsonPull::skip(Token first) {
  std::size_t open = first == Token::object || first == Token::array ? 1 : 0;
  while (open > 0) {
    const Token token = next();
    if (token == Token::fault) return;
    if (token == Token::object || token == Token::array) ++open;
    if (token == Token::end_object || token == Token::end_array) --open;
  }
}

}  // namespace steelyard::wire
