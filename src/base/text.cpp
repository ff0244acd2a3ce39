#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

namespace steelyard::text {
namespace {

struct Decoded {
  char32_t code = 0;
  std::size_t length = 0;  // 0: not UTF-8 here
};

// One character of well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, no surrogates.
Decoded decode(std::string_view rest) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || rest.size() < length) return {};
  char32_t code = first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3Fu);
  }
  static constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {};
  return {code, length};
}

bool hidden(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xAD || code == 0x61C || code == 0x115F ||
         code == 0x1160 || code == 0x17B4 || code == 0x17B5 || (code >= 0x180B && code <= 0x180F) ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0x3164 || (code >= 0xFE00 && code <= 0xFE0F) || code == 0xFEFF ||
         code == 0xFFA0 || (code >= 0xFFF0 && code <= 0xFFFB) || (code >= 0x1D173 && code <= 0x1D17A) ||
         (code >= 0xE0000 && code <= 0xE0FFF);
}

void escape(std::string& out, char32_t code) {
  if (code == '\n') {
    out += "\\n";
  } else if (code == '\r') {
    out += "\\r";
  } else if (code == '\t') {
    out += "\\t";
  } else if (code < 0x80) {
    out += fmt::format("\\x{:02x}", static_cast<u32>(code));
  } else {
    out += fmt::format("\\u{{{:x}}}", static_cast<u32>(code));
  }
}

template <class OnCharacter, class OnByte>
void walk(std::string_view bytes, OnCharacter on_character, OnByte on_byte) {
  while (!bytes.empty()) {
    const Decoded next = decode(bytes);
    const std::size_t length = std::max<std::size_t>(next.length, 1);
    const bool go_on = next.length == 0 ? on_byte(static_cast<unsigned char>(bytes[0]))
                                        : on_character(next.code, bytes.substr(0, length));
    if (!go_on) return;
    bytes.remove_prefix(length);
  }
}

}  // namespace

bool valid_utf8(std::string_view bytes) {
  bool valid = true;
  walk(bytes, [](char32_t, std::string_view) { return true; }, [&](unsigned char) { return valid = false; });
  return valid;
}

std::string display(std::string_view bytes, std::size_t columns) {
  std::string out;
  std::size_t shown = 0;
  const auto room = [&] {
    if (columns == 0 || shown++ < columns) return true;
    out += "…";
    return false;
  };
  walk(
      bytes,
      [&](char32_t code, std::string_view raw) {
        if (!room()) return false;
        if (hidden(code)) {
          escape(out, code);
        } else {
          out += raw;
        }
        return true;
      },
      [&](unsigned char byte) {
        if (!room()) return false;
        out += fmt::format("\\x{:02x}", byte);
        return true;
      });
  return out;
}

bool has_hidden(std::string_view bytes) {
  bool found = false;
  walk(
      bytes,
      [&](char32_t code, std::string_view) {
        found = hidden(code) && code != '\n' && code != '\r' && code != '\t';
        return !found;
      },
      [&](unsigned char) {
        found = true;
        return false;
      });
  return found;
}

json::Value to_value(std::string_view bytes) {
  if (valid_utf8(bytes)) return json::Value(bytes);
  std::string out;
  walk(
      bytes,
      [&](char32_t code, std::string_view raw) {
        out += code == '\\' ? std::string_view("\\\\") : raw;
        return true;
      },
      [&](unsigned char byte) {
        out += fmt::format("\\x{:02x}", byte);
        return true;
      });
  return json::Value().set("escaped", std::move(out));
}

std::string prefix(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return std::string(text.substr(0, bytes));
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = std::exchange(row[0], i + 1);
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t replaced = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
      }
    }
    if (row.back() < least) {
      least = row.back();
      best = candidate;
    }
  }
  return best;
}

std::string lower(std::string_view ascii) {
  std::string out(ascii);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

namespace {
std::string scaled(u64 number, double step, std::span<const char* const> units, const char* separator) {
  double value = static_cast<double>(number);
  std::size_t unit = 0;
  while (value >= step && unit + 1 < units.size()) {
    value /= step;
    ++unit;
  }
  return unit == 0 ? fmt::format("{}{}{}", number, separator, units[0]) : fmt::format("{:.1f} {}", value, units[unit]);
}
}  // namespace

std::string human_bytes(u64 bytes) {
  static constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  return scaled(bytes, 1024, kUnits, " ");
}

std::string human_count(u64 count) {
  static constexpr std::array kUnits = {"", "k", "M", "B", "T"};
  return scaled(count, 1000, kUnits, "");
}

}  // namespace steelyard::text
