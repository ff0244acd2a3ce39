#include "base/json.hpp"

#include <algorithm>
#include <charconv>

namespace steelyard::json {
namespace {

bool exact(i64 number) { return number >= -kLargestInteger && number <= kLargestInteger; }

template <class T>
const T& content(const auto& data) {
  static const T empty{};
  const T* held = std::get_if<T>(&data);
  return held ? *held : empty;
}

void append_quoted(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20) {
          out += "\\u00";
          out += kHex[byte >> 4];
          out += kHex[byte & 15];
        } else {
          out += c;
        }
      }
    }
  }
  out += '"';
}

// Order of UTF-16 code units for valid UTF-8: that of bytes, except that U+E000..U+FFFF (first
// byte 0xEE or 0xEF) sort after the surrogates that stand for U+10000 and up (0xF0..0xF4).
bool utf16_less(std::string_view a, std::string_view b) {
  const auto [x, y] = std::ranges::mismatch(a, b);
  if (x == a.end() || y == b.end()) return y != b.end();
  const auto rank = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0xEE || byte == 0xEF ? byte + 0x10 : byte;
  };
  return rank(*x) < rank(*y);
}

struct Style {
  bool sorted;
  bool lines;
};

void write(std::string& out, const Value& value, Style style, std::size_t depth) {
  const auto newline = [&](std::size_t level) {
    if (style.lines) out.append("\n").append(2 * level, ' ');
  };
  const auto list = [&](char open, char close, const auto& items, const auto& each) {
    out += open;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out += ',';
      first = false;
      newline(depth + 1);
      each(item);
    }
    if (!first) newline(depth);
    out += close;
  };
  if (value.is_null()) {
    out += "null";
  } else if (value.is_bool()) {
    out += value.boolean() ? "true" : "false";
  } else if (value.is_integer()) {
    out += std::to_string(value.integer());
  } else if (value.is_string()) {
    append_quoted(out, value.string());
  } else if (value.is_array()) {
    list('[', ']', value.array(), [&](const Value& item) { write(out, item, style, depth + 1); });
  } else {
    std::vector<const Member*> members;
    for (const auto& member : value.object()) members.push_back(&member);
    if (style.sorted)
      std::ranges::stable_sort(members, utf16_less, [](const Member* m) -> std::string_view { return m->first; });
    list('{', '}', members, [&](const Member* member) {
      append_quoted(out, member->first);
      out += style.lines ? ": " : ":";
      write(out, member->second, style, depth + 1);
    });
  }
}

std::string written(const Value& value, Style style) {
  std::string out;
  write(out, value, style, 0);
  return out;
}

}  // namespace

Value::Value(i64 number) {
  if (exact(number)) {
    data_ = number;
  } else {
    data_ = std::to_string(number);
  }
}

Value::Value(u64 number) {
  if (number <= static_cast<u64>(kLargestInteger)) {
    data_ = static_cast<i64>(number);
  } else {
    data_ = std::to_string(number);
  }
}

bool Value::boolean() const { return content<bool>(data_); }
i64 Value::integer() const { return content<i64>(data_); }
const std::string& Value::string() const { return content<std::string>(data_); }
const Array& Value::array() const { return content<Array>(data_); }
const Object& Value::object() const { return content<Object>(data_); }

const Value* Value::find(std::string_view key) const {
  for (const auto& [name, value] : object()) {
    if (name == key) return &value;
  }
  return nullptr;
}

const Value& Value::operator[](std::string_view key) const {
  static const Value null;
  const Value* found = find(key);
  return found ? *found : null;
}

std::optional<u64> Value::unsigned_integer() const {
  if (is_integer()) return integer() >= 0 ? std::optional(static_cast<u64>(integer())) : std::nullopt;
  const std::string& digits = string();
  u64 number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

Value& Value::set(std::string key, Value value) {
  if (!is_object()) data_ = Object{};
  std::get<Object>(data_).emplace_back(std::move(key), std::move(value));
  return *this;
}

Value& Value::push(Value value) {
  if (!is_array()) data_ = Array{};
  std::get<Array>(data_).push_back(std::move(value));
  return *this;
}

std::string canonical(const Value& value) { return written(value, {.sorted = true, .lines = false}); }
std::string pretty(const Value& value) { return written(value, {.sorted = false, .lines = true}); }
std::string compact(const Value& value) { return written(value, {.sorted = false, .lines = false}); }

std::string quote(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

}  // namespace steelyard::json
