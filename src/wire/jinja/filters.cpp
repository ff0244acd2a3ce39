// The filters over single values. Those over rows are in filters_rows.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "wire/jinja/machine.hpp"
#include "wire/jinja/unicode.hpp"

namespace steelyard::wire::jinja {

Function find_row_filter(std::string_view name);

namespace {

using Args = std::vector<std::optional<Value>>;

// The filter's operand as a text, with what it depends on.
Value soft(Machine& m, const Value& self) { return self.is_text() ? self : m.make_text(m.str(self), self.labels); }
Value derived(Machine& m, Text* text, const Value& self, Labels more = 0) {
  Value out = m.make_text(text, self.labels | more);
  out.control = self.control | more;
  return out;
}
bool truth(Machine& m, const std::optional<Value>& value, bool otherwise) {
  Labels labels = 0;
  return value ? m.truthy(*value, labels) : otherwise;
}
i64 whole(Machine& m, const std::optional<Value>& value, i64 otherwise) {
  if (!value || value->type == Type::none) return otherwise;
  if (value->type != Type::integer && value->type != Type::boolean) m.fail("a whole number is needed");
  return value->whole();
}

template <u32 (*change)(u32)>
Value cased(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  const Value text = soft(m, self);
  return derived(m, texts::map(m, *text.text, change), text);
}

Value capitalize(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  const Value text = soft(m, self);
  Text* out = m.arena().make<Text>();
  bool first = true;
  texts::transform(*out, *text.text, [&](u32 code) -> std::optional<std::string> {
    const u32 other = std::exchange(first, false) ? to_upper(code) : to_lower(code);
    if (other == code) return std::nullopt;
    std::string changed;
    append_character(changed, other);
    return changed;
  });
  return derived(m, out, text);
}

Value title(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  const Value text = soft(m, self);
  return derived(m, texts::title(m, *text.text, true), text);
}

Value trim(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"chars"});
  const Value text = soft(m, self);
  const Value* chars = args[0] && args[0]->is_text() ? &*args[0] : nullptr;
  const auto [begin, end] = texts::stripped(text.view(), chars, true, true);
  return derived(m, texts::slice(m, *text.text, begin, end), text);
}

Value string(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  return soft(m, self);
}

Value safe(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  const Value text = soft(m, self);
  Text* out = m.arena().make<Text>();
  m.arena().charge(text.view().size());
  out->append(*text.text);
  out->markup = true;
  return derived(m, out, text);
}

Value escape(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  const Value text = soft(m, self);
  return derived(m, texts::escape(m, *text.text), text);
}

Value force_escape(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  const Value text = soft(m, self);
  Text plain;
  plain.append(*text.text);
  return derived(m, texts::escape(m, plain), text);
}

Value replace(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"old", "new", "count"}, 2);
  const Value text = soft(m, self);
  const Value old = soft(m, *args[0]);
  m.observer().compared(call.node, text, old);
  Value out = m.make_text(texts::replace(m, text, old, soft(m, *args[1]), whole(m, args[2], -1)),
                          text.labels | old.labels | args[1]->labels);
  return out;
}

Value truncate(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"length", "killwords", "end", "leeway"});
  const Value text = soft(m, self);
  const Value end = args[2] ? soft(m, *args[2]) : m.arena().literal("...", 0);
  const i64 length = whole(m, args[0], 255);
  const i64 size = static_cast<i64>(count_characters(text.view()));
  const i64 end_size = static_cast<i64>(count_characters(end.view()));
  if (length < end_size) m.fail("a length below that of the end");
  if (size <= length + whole(m, args[3], 5)) return text;
  std::size_t to = offset_of(text.view(), static_cast<std::size_t>(length - end_size));
  if (!truth(m, args[1], false)) {
    if (const std::size_t space = text.view().substr(0, to).rfind(' '); space != std::string_view::npos) to = space;
  }
  Text* out = texts::slice(m, *text.text, 0, to);
  out->append(*end.text, text.labels);
  return derived(m, out, text);
}

Value center(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"width"});
  const Value text = soft(m, self);
  return derived(m, texts::pad(m, text, whole(m, args[0], 80), " ", 0), text);
}

