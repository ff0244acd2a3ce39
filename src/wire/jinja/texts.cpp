// Python's operations on texts. Each result keeps, byte by byte, where it came from.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "wire/jinja/machine.hpp"
#include "wire/jinja/unicode.hpp"

namespace steelyard::wire::jinja::texts {
namespace {

bool contains_character(std::string_view set, u32 code) {
  for (std::size_t i = 0; i < set.size();) {
    const Character c = character_at(set, i);
    if (c.code == code) return true;
    i += c.bytes;
  }
  return false;
}

bool is_line_break(u32 code) {
  return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 || code == 0x2028 ||
         code == 0x2029;
}

// The piece [begin, end) of `text`, as a value that depends on what the whole depends on.
Value piece(Machine& m, const Value& text, std::size_t begin, std::size_t end, Labels labels) {
  Value out = m.make_text(slice(m, *text.text, begin, end), text.labels | labels);
  out.control = text.control | labels;
  return out;
}

}  // namespace

Text* slice(Machine& m, const Text& text, std::size_t begin, std::size_t end) {
  Text* out = m.arena().make<Text>();
  if (begin < end) {
    m.arena().charge(end - begin);
    m.burn(1 + (end - begin) / 64);
    out->append(text, begin, end);
  }
  out->markup = text.markup;
  return out;
}

void transform(Text& out, const Text& text, const std::function<std::optional<std::string>(u32)>& change) {
  std::size_t at = 0;
  std::size_t kept = 0;  // unchanged bytes from here to `at` are still to be written
  std::size_t run = 0;
  std::size_t run_end = text.runs.empty() ? 0 : text.runs[0].length;
  const std::string_view bytes = text.bytes;
  while (at < bytes.size()) {
    const Character c = character_at(bytes, at);
    while (at >= run_end && run + 1 < text.runs.size()) run_end += text.runs[++run].length;
    if (auto changed = change(c.code)) {
      out.append(text, kept, at);
      Run where = text.runs[run];
      if (where.exact && where.source != kComputedSource) where.offset += static_cast<u32>(at + where.length - run_end);
      where.exact = false;
      out.append(*changed, where);
      kept = at + c.bytes;
    }
    at += c.bytes;
  }
  out.append(text, kept, bytes.size());
}

Text* map(Machine& m, const Text& text, u32 (*change)(u32)) {
  m.arena().charge(text.bytes.size());
  m.burn(1 + text.bytes.size() / 16);
  Text* out = m.arena().make<Text>();
  transform(*out, text, [&](u32 code) -> std::optional<std::string> {
    const u32 other = change(code);
    if (other == code) return std::nullopt;
    std::string changed;
    append_character(changed, other);
    return changed;
  });
  return out;
}

std::pair<std::size_t, std::size_t> stripped(std::string_view text, const Value* characters, bool left, bool right) {
  const auto goes = [&](u32 code) {
    return characters != nullptr ? contains_character(characters->view(), code) : is_space(code);
  };
  std::size_t begin = 0;
  std::size_t end = text.size();
  while (left && begin < end) {
    const Character c = character_at(text, begin);
    if (!goes(c.code)) break;
    begin += c.bytes;
  }
  while (right && end > begin) {
    const std::size_t previous = previous_character(text, end);
    if (!goes(character_at(text, previous).code)) break;
    end = previous;
  }
  return {begin, end};
}

Values split(Machine& m, const Value& text, const Value* separator, i64 most, bool from_right) {
  const std::string_view bytes = text.view();
  m.burn(1 + bytes.size() / 16);
  std::vector<std::pair<std::size_t, std::size_t>> pieces;
  const Labels labels = separator != nullptr ? separator->labels : 0;
  const auto room = [&] { return most < 0 || pieces.size() < static_cast<std::size_t>(most); };
  if (separator == nullptr) {
    std::size_t at = 0;
    std::size_t end = bytes.size();
    while (true) {
      const auto [begin, stop] = stripped(bytes.substr(at, end - at), nullptr, true, true);
      if (begin == stop) break;
      const std::size_t first = at + begin;
      if (!room()) {
        pieces.emplace_back(from_right ? at : first, from_right ? at + stop : end);
        break;
      }
      if (from_right) {
        std::size_t from = at + stop;
        while (from > at && !is_space(character_at(bytes, previous_character(bytes, from)).code))
          from = previous_character(bytes, from);
        pieces.emplace_back(from, at + stop);
        end = from;
      } else {
        std::size_t to = first;
        while (to < end && !is_space(character_at(bytes, to).code)) to += character_at(bytes, to).bytes;
        pieces.emplace_back(first, to);
        at = to;
      }
    }
  } else {
    const std::string_view sep = separator->view();
    if (sep.empty()) m.fail("empty separator");
    std::size_t begin = 0;
    std::size_t end = bytes.size();
    while (room()) {
      const std::size_t found = from_right
                                    ? (end < sep.size() ? std::string_view::npos : bytes.substr(0, end).rfind(sep))
                                    : bytes.find(sep, begin);
      if (found == std::string_view::npos) break;
      if (from_right) {
        pieces.emplace_back(found + sep.size(), end);
        end = found;
      } else {
        pieces.emplace_back(begin, found);
        begin = found + sep.size();
      }
    }
    pieces.emplace_back(begin, end);
  }
  if (from_right) std::ranges::reverse(pieces);
  Values out;
  m.burn(pieces.size());
  for (const auto& [begin, end] : pieces) out.push_back(piece(m, text, begin, end, labels));
  return out;
}

Values lines(Machine& m, const Value& text, bool keep_ends) {
  Values out;
  const std::string_view bytes = text.view();
  m.burn(1 + bytes.size() / 16);
  std::size_t begin = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const Character c = character_at(bytes, at);
    std::size_t next = at + c.bytes;
    if (is_line_break(c.code)) {
      if (c.code == '\r' && next < bytes.size() && bytes[next] == '\n') ++next;
      out.push_back(piece(m, text, begin, keep_ends ? next : at, 0));
      begin = next;
    }
    at = next;
  }
  if (begin < bytes.size()) out.push_back(piece(m, text, begin, bytes.size(), 0));
  return out;
}

