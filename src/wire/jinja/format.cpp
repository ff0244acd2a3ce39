// Python's two ways of formatting: `"%s" % x` and `"{}".format(x)`.
//
// Attack resisted: fields that reach an object's inside ("{0.__class__}") and widths without end.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "wire/jinja/machine.hpp"
#include "wire/jinja/unicode.hpp"

namespace steelyard::wire::jinja::texts {
namespace {

struct Spec {
  char fill = ' ';
  char align = 0;
  bool plus = false;
  bool space = false;
  bool zero = false;
  bool alternate = false;
  bool grouped = false;
  i64 width = 0;
  i64 precision = -1;
  char type = 0;
};

i64 read_number(Machine& m, std::string_view text, std::size_t& at) {
  i64 value = 0;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    value = value * 10 + (text[at++] - '0');
    if (value > (i64{1} << 20)) m.fail("a width beyond reason", Stop::oversized);
  }
  return value;
}

std::string digits(double value, const Spec& spec, char type) {
  const int precision = static_cast<int>(std::clamp<i64>(spec.precision < 0 ? 6 : spec.precision, 0, 100));
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return "inf";
  if (type == '%') return fmt::format("{:.{}f}%", value * 100, precision);
  if (type == 'e' || type == 'E') return fmt::format("{:.{}e}", value, precision);
  if (type == 'g' || type == 'G') return fmt::format("{:.{}g}", value, std::max(precision, 1));
  return fmt::format("{:.{}f}", value, precision);
}

std::string based(u64 value, char type) {
  switch (type) {
    case 'x':
      return fmt::format("{:x}", value);
    case 'X':
      return fmt::format("{:X}", value);
    case 'o':
      return fmt::format("{:o}", value);
    case 'b':
      return fmt::format("{:b}", value);
    default:
      return fmt::format("{}", value);
  }
}

std::string grouped(std::string text) {
  const std::size_t end = std::min(text.find('.'), text.size());
  for (std::size_t at = end; at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

// A number as the type says, with sign, padding and grouping.
std::string numeric(Machine& m, const Value& value, const Spec& spec) {
  const bool whole = value.type != Type::real;
  const char type = spec.type;
  std::string body;
  bool negative = false;
  const bool floating =
      type == 'f' || type == 'F' || type == 'e' || type == 'E' || type == 'g' || type == 'G' || type == '%';
  if (floating || !whole) {
    const double number_value = value.number();
    negative = std::signbit(number_value);
    if (!floating && spec.precision < 0) {
      body = number(std::fabs(number_value));
    } else {
      body = digits(std::fabs(number_value), spec, floating ? type : 'g');
    }
  } else {
    negative = value.whole() < 0;
    const u64 magnitude = negative ? ~static_cast<u64>(value.whole()) + 1 : static_cast<u64>(value.whole());
    if (type == 'c') {
      if (negative || magnitude > 0x10FFFF) m.fail("not a character");
      append_character(body, static_cast<u32>(magnitude));
      return body;
    }
    body = based(magnitude, type);
    if (spec.alternate && (type == 'x' || type == 'X' || type == 'o' || type == 'b'))
      body = std::string("0") + type + body;
  }
  if (spec.grouped) body = grouped(std::move(body));
  const std::string sign = negative ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  if (spec.zero) {
    const i64 missing = spec.width - static_cast<i64>(body.size() + sign.size());
    if (missing > 0) body.insert(0, static_cast<std::size_t>(missing), '0');
  }
  return sign + body;
}

void put_padded(Machine& m, Text& out, const Text& text, const Spec& spec, char align, Labels labels) {
  const i64 size = static_cast<i64>(count_characters(text.bytes));
  const i64 missing = std::max<i64>(0, spec.width - size);
  const i64 left = align == '<' ? 0 : align == '>' ? missing : missing / 2;
  const Run computed{0, kComputedSource, 0, labels, false};
  m.arena().charge(static_cast<u64>(missing) + text.bytes.size() + sizeof(Run));
  m.burn(1 + static_cast<u64>(missing) / 64);
  out.append(std::string(static_cast<std::size_t>(left), spec.fill), computed);
  out.append(text);
  out.append(std::string(static_cast<std::size_t>(missing - left), spec.fill), computed);
}

}  // namespace

Text* percent(Machine& m, const Value& format, const Values& args, const Value* mapping) {
  Text* out = m.arena().make<Text>();
  const std::string_view text = format.view();
  std::size_t used = 0;
  std::size_t at = 0;
  m.burn(1 + text.size() / 16);
  m.arena().charge(text.size());
  while (at < text.size()) {
    const std::size_t sign = std::min(text.find('%', at), text.size());
    out->append(*format.text, at, sign, format.control);
    if (sign == text.size()) break;
    at = sign + 1;
    Value value;
    bool named = false;
    if (at < text.size() && text[at] == '(') {
      const std::size_t close = text.find(')', at);
      if (close == std::string_view::npos || mapping == nullptr) m.fail("format requires a mapping");
      const Value* found = mapping->dict->find(text.substr(at + 1, close - at - 1));
      if (found == nullptr) m.fail("the key isn't in the mapping");
      value = *found;
      named = true;
      at = close + 1;
    }
    Spec spec;
    for (; at < text.size(); ++at) {
      if (text[at] == '-') {
        spec.align = '<';
      } else if (text[at] == '0') {
        spec.zero = true;
      } else if (text[at] == '+') {
        spec.plus = true;
      } else if (text[at] == ' ') {
        spec.space = true;
      } else if (text[at] == '#') {
        spec.alternate = true;
      } else {
        break;
      }
    }
    const auto next = [&]() -> const Value& {
      if (used >= args.size()) m.fail("not enough arguments for the format");
      return args[used++];
    };
    const auto size = [&]() -> i64 {
      if (at >= text.size() || text[at] != '*') return read_number(m, text, at);
      ++at;
      const Value& given = next();
      if (given.type != Type::integer || given.integer > (i64{1} << 20))
        m.fail("a width beyond reason", Stop::oversized);
      return given.integer;
    };
    spec.width = size();
    if (at < text.size() && text[at] == '.') {
      ++at;
      spec.precision = size();
    }
    while (at < text.size() && (text[at] == 'l' || text[at] == 'h' || text[at] == 'L')) ++at;
    if (at >= text.size()) m.fail("incomplete format");
    spec.type = text[at++];
    if (spec.type == '%') {
      out->append("%", {0, kComputedSource, 0, 0, false});
      continue;
    }
    if (!named) value = next();
    const Labels labels = value.control | format.labels;
    Text piece;
    if (spec.type == 's' || spec.type == 'r' || spec.type == 'a' || (spec.type == 'c' && value.is_text())) {
      if (spec.type == 'r' || spec.type == 'a') {
        m.repr(piece, value);
      } else {
        m.str(piece, value);
      }
      if (spec.precision >= 0) {
        Text cut;
        cut.append(piece, 0, offset_of(piece.bytes, static_cast<std::size_t>(spec.precision)));
        put_padded(m, *out, cut, spec, spec.align == '<' ? '<' : '>', labels);
        continue;
      }
    } else {
      if (!value.is_number()) m.fail("a number is required");
      if (spec.type == 'd' || spec.type == 'i' || spec.type == 'u') {
        spec.type = 'd';
        if (value.type == Type::real) {
          if (std::fabs(value.real) > 9e18) m.fail("a number beyond 64 bits", Stop::oversized);
          value = m.arena().integer(static_cast<i64>(value.real), value.labels);
        }
      } else if (std::string_view("xXobeEfFgGc").find(spec.type) == std::string_view::npos) {
        m.fail("unsupported format character");
      }
      if (spec.align == '<') spec.zero = false;
      piece.append(numeric(m, value, spec), {0, kComputedSource, 0, value.labels, false});
    }
    put_padded(m, *out, piece, spec, spec.align == '<' ? '<' : '>', labels);
  }
  if (mapping == nullptr && used < args.size()) m.fail("not all arguments converted");
  return out;
}

Text* format(Machine& m, u32 node, const Value& format, const Call& call) {
  Text* out = m.arena().make<Text>();
  const std::string_view text = format.view();
  std::size_t automatic = 0;
  std::optional<bool> manual;  // whether fields are numbered
  std::size_t at = 0;
  m.burn(1 + text.size() / 16);
  m.arena().charge(text.size());
  while (at < text.size()) {
    const std::size_t brace = std::min(text.find_first_of("{}", at), text.size());
    out->append(*format.text, at, brace, format.control);
    if (brace == text.size()) break;
    at = brace + 1;
    if (at < text.size() && text[at] == text[brace]) {
      out->append(*format.text, brace, at, format.control);
      ++at;
      continue;
    }
    if (text[brace] == '}') m.fail("a single '}' in the format");
    // The field's end, over fields inside its specification.
    std::size_t end = at;
    for (int depth = 1; end < text.size(); ++end) {
      depth += text[end] == '{' ? 1 : text[end] == '}' ? -1 : 0;
      if (depth == 0) break;
    }
    if (end >= text.size()) m.fail("a '{' that isn't closed");
    const std::string_view field = text.substr(at, end - at);
    at = end + 1;
    const std::size_t name_end = std::min(field.find_first_of("!:"), field.size());
    std::string_view name = field.substr(0, name_end);
    char conversion = 0;
    std::size_t rest = name_end;
    if (rest < field.size() && field[rest] == '!') {
      conversion = rest + 1 < field.size() ? field[rest + 1] : 0;
      rest += 2;
    }
    const std::string_view spec_text = rest < field.size() && field[rest] == ':' ? field.substr(rest + 1) : "";
    const std::size_t base_end = std::min(name.find_first_of(".["), name.size());
    const std::string_view base = name.substr(0, base_end);
    Value value;
    if (base.empty() || base.find_first_not_of("0123456789") == std::string_view::npos) {
      std::size_t index = automatic;
      if (manual && *manual == base.empty()) m.fail("numbered and unnumbered fields can't be mixed");
      manual = !base.empty();
      if (base.empty()) {
        ++automatic;
      } else if (std::from_chars(base.data(), base.data() + base.size(), index).ec != std::errc{}) {
        m.fail("an argument of that number");
      }
      if (index >= call.args.size()) m.fail("an argument that isn't there");
      value = call.args[index];
    } else {
      const auto found = std::ranges::find(call.keywords, base, &std::pair<std::string_view, Value>::first);
      if (found == call.keywords.end()) m.fail("an argument that isn't there");
      value = found->second;
    }
    for (name.remove_prefix(base_end); !name.empty();) {
      if (name[0] == '.') {
        const std::size_t stop = std::min(name.find_first_of(".[", 1), name.size());
        value = m.attribute(node, value, name.substr(1, stop - 1));
        name.remove_prefix(stop);
      } else {
        const std::size_t close = name.find(']');
        if (name[0] != '[' || close == std::string_view::npos) m.fail("a field that can't be read");
        const std::string_view key = name.substr(1, close - 1);
        i64 index = 0;
        const auto [stop, error] = std::from_chars(key.data(), key.data() + key.size(), index);
        const bool number_key = error == std::errc{} && stop == key.data() + key.size();
        value = m.item(node, value, number_key ? m.arena().integer(index) : m.arena().literal(std::string(key), 0));
        name.remove_prefix(close + 1);
      }
    }
    Spec spec;
    std::size_t i = 0;
    const auto is_align = [&](std::size_t where) {
      return where < spec_text.size() && std::string_view("<>^=").find(spec_text[where]) != std::string_view::npos;
    };
    if (is_align(1)) {
      spec.fill = spec_text[0];
      spec.align = spec_text[1];
      i = 2;
    } else if (is_align(0)) {
      spec.align = spec_text[0];
      i = 1;
    }
    if (i < spec_text.size() && (spec_text[i] == '+' || spec_text[i] == '-' || spec_text[i] == ' ')) {
      spec.plus = spec_text[i] == '+';
      spec.space = spec_text[i] == ' ';
      ++i;
    }
    if (i < spec_text.size() && spec_text[i] == '#') spec.alternate = true, ++i;
    if (i < spec_text.size() && spec_text[i] == '0') spec.zero = spec.align == 0, ++i;
    spec.width = read_number(m, spec_text, i);
    if (i < spec_text.size() && (spec_text[i] == ',' || spec_text[i] == '_')) spec.grouped = true, ++i;
    if (i < spec_text.size() && spec_text[i] == '.') {
      ++i;
      spec.precision = read_number(m, spec_text, i);
    }
    if (i < spec_text.size()) spec.type = spec_text[i++];
    if (i < spec_text.size()) m.fail("a format that can't be read");
    Text piece;
    if (conversion == 'r' || conversion == 'a') {
      m.repr(piece, value);
    } else if (value.is_number() && conversion == 0 && value.type != Type::boolean) {
      piece.append(numeric(m, value, spec), {0, kComputedSource, 0, value.labels, false});
    } else {
      m.str(piece, value);
      if (spec.precision >= 0) {
        Text cut;
        cut.append(piece, 0, offset_of(piece.bytes, static_cast<std::size_t>(spec.precision)));
        put_padded(m, *out, cut, spec, spec.align != 0 ? spec.align : '<', value.control | format.labels);
        continue;
      }
    }
    const char align = spec.align != 0 ? spec.align : value.is_number() && conversion == 0 ? '>' : '<';
    put_padded(m, *out, piece, spec, align, value.control | format.labels);
  }
  return out;
}

}  // namespace steelyard::wire::jinja::texts