Value indent(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"width", "first", "blank"});
  if (!self.is_text()) m.fail("only a text can be indented");
  const bool first = truth(m, args[1], false);
  const bool blank = truth(m, args[2], false);
  Value unit = m.arena().literal("", 0);
  if (args[0] && args[0]->is_text()) {
    unit = *args[0];
  } else {
    unit = derived(m, texts::pad(m, unit, whole(m, args[0], 4), " ", -1), self);
  }
  Text* out = m.arena().make<Text>();
  Text* whole_text = m.arena().make<Text>();
  whole_text->append(*self.text);
  whole_text->append("\n", {0, kComputedSource, 0, 0, false});
  const Values lines = texts::lines(m, m.make_text(whole_text, self.labels), false);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out->append("\n", {0, kComputedSource, 0, self.labels, false});
    if (i == 0 ? first : blank || !lines[i].view().empty()) {
      m.arena().charge(unit.view().size());
      out->append(*unit.text);
    }
    out->append(*lines[i].text);
  }
  return derived(m, out, self);
}

Value wordwrap(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  const Value text = soft(m, self);
  const i64 width = whole(m, args[0], 79);
  if (width <= 0) m.fail("a width of zero");
  // Words of each line, filled greedily; longer words are cut.
  Text* out = m.arena().make<Text>();
  const Run line_break{0, kComputedSource, 0, text.labels, false};
  const std::string wrap = args[2] && args[2]->is_text() ? args[2]->text->bytes : "\n";
  bool first_line = true;
  for (const Value& line : texts::lines(m, text, false)) {
    if (!std::exchange(first_line, false)) out->append(wrap, line_break);
    i64 used = 0;
    for (const Value& word : texts::split(m, line, nullptr, -1, false)) {
      const i64 size = static_cast<i64>(count_characters(word.view()));
      m.arena().charge(word.view().size() + wrap.size());
      if (used > 0 && used + 1 + size > width) {
        out->append(wrap, line_break);
        used = 0;
      } else if (used > 0) {
        out->append(" ", line_break);
        ++used;
      }
      out->append(*word.text);
      used += size;
    }
  }
  return derived(m, out, text);
}

Value wordcount(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  const Value text = soft(m, self);
  i64 words = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.view().size();) {
    const Character c = character_at(text.view(), at);
    const bool word = is_identifier(c.code);
    words += word && !inside;
    inside = word;
    at += c.bytes;
  }
  Value out = m.arena().integer(words, text.labels);
  out.is_length = true;
  return out;
}

Value striptags(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  const Value text = soft(m, self);
  Text bare;
  const std::string_view bytes = text.view();
  m.arena().charge(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t open = std::min(bytes.find('<', at), bytes.size());
    bare.append(*text.text, at, open);
    const std::size_t close = open == bytes.size() ? std::string_view::npos : bytes.find('>', open);
    if (close == std::string_view::npos) {
      bare.append(*text.text, open, bytes.size());
      break;
    }
    at = close + 1;
  }
  Text* whole_text = m.arena().make<Text>();
  whole_text->append(bare);
  Text* out = m.arena().make<Text>();
  bool first = true;
  for (const Value& word : texts::split(m, m.make_text(whole_text, text.labels), nullptr, -1, false)) {
    if (!std::exchange(first, false)) out->append(" ", {0, kComputedSource, 0, 0, false});
    out->append(*word.text);
  }
  return derived(m, out, text);
}

Value urlencode(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  const Value text = soft(m, self);
  Text* out = m.arena().make<Text>();
  m.arena().charge(3 * text.view().size());
  texts::transform(*out, *text.text, [](u32 code) -> std::optional<std::string> {
    constexpr std::string_view kKept = "_.-~/";
    if ((code >= '0' && code <= '9') || (code < 0x80 && is_letter(code)) ||
        (code < 0x80 && kKept.find(static_cast<char>(code)) != std::string_view::npos))
      return std::nullopt;
    std::string bytes;
    append_character(bytes, code);
    std::string quoted;
    for (const char c : bytes) quoted += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return quoted;
  });
  return derived(m, out, text);
}

