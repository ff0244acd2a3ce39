#include "wire/pickle_text.hpp"

#include <cstdlib>
#include <cstring>
#include <limits>

namespace steelyard::wire::pickle {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void put_utf8(std::string& out, u32 code) {
  const auto add = [&](u32 byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xc0 | (code >> 6));
    add(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    add(0xe0 | (code >> 12));
    add(0x80 | ((code >> 6) & 0x3f));
    add(0x80 | (code & 0x3f));
  } else {
    add(0xf0 | (code >> 18));
    add(0x80 | ((code >> 12) & 0x3f));
    add(0x80 | ((code >> 6) & 0x3f));
    add(0x80 | (code & 0x3f));
  }
}

bool space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// A C string: what is behind a NUL is not there.
std::string_view c_string(std::string_view line) { return line.substr(0, line.find('\0')); }

constexpr std::size_t kMostDigits = 4300;  // sys.get_int_max_str_digits()
constexpr std::size_t kUnlimitedDigits = 640;

// PyLong_FromString.
std::optional<Number> from_string(std::string_view text, int base) {
  std::size_t i = 0;
  const auto at = [&](std::size_t k) { return k < text.size() ? text[k] : '\0'; };
  while (space(at(i))) ++i;
  bool negative = false;
  if (at(i) == '+' || at(i) == '-') negative = text[i++] == '-';
  bool must_be_zero = false;
  if (base == 0) {
    const char letter = static_cast<char>(at(i + 1) | 0x20);
    base = at(i) != '0' ? 10 : letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    must_be_zero = base == 10 && at(i) == '0';
    if (base != 10) {
      i += 2;
      if (at(i) == '_') ++i;
    }
  }
  if (at(i) == '_') return std::nullopt;
  std::size_t digits = 0;
  bool small = true;
  bool zero = true;
  u64 value = 0;
  char previous = '\0';
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '_') {
      if (previous == '_') return std::nullopt;
    } else {
      const int digit = hex_digit(c);
      if (digit < 0 || digit >= base) break;
      ++digits;
      zero = zero && digit == 0;
      if (__builtin_mul_overflow(value, static_cast<u64>(base), &value) ||
          __builtin_add_overflow(value, static_cast<u64>(digit), &value))
        small = false;
    }
    previous = c;
  }
  if (digits == 0 || previous == '_' || (must_be_zero && !zero)) return std::nullopt;
  if (base == 10 && digits > kUnlimitedDigits && digits > kMostDigits) return std::nullopt;
  while (space(at(i))) ++i;
  if (i < text.size()) return std::nullopt;
  constexpr auto kMost = static_cast<u64>(std::numeric_limits<i64>::max());
  if (!small || value > kMost + (negative ? 1 : 0)) return Number{0, false, false};
  return Number{static_cast<i64>(negative ? 0 - value : value), true, false};
}

}  // namespace

void TextCheck::add(std::string_view part) {
  if (encoding_ == Encoding::any || !valid_) return;
  const char* at = part.data();
  const char* end = at + part.size();
  while (at < end) {
    if (missing_ == 0) {
      // Long runs of ASCII, eight bytes at a time.
      while (end - at >= 8) {
        u64 word = 0;
        std::memcpy(&word, at, 8);
        if ((word & 0x8080808080808080u) != 0) break;
        at += 8;
      }
      if (at == end) return;
    }
    const auto byte = static_cast<u8>(*at++);
    if (missing_ > 0) {
      if (byte < low_ || byte > high_) {
        valid_ = false;
        return;
      }
      low_ = 0x80;
      high_ = 0xbf;
      --missing_;
      continue;
    }
    if (byte < 0x80) continue;
    if (encoding_ == Encoding::ascii || byte < 0xc2 || byte > 0xf4) {
      valid_ = false;
      return;
    }
    missing_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte == 0xe0) low_ = 0xa0;
    if (byte == 0xed && encoding_ == Encoding::utf8) high_ = 0x9f;
    if (byte == 0xf0) low_ = 0x90;
    if (byte == 0xf4) high_ = 0x8f;
  }
}

