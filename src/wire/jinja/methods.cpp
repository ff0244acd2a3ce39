// The methods of Python's str, dict, list and tuple, and of loops and cyclers.
#include <algorithm>
#include <array>
#include <span>

#include "wire/jinja/machine.hpp"
#include "wire/jinja/unicode.hpp"

namespace steelyard::wire::jinja {
namespace {

using Args = std::vector<std::optional<Value>>;

Value derived(Machine& m, Text* text, const Value& self, Labels more = 0) {
  Value out = m.make_text(text, self.labels | more);
  out.control = self.control | more;
  return out;
}
const Value& text_of(Machine& m, const std::optional<Value>& value) {
  if (!value || !value->is_text()) m.fail("a text is needed");
  return *value;
}
i64 whole(Machine& m, const std::optional<Value>& value, i64 otherwise) {
  if (!value || value->type == Type::none) return otherwise;
  if (value->type != Type::integer && value->type != Type::boolean) m.fail("a whole number is needed");
  return value->whole();
}
// Method arguments are positional.
void plain(Machine& m, const Call& call) {
  if (!call.keywords.empty()) m.fail("the method takes no keywords");
}

template <bool left, bool right>
Value strip(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  const Args args = m.bind(call, {"chars"});
  const Value* chars = args[0] && args[0]->type != Type::none ? &text_of(m, args[0]) : nullptr;
  if (chars != nullptr) m.observer().compared(call.node, self, *chars);
  const auto [begin, end] = texts::stripped(self.view(), chars, left, right);
  return derived(m, texts::slice(m, *self.text, begin, end), self);
}

template <bool from_right>
Value split(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"sep", "maxsplit"});
  const Value* separator = args[0] && args[0]->type != Type::none ? &text_of(m, args[0]) : nullptr;
  if (separator != nullptr) m.observer().compared(call.node, self, *separator);
  return m.arena().list(texts::split(m, self, separator, whole(m, args[1], -1), from_right), self.labels, self.labels);
}

Value splitlines(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"keepends"});
  Labels ignored = 0;
  return m.arena().list(texts::lines(m, self, args[0] && m.truthy(*args[0], ignored)), self.labels, self.labels);
}

template <bool from_right>
Value partition(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  const Args args = m.bind(call, {"sep"}, 1);
  const Value& separator = text_of(m, args[0]);
  if (separator.view().empty()) m.fail("empty separator");
  m.observer().compared(call.node, self, separator);
  const std::string_view bytes = self.view();
  std::size_t at = from_right ? bytes.rfind(separator.view()) : bytes.find(separator.view());
  std::size_t end = at == std::string_view::npos ? 0 : at + separator.view().size();
  if (at == std::string_view::npos) {
    at = from_right ? 0 : bytes.size();
    end = at;
  }
  Values out;
  for (const auto& [from, to] : {std::pair(std::size_t{0}, at), {at, end}, {end, bytes.size()}})
    out.push_back(derived(m, texts::slice(m, *self.text, from, to), self, separator.labels));
  return m.arena().list(std::move(out), self.labels, 0, true);
}

template <bool at_end>
Value begins(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  const Args args = m.bind(call, {"prefix", "start", "end"}, 1);
  Labels labels = self.labels | args[0]->labels | self.control | args[0]->control;
  std::string_view bytes = self.view();
  if (args[1]) {
    const i64 start = whole(m, args[1], 0);
    if (start < 0) m.fail("a negative start");
    bytes.remove_prefix(std::min(bytes.size(), offset_of(bytes, static_cast<std::size_t>(start))));
  }
  const auto matches = [&](const Value& other) {
    if (!other.is_text()) m.fail("a text is needed");
    m.observer().compared(call.node, self, other);
    labels |= other.labels;
    return at_end ? bytes.ends_with(other.view()) : bytes.starts_with(other.view());
  };
  bool outcome = false;
  if (args[0]->type == Type::tuple) {
    for (const Value& other : args[0]->list->items) outcome = matches(other) || outcome;
  } else {
    outcome = matches(*args[0]);
  }
  return m.arena().boolean(outcome, labels);
}

template <bool from_right, bool must>
Value find(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  const Args args = m.bind(call, {"sub", "start", "end"}, 1);
  const Value& what = text_of(m, args[0]);
  m.observer().compared(call.node, self, what);
  m.burn(1 + self.view().size() / 16);
  const std::size_t size = count_characters(self.view());
  const auto clamp = [&](i64 at) {
    if (at < 0) at = std::max<i64>(0, at + static_cast<i64>(size));
    return offset_of(self.view(), static_cast<std::size_t>(at));
  };
  const std::size_t from = clamp(whole(m, args[1], 0));
  const std::size_t to = clamp(whole(m, args[2], static_cast<i64>(size)));
  const std::string_view part = self.view().substr(from, to < from ? 0 : to - from);
  const std::size_t found = from_right ? part.rfind(what.view()) : part.find(what.view());
  if (must && found == std::string_view::npos) m.fail("substring not found");
  const i64 at =
      found == std::string_view::npos ? -1 : static_cast<i64>(count_characters(self.view().substr(0, from + found)));
  return m.arena().integer(at, self.labels | what.labels);
}