Text* replace(Machine& m, const Value& text, const Value& old, const Value& fresh, i64 most) {
  const std::string_view bytes = text.view();
  const std::string_view what = old.view();
  const Labels labels = text.labels | old.labels | fresh.control;
  Text* out = m.arena().make<Text>();
  out->markup = text.text->markup;
  std::size_t at = 0;
  const auto put = [&] {
    m.arena().charge(fresh.text->bytes.size() + sizeof(Run));
    m.burn(1);
    out->append(*fresh.text, labels);
  };
  while (most != 0) {
    if (what.empty()) {
      put();
      if (at >= bytes.size()) break;
      const std::size_t next = at + character_at(bytes, at).bytes;
      out->append(*text.text, at, next, text.control);
      at = next;
    } else {
      const std::size_t found = bytes.find(what, at);
      if (found == std::string_view::npos) break;
      out->append(*text.text, at, found, text.control);
      put();
      at = found + what.size();
    }
    if (most > 0) --most;
  }
  m.arena().charge(bytes.size());
  m.burn(1 + bytes.size() / 64);
  if (at < bytes.size()) out->append(*text.text, at, bytes.size(), text.control);
  return out;
}

Text* escape(Machine& m, const Text& text) {
  m.arena().charge(text.bytes.size() * 2);
  m.burn(1 + text.bytes.size() / 16);
  Text* out = m.arena().make<Text>();
  out->markup = true;
  if (text.markup) {
    out->append(text);
    return out;
  }
  transform(*out, text, [](u32 code) -> std::optional<std::string> {
    switch (code) {
      case '&':
        return "&amp;";
      case '<':
        return "&lt;";
      case '>':
        return "&gt;";
      case '\'':
        return "&#39;";
      case '"':
        return "&#34;";
      default:
        return std::nullopt;
    }
  });
  return out;
}

Text* pad(Machine& m, const Value& text, i64 width, std::string_view fill, int side) {
  const i64 length = static_cast<i64>(count_characters(text.view()));
  const i64 missing = std::max<i64>(0, width - length);
  if (missing > (i64{1} << 20)) m.fail("a text padded beyond reason", Stop::oversized);
  m.arena().charge(text.view().size() + static_cast<u64>(missing) * fill.size());
  m.burn(1 + static_cast<u64>(missing) / 64);
  // Python's center puts the odd space to the left when the width is odd.
  const i64 left = side < 0 ? missing : side > 0 ? 0 : missing / 2 + (missing & width & 1);
  Text* out = m.arena().make<Text>();
  const auto put = [&](i64 count) {
    std::string padding;
    for (i64 i = 0; i < count; ++i) padding += fill;
    out->append(padding, {0, kComputedSource, 0, text.labels, false});
  };
  put(left);
  out->append(*text.text);
  put(missing - left);
  return out;
}