// Marks the text as changed: the exact HTML doesn't matter here.
Value urlize(Machine& m, const Value& self, Call&) {
  const Value text = soft(m, self);
  Text* out = m.arena().make<Text>();
  m.arena().charge(text.view().size());
  out->append(text.view(), {0, kComputedSource, 0, text.labels, false});
  return derived(m, out, text);
}

Value pprint(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  Text* out = m.arena().make<Text>();
  m.repr(*out, self);
  return derived(m, out, self);
}

Value tojson(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"ensure_ascii", "indent", "separators", "sort_keys"});
  std::optional<std::string> indent;
  if (args[1] && args[1]->is_text()) indent = args[1]->text->bytes;
  if (args[1] && args[1]->type == Type::integer)
    indent = std::string(static_cast<std::size_t>(std::clamp<i64>(args[1]->integer, 0, 64)), ' ');
  std::string comma = indent ? "," : ", ";
  std::string colon = ": ";
  if (args[2] && args[2]->is_row() && args[2]->list->items.size() == 2) {
    comma = args[2]->list->items[0].view();
    colon = args[2]->list->items[1].view();
  }
  Text* out = m.arena().make<Text>();
  m.json(*out, self, truth(m, args[0], false), indent, comma, colon, truth(m, args[3], false));
  return derived(m, out, self);
}

Value absolute(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  if (!self.is_number()) m.fail("not a number");
  if (self.type == Type::real) return m.arena().real(std::fabs(self.real), self.labels);
  return m.arena().integer(self.whole() < 0 ? -self.whole() : self.whole(), self.labels);
}

Value integer(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"default", "base"});
  const Value otherwise = args[0] ? *args[0] : m.arena().integer(0);
  if (self.type == Type::integer || self.type == Type::boolean) return m.arena().integer(self.whole(), self.labels);
  if (self.type == Type::real)
    return std::fabs(self.real) < 9e18 ? m.arena().integer(static_cast<i64>(self.real), self.labels) : otherwise;
  if (!self.is_text()) return otherwise.with(self.labels);
  const auto [begin, end] = texts::stripped(self.view(), nullptr, true, true);
  std::string digits(self.view().substr(begin, end - begin));
  std::erase(digits, '_');
  if (digits.starts_with('+')) digits.erase(0, 1);
  i64 value = 0;
  const i64 base = std::clamp<i64>(whole(m, args[1], 10), 2, 36);
  const auto [stop, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, static_cast<int>(base));
  if (error == std::errc{} && stop == digits.data() + digits.size()) return m.arena().integer(value, self.labels);
  double real = 0;
  const auto [real_stop, real_error] = std::from_chars(digits.data(), digits.data() + digits.size(), real);
  if (real_error == std::errc{} && real_stop == digits.data() + digits.size() && std::fabs(real) < 9e18)
    return m.arena().integer(static_cast<i64>(real), self.labels);
  return otherwise.with(self.labels, self.labels);
}

Value real(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"default"});
  const Value otherwise = args[0] ? *args[0] : m.arena().real(0);
  if (self.is_number()) return m.arena().real(self.number(), self.labels);
  if (!self.is_text()) return otherwise.with(self.labels);
  const auto [begin, end] = texts::stripped(self.view(), nullptr, true, true);
  double value = 0;
  const char* last = self.view().data() + end;
  const auto [stop, error] = std::from_chars(self.view().data() + begin, last, value);
  if (error == std::errc{} && stop == last) return m.arena().real(value, self.labels);
  return otherwise.with(self.labels, self.labels);
}

Value round(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"precision", "method"});
  if (!self.is_number()) m.fail("not a number");
  const double scale = std::pow(10.0, static_cast<double>(whole(m, args[0], 0)));
  const std::string_view method = args[1] ? args[1]->view() : "common";
  const double scaled = self.number() * scale;
  if (method == "common" && self.type != Type::real) return self;
  const double out = method == "ceil"    ? std::ceil(scaled)
                     : method == "floor" ? std::floor(scaled)
                                         : std::nearbyint(scaled);
  return m.arena().real(out / scale, self.labels);
}