Value count(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  const Args args = m.bind(call, {"value"}, 1);
  i64 number = 0;
  Labels labels = self.labels | args[0]->labels;
  if (self.is_text()) {
    const Value& what = text_of(m, args[0]);
    m.observer().compared(call.node, self, what);
    m.burn(1 + self.view().size() / 16);
    if (what.view().empty()) {
      number = static_cast<i64>(count_characters(self.view())) + 1;
    } else {
      for (std::size_t at = self.view().find(what.view()); at != std::string_view::npos;
           at = self.view().find(what.view(), at + what.view().size()))
        ++number;
    }
  } else {
    Labels rows = 0;
    for (const Value& item : m.iterate(self, rows)) {
      labels |= item.labels;
      m.observer().compared(call.node, item, *args[0]);
      number += equal(item, *args[0]);
    }
    labels |= rows;
  }
  return m.arena().integer(number, labels);
}

Value replace(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"old", "new", "count"}, 2);
  const Value& old = text_of(m, args[0]);
  const Value& fresh = text_of(m, args[1]);
  m.observer().compared(call.node, self, old);
  return m.make_text(texts::replace(m, self, old, fresh, whole(m, args[2], -1)),
                     self.labels | old.labels | fresh.labels);
}

template <bool at_end>
Value without(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  const Args args = m.bind(call, {"affix"}, 1);
  const Value& affix = text_of(m, args[0]);
  m.observer().compared(call.node, self, affix);
  const std::size_t size = self.view().size();
  const bool there = at_end ? self.view().ends_with(affix.view()) : self.view().starts_with(affix.view());
  const std::size_t cut = there ? affix.view().size() : 0;
  return derived(m, texts::slice(m, *self.text, at_end ? 0 : cut, at_end ? size - cut : size), self, affix.labels);
}

template <u32 (*change)(u32)>
Value cased(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  return derived(m, texts::map(m, *self.text, change), self);
}

u32 swapped(u32 code) { return to_upper(code) != code ? to_upper(code) : to_lower(code); }

Value title(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  return derived(m, texts::title(m, *self.text, false), self);
}

Value capitalize(Machine& m, const Value& self, Call& call) { return find_filter("capitalize")(m, self, call); }

bool is_digit(u32 code) { return code >= '0' && code <= '9'; }
bool is_alnum(u32 code) { return is_digit(code) || is_letter(code); }
bool is_ascii(u32 code) { return code < 0x80; }
bool is_printable(u32 code) { return code >= 0x20 && (code < 0x7F || code > 0xA0); }

template <bool (*is)(u32), bool of_empty = false>
Value all(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  bool outcome = of_empty || !self.view().empty();
  for (std::size_t at = 0; outcome && at < self.view().size();) {
    const Character c = character_at(self.view(), at);
    outcome = is(c.code);
    at += c.bytes;
  }
  return m.arena().boolean(outcome, self.labels);
}

template <bool upper>
Value is_cased(Machine& m, const Value& self, Call& call) {
  Labels labels = 0;
  const bool outcome = find_test(upper ? "upper" : "lower")(m, self, call, labels);
  return m.arena().boolean(outcome, labels);
}

template <int side>
Value pad(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  const Args args = m.bind(call, {"width", "fillchar"}, 1);
  return derived(m, texts::pad(m, self, whole(m, args[0], 0), args[1] ? args[1]->view() : " ", side), self);
}

Value zfill(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"width"}, 1);
  return derived(m, texts::pad(m, self, whole(m, args[0], 0), "0", -1), self);
}

Value expandtabs(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"tabsize"});
  const i64 size = whole(m, args[0], 8);
  if (size > 1024) m.fail("tabs beyond reason", Stop::oversized);
  Text* out = m.arena().make<Text>();
  i64 column = 0;
  texts::transform(*out, *self.text, [&](u32 code) -> std::optional<std::string> {
    if (code == '\n' || code == '\r') column = 0;
    if (code != '\t') {
      column += code != '\n' && code != '\r';
      return std::nullopt;
    }
    const i64 spaces = size <= 0 ? 0 : size - column % size;
    column += spaces;
    m.arena().charge(static_cast<u64>(spaces));
    return std::string(static_cast<std::size_t>(spaces), ' ');
  });
  return derived(m, out, self);
}