Text* title(Machine& m, const Text& text, bool jinja) {
  m.arena().charge(text.bytes.size());
  m.burn(1 + text.bytes.size() / 16);
  Text* out = m.arena().make<Text>();
  bool first = true;
  transform(*out, text, [&](u32 code) -> std::optional<std::string> {
    const bool breaks = jinja
                            ? code == '-' || code == '(' || code == '{' || code == '[' || code == '<' || is_space(code)
                            : !is_letter(code);
    const u32 other = breaks ? code : first ? to_upper(code) : to_lower(code);
    first = breaks;
    if (other == code) return std::nullopt;
    std::string changed;
    append_character(changed, other);
    return changed;
  });
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 64> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  const std::string_view shortest(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const std::size_t e = shortest.find('e');
  int exponent = 0;
  std::from_chars(shortest.data() + e + 1 + (shortest[e + 1] == '+'), end, exponent);
  std::string digits;
  for (const char c : shortest.substr(0, e)) {
    if (c >= '0' && c <= '9') digits += c;
  }
  const std::string sign = shortest[0] == '-' ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    std::string out = sign + digits[0];
    if (digits.size() > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= whole) return sign + digits + std::string(whole - digits.size(), '0') + ".0";
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

// A fixed moment, so that runs can be repeated: Wednesday, 15 July 2026, 13:45:30.
std::string strftime(std::string_view format) {
  static const std::map<std::string_view, std::string_view> kParts = {
      {"Y", "2026"},  {"y", "26"},       {"m", "07"},        {"d", "15"},         {"B", "July"},
      {"b", "Jul"},   {"h", "Jul"},      {"A", "Wednesday"}, {"a", "Wed"},        {"H", "13"},
      {"I", "01"},    {"M", "45"},       {"S", "30"},        {"p", "PM"},         {"j", "196"},
      {"-d", "15"},   {"-m", "7"},       {"-H", "13"},       {"-I", "1"},         {"e", "15"},
      {"Z", ""},      {"z", ""},         {"w", "3"},         {"u", "3"},          {"f", "000000"},
      {"%", "%"},     {"n", "\n"},       {"t", "\t"},        {"F", "2026-07-15"}, {"T", "13:45:30"},
      {"R", "13:45"}, {"D", "07/15/26"}, {"x", "07/15/26"},  {"X", "13:45:30"},   {"c", "Wed Jul 15 13:45:30 2026"},
      {"C", "20"},    {"U", "28"},       {"W", "28"},        {"V", "29"},         {"G", "2026"},
      {"k", "13"},    {"l", " 1"},       {"s", "1784123130"}};
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    const std::size_t size = format[i + 1] == '-' && i + 2 < format.size() ? 2 : 1;
    const auto found = kParts.find(format.substr(i + 1, size));
    if (found == kParts.end()) {
      out += format.substr(i, size + 1);
    } else {
      out += found->second;
    }
    i += size;
  }
  return out;
}

void quote(Text& out, const Text& text) {
  const bool double_quotes = text.bytes.contains('\'') && !text.bytes.contains('"');
  const std::string mark = double_quotes ? "\"" : "'";
  const Run computed{0, kComputedSource, 0, 0, false};
  out.append(mark, computed);
  transform(out, text, [&](u32 code) -> std::optional<std::string> {
    if (code == '\\') return "\\\\";
    if (code == '\n') return "\\n";
    if (code == '\r') return "\\r";
    if (code == '\t') return "\\t";
    if (code == '\'' && !double_quotes) return "\\'";
    if (code < 0x20 || (code >= 0x7F && code < 0xA1) || code == 0xAD) return fmt::format("\\x{:02x}", code);
    if ((code >= 0x2000 && code <= 0x200F) || (code >= 0x2028 && code <= 0x202F) ||
        (code >= 0x205F && code <= 0x206F) || code == 0x1680 || code == 0x3000 || code == 0xFEFF ||
        (code >= 0xD800 && code <= 0xF8FF))
      return fmt::format("\\u{:04x}", code);
    if (code >= 0xE0000) return fmt::format("\\U{:08x}", code);
    return std::nullopt;
  });
  out.append(mark, computed);
}

void json(Text& out, const Text& text, bool ascii) {
  const Run computed{0, kComputedSource, 0, 0, false};
  out.append("\"", computed);
  transform(out, text, [&](u32 code) -> std::optional<std::string> {
    switch (code) {
      case '"':
        return "\\\"";
      case '\\':
        return "\\\\";
      case '\n':
        return "\\n";
      case '\r':
        return "\\r";
      case '\t':
        return "\\t";
      case '\b':
        return "\\b";
      case '\f':
        return "\\f";
      default:
        break;
    }
    if (code < 0x20) return fmt::format("\\u{:04x}", code);
    if (!ascii || code < 0x80) return std::nullopt;
    if (code < 0x10000) return fmt::format("\\u{:04x}", code);
    return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
  });
  out.append("\"", computed);
}

}  // namespace steelyard::wire::jinja::texts