Value otherwise(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"default_value", "boolean"});
  Labels labels = shape_of(self.labels) | self.control;
  bool use = self.type == Type::undefined;
  if (!use && truth(m, args[1], false)) use = !m.truthy(self, labels);
  if (!use) return self;
  return (args[0] ? *args[0] : m.arena().literal("", 0)).with(labels, labels);
}

Value attr(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"name"}, 1);
  if (!args[0]->is_text()) return m.arena().undefined();
  if (args[0]->labels != 0) m.observer().escaped(call.node, "");
  // Attributes only: a dict's items aren't.
  if (self.type == Type::dict && !args[0]->view().starts_with('_') && find_method(self, args[0]->view()) == nullptr)
    return m.arena().undefined();
  return m.attribute(call.node, self, args[0]->view());
}

Value percent_format(Machine& m, const Value& self, Call& call) {
  const Value text = soft(m, self);
  if (!call.args.empty() && !call.keywords.empty()) m.fail("format takes either kind of arguments");
  Labels labels = text.labels;
  for (const Value& value : call.args) labels |= value.labels;
  if (call.keywords.empty()) return m.make_text(texts::percent(m, text, call.args, nullptr), labels);
  Value mapping = m.arena().dict();
  for (const auto& [name, value] : call.keywords) {
    mapping.dict->set(m.arena().literal(std::string(name), 0), value);
    labels |= value.labels;
  }
  return m.make_text(texts::percent(m, text, {}, &mapping), labels);
}

Value filesize(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"binary"});
  if (!self.is_number()) m.fail("not a number");
  const bool binary = truth(m, args[0], false);
  const double base = binary ? 1024 : 1000;
  double value = self.number();
  if (value == 1) return m.arena().computed("1 Byte", self.labels);
  if (value < base) return m.arena().computed(fmt::format("{} Bytes", static_cast<i64>(value)), self.labels);
  constexpr std::string_view kUnits = "kMGTPEZY";
  std::size_t unit = 0;
  for (value /= base; value >= base && unit + 1 < kUnits.size(); value /= base) ++unit;
  const char letter = binary && unit == 0 ? 'K' : kUnits[unit];
  return m.arena().computed(fmt::format("{:.1f} {}{}B", value, letter, binary ? "i" : ""), self.labels);
}

Value xmlattr(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"autospace"});
  if (self.type != Type::dict) m.fail("xmlattr takes a dict");
  Text* out = m.arena().make<Text>();
  const Run computed{0, kComputedSource, 0, self.labels, false};
  for (const auto& [key, value] : self.dict->items) {
    if (value.type == Type::none || value.type == Type::undefined) continue;
    if (!out->bytes.empty() || truth(m, args[0], true)) out->append(" ", computed);
    m.str(*out, key);
    out->append("=\"", computed);
    out->append(*texts::escape(m, *m.str(value)));
    out->append("\"", computed);
    m.arena().charge(out->bytes.size());
  }
  return derived(m, out, self);
}

constexpr std::array<std::pair<std::string_view, Function>, 31> kFilters = {{
    {"abs", absolute},
    {"attr", attr},
    {"capitalize", capitalize},
    {"center", center},
    {"d", otherwise},
    {"default", otherwise},
    {"e", escape},
    {"escape", escape},
    {"filesizeformat", filesize},
    {"float", real},
    {"forceescape", force_escape},
    {"format", percent_format},
    {"indent", indent},
    {"int", integer},
    {"lower", cased<to_lower>},
    {"pprint", pprint},
    {"replace", replace},
    {"round", round},
    {"safe", safe},
    {"string", string},
    {"striptags", striptags},
    {"title", title},
    {"tojson", tojson},
    {"trim", trim},
    {"truncate", truncate},
    {"upper", cased<to_upper>},
    {"urlencode", urlencode},
    {"urlize", urlize},
    {"wordcount", wordcount},
    {"wordwrap", wordwrap},
    {"xmlattr", xmlattr},
}};

}  // namespace

Function find_filter(std::string_view name) {
  const auto found = std::ranges::find(kFilters, name, &std::pair<std::string_view, Function>::first);
  return found == kFilters.end() ? find_row_filter(name) : found->second;
}

}  // namespace steelyard::wire::jinja