Value join(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  const Args args = m.bind(call, {"iterable"}, 1);
  Labels ignored = 0;
  // Unlike the filter, this wants texts only.
  Values items = m.iterate(*args[0], ignored);
  for (const Value& item : items) {
    if (!item.is_text()) m.fail("only texts can be joined");
  }
  Value row = m.arena().list(std::move(items), args[0]->labels, ignored);
  row.control = args[0]->control;
  Call inner;
  inner.args.push_back(self);
  return find_filter("join")(m, row, inner);
}

Value format(Machine& m, const Value& self, Call& call) {
  Labels labels = self.labels;
  for (const Value& value : call.args) labels |= value.labels;
  for (const auto& [name, value] : call.keywords) labels |= value.labels;
  return m.make_text(texts::format(m, call.node, self, call), labels);
}

Value format_map(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"mapping"}, 1);
  if (args[0]->type != Type::dict) m.fail("a dict is needed");
  Call inner;
  inner.node = call.node;
  for (const auto& [key, value] : args[0]->dict->items) {
    if (key.is_text()) inner.keywords.emplace_back(key.text->bytes, value);
  }
  return format(m, self, inner);
}

Value translate(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"table"}, 1);
  if (args[0]->type != Type::dict) m.fail("a dict is needed");
  Text* out = m.arena().make<Text>();
  m.arena().charge(self.view().size());
  texts::transform(*out, *self.text, [&](u32 code) -> std::optional<std::string> {
    m.burn(1);
    const Value* found = args[0]->dict->find(m.arena().integer(code));
    if (found == nullptr) return std::nullopt;
    std::string changed;
    if (found->is_text()) changed = found->view();
    if (found->type == Type::integer && found->integer >= 0 && found->integer < 0x110000)
      append_character(changed, static_cast<u32>(found->integer));
    return changed;
  });
  return derived(m, out, self, args[0]->labels);
}

Value encode(Machine& m, const Value& self, Call&) {
  m.observer().called(0, "encode");
  return self;
}

// ---- Dicts ----

Value view(Machine& m, Values items, const Value& self, std::string_view shown) {
  const Value out = m.row(std::move(items), self.labels, self.dict->count, shown);
  static_cast<Row*>(out.object)->kind = Row::Kind::view;
  return out;
}

Value dict_items(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  Values out;
  m.burn(self.dict->items.size());
  for (const auto& [key, value] : self.dict->items) out.push_back(m.arena().list({key, value}, 0, 0, true));
  return view(m, std::move(out), self, "dict_items");
}
Value dict_keys(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  Values out;
  for (const auto& item : self.dict->items) out.push_back(item.first);
  return view(m, std::move(out), self, "dict_keys");
}
Value dict_values(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  Values out;
  for (const auto& item : self.dict->items) out.push_back(item.second);
  return view(m, std::move(out), self, "dict_values");
}
Value dict_get(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  const Args args = m.bind(call, {"key", "default"}, 1);
  const Labels labels = args[0]->labels | args[0]->control;
  m.burn(1 + self.dict->items.size() / 8);
  if (labels != 0) {
    for (const auto& item : self.dict->items) m.observer().compared(call.node, item.first, *args[0]);
  }
  if (const Value* found = self.dict->find(*args[0])) return found->with(labels, self.control | labels);
  return (args[1] ? *args[1] : m.arena().none()).with(labels, labels);
}
Value dict_copy(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  Value out = m.arena().dict(self.labels);
  m.arena().charge(self.dict->items.size() * 2 * sizeof(Value));
  out.dict->items = self.dict->items;
  out.dict->count = self.dict->count;
  return out;
}

// ---- Rows, loops, cyclers ----

Value row_index(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  const Args args = m.bind(call, {"value"}, 1);
  Labels labels = args[0]->labels;
  for (std::size_t i = 0; i < self.list->items.size(); ++i) {
    m.observer().compared(call.node, self.list->items[i], *args[0]);
    labels |= self.list->items[i].labels;
    if (equal(self.list->items[i], *args[0])) return m.arena().integer(static_cast<i64>(i), labels);
  }
  m.fail("it isn't in the list");
}
Value row_copy(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  return m.arena().list(self.list->items, self.labels, self.list->count);
}