bool in_encoding(std::string_view text, Encoding encoding) {
  TextCheck check(encoding);
  check.add(text);
  return check.whole();
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    switch (const char c = text[i]) {
      case '\n':
        break;
      case '\\':
      case '\'':
      case '"':
        out += c;
        break;
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 't':
        out += '\t';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 'v':
        out += '\v';
        break;
      case 'a':
        out += '\a';
        break;
      case 'x': {
        const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
        break;
      }
      default:
        if (c >= '0' && c <= '7') {
          u32 value = 0;
          std::size_t digits = 0;
          while (digits < 3 && i + digits < text.size() && text[i + digits] >= '0' && text[i + digits] <= '7')
            value = value * 8 + static_cast<u32>(text[i + digits++] - '0');
          out += static_cast<char>(value & 0xff);
          i += digits - 1;
        } else {
          out += '\\';
          out += c;
        }
    }
  }
  return out;
}

std::optional<std::string> unescape_unicode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      put_utf8(out, static_cast<u8>(text[i]));
      continue;
    }
    if (++i == text.size()) {
      out += '\\';
      break;
    }
    if (text[i] != 'u' && text[i] != 'U') {
      out += '\\';
      put_utf8(out, static_cast<u8>(text[i]));
      continue;
    }
    const std::size_t digits = text[i] == 'u' ? 4 : 8;
    if (text.size() - i - 1 < digits) return std::nullopt;
    u32 code = 0;
    for (std::size_t k = 1; k <= digits; ++k) {
      const int digit = hex_digit(text[i + k]);
      if (digit < 0) return std::nullopt;
      code = code * 16 + static_cast<u32>(digit);
    }
    if (code > 0x10ffff) return std::nullopt;
    put_utf8(out, code);
    i += digits;
  }
  return out;
}

std::string from_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) put_utf8(out, static_cast<u8>(c));
  return out;
}

std::optional<Number> parse_int(std::string_view line) {
  const std::string text(c_string(line));
  if (line.empty()) return std::nullopt;
  // strtol with base 0, which takes C's octal numbers.
  errno = 0;
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 0);
  if (errno == 0 && *end == '\0') return Number{value, true, line.size() == 2 && (value == 0 || value == 1)};
  return from_string(text, 0);
}

std::optional<Number> parse_long(std::string_view line) {
  if (line.empty()) return std::nullopt;
  if (line.back() == 'L') line.remove_suffix(1);
  return from_string(c_string(line), 0);
}

std::optional<Number> parse_index(std::string_view line) {
  if (line.empty()) return std::nullopt;
  return from_string(c_string(line), 10);
}

std::optional<double> parse_float(std::string_view line) {
  const std::string_view text = c_string(line);
  std::size_t i = 0;
  const auto at = [&](std::size_t k) { return k < text.size() ? text[k] : '\0'; };
  const auto word = [&](std::string_view lower) {
    for (std::size_t k = 0; k < lower.size(); ++k)
      if ((at(i + k) | 0x20) != lower[k]) return false;
    return true;
  };
  if (at(i) == '+' || at(i) == '-') ++i;
  const double sign = at(0) == '-' ? -1.0 : 1.0;
  if (word("inf"))
    return i + 3 == text.size() || (word("infinity") && i + 8 == text.size())
               ? std::optional(sign * std::numeric_limits<double>::infinity())
               : std::nullopt;
  if (word("nan")) return i + 3 == text.size() ? std::optional(std::numeric_limits<double>::quiet_NaN()) : std::nullopt;
  const auto digits = [&] {
    const std::size_t begin = i;
    while (at(i) >= '0' && at(i) <= '9') ++i;
    return i - begin;
  };
  std::size_t count = digits();
  if (at(i) == '.') {
    ++i;
    count += digits();
  }
  if (count == 0) return std::nullopt;
  if ((at(i) | 0x20) == 'e') {
    ++i;
    if (at(i) == '+' || at(i) == '-') ++i;
    if (digits() == 0) return std::nullopt;
  }
  if (i != text.size()) return std::nullopt;
  const double value = std::strtod(std::string(text).c_str(), nullptr);
  if (value == std::numeric_limits<double>::infinity() || value == -std::numeric_limits<double>::infinity())
    return std::nullopt;
  return value;
}

}  // namespace steelyard::wire::pickle