Value cycle(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  if (call.args.empty()) m.fail("no items to cycle through");
  const Loop& loop = static_cast<const Loop&>(*self.object);
  return call.args[loop.index % call.args.size()].with(loop.count, loop.count);
}
Value changed(Machine& m, const Value& self, Call& call) {
  plain(m, call);
  Loop& loop = static_cast<Loop&>(*self.object);
  const Value now = m.arena().list(call.args, 0, 0, true);
  Labels labels = shape_of(loop.count);
  for (const Value& value : call.args) labels |= value.labels;
  if (loop.changed && equal(*loop.changed, now)) return m.arena().boolean(false, labels);
  loop.changed = now;
  return m.arena().boolean(true, labels);
}
Value cycler_next(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  Cycler& cycler = static_cast<Cycler&>(*self.object);
  const Value out = cycler.items[cycler.index];
  cycler.index = (cycler.index + 1) % cycler.items.size();
  return out;
}
Value cycler_reset(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  static_cast<Cycler&>(*self.object).index = 0;
  return m.arena().none();
}

using Entry = std::pair<std::string_view, Function>;

constexpr std::array<Entry, 46> kTextMethods = {{{"capitalize", capitalize},
                                                 {"casefold", cased<to_lower>},
                                                 {"center", pad<0>},
                                                 {"count", count},
                                                 {"encode", encode},
                                                 {"endswith", begins<true>},
                                                 {"expandtabs", expandtabs},
                                                 {"find", find<false, false>},
                                                 {"format", format},
                                                 {"format_map", format_map},
                                                 {"index", find<false, true>},
                                                 {"isalnum", all<is_alnum>},
                                                 {"isalpha", all<is_letter>},
                                                 {"isascii", all<is_ascii, true>},
                                                 {"isdecimal", all<is_digit>},
                                                 {"isdigit", all<is_digit>},
                                                 {"isidentifier", all<is_identifier>},
                                                 {"islower", is_cased<false>},
                                                 {"isnumeric", all<is_digit>},
                                                 {"isprintable", all<is_printable, true>},
                                                 {"isspace", all<is_space>},
                                                 {"istitle", is_cased<true>},
                                                 {"isupper", is_cased<true>},
                                                 {"join", join},
                                                 {"ljust", pad<1>},
                                                 {"lower", cased<to_lower>},
                                                 {"lstrip", strip<true, false>},
                                                 {"partition", partition<false>},
                                                 {"removeprefix", without<false>},
                                                 {"removesuffix", without<true>},
                                                 {"replace", replace},
                                                 {"rfind", find<true, false>},
                                                 {"rindex", find<true, true>},
                                                 {"rjust", pad<-1>},
                                                 {"rpartition", partition<true>},
                                                 {"rsplit", split<true>},
                                                 {"rstrip", strip<false, true>},
                                                 {"split", split<false>},
                                                 {"splitlines", splitlines},
                                                 {"startswith", begins<false>},
                                                 {"strip", strip<true, true>},
                                                 {"swapcase", cased<swapped>},
                                                 {"title", title},
                                                 {"translate", translate},
                                                 {"upper", cased<to_upper>},
                                                 {"zfill", zfill}}};
constexpr std::array<Entry, 5> kDictMethods = {
    {{"copy", dict_copy}, {"get", dict_get}, {"items", dict_items}, {"keys", dict_keys}, {"values", dict_values}}};
constexpr std::array<Entry, 3> kListMethods = {{{"copy", row_copy}, {"count", count}, {"index", row_index}}};
constexpr std::array<Entry, 2> kLoopMethods = {{{"changed", changed}, {"cycle", cycle}}};
constexpr std::array<Entry, 2> kCyclerMethods = {{{"next", cycler_next}, {"reset", cycler_reset}}};

Function in(std::span<const Entry> table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &Entry::first);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace

Function find_method(const Value& object, std::string_view name) {
  switch (object.type) {
    case Type::text:
      return in(kTextMethods, name);
    case Type::dict:
      return in(kDictMethods, name);
    case Type::list:
      return in(kListMethods, name);
    case Type::tuple:
      return name == "copy" ? nullptr : in(kListMethods, name);
    case Type::object:
      if (object.object->what == Object::What::loop) return in(kLoopMethods, name);
      if (object.object->what == Object::What::cycler) return in(kCyclerMethods, name);
      return nullptr;
    default:
      return nullptr;
  }
}

bool changes_its_object(const Value& object, std::string_view name) {
  constexpr std::array<std::string_view, 5> kDict = {"clear", "pop", "popitem", "setdefault", "update"};
  constexpr std::array<std::string_view, 8> kList = {"append", "clear", "pop",    "reverse",
                                                     "insert", "sort",  "extend", "remove"};
  if (object.type == Type::dict) return std::ranges::find(kDict, name) != kDict.end();
  return object.type == Type::list && std::ranges::find(kList, name) != kList.end();
}

}  // namespace steelyard::wire::jinja
