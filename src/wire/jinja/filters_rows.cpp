// The filters over lists, dicts and iterators.
#include <algorithm>
#include <array>
#include <utility>

#include "wire/jinja/machine.hpp"
#include "wire/jinja/unicode.hpp"

namespace steelyard::wire::jinja {
namespace {

using Args = std::vector<std::optional<Value>>;

bool truth(Machine& m, const std::optional<Value>& value, bool otherwise) {
  Labels labels = 0;
  return value ? m.truthy(*value, labels) : otherwise;
}
i64 whole(Machine& m, const std::optional<Value>& value, i64 otherwise) {
  if (!value || value->type == Type::none) return otherwise;
  if (value->type != Type::integer && value->type != Type::boolean) m.fail("a whole number is needed");
  return value->whole();
}
// For sorting and comparing without regard to case.
Value folded(Machine& m, const Value& value, bool sensitive) {
  if (sensitive || !value.is_text()) return value;
  return m.make_text(texts::map(m, *value.text, to_lower), value.labels);
}
bool given(const std::optional<Value>& value) { return value && value->type != Type::none; }

Value length(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  Labels labels = 0;
  const i64 count = m.length(self, labels);
  Value out = m.arena().integer(count, labels);
  out.is_length = true;
  return out;
}

Value list(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  Labels count = 0;
  Values items = m.iterate(self, count);
  return m.arena().list(std::move(items), self.labels, count);
}

Value first(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  if (self.is_text() && !self.view().empty()) return m.item(call.node, self, m.arena().integer(0));
  Labels count = 0;
  if (self.type == Type::object && self.object->what == Object::What::row) {
    Row& row = static_cast<Row&>(*self.object);
    if (row.items.empty()) return m.arena().undefined(shape_of(row.count) | (row.count & m.world().loops));
    const Value out = row.items.front();
    if (row.kind == Row::Kind::iterator) row.items.erase(row.items.begin());
    return out.with(row.count & m.world().loops, (row.count & m.world().loops) | self.control);
  }
  const Values items = m.iterate(self, count);
  const Labels chosen = count & m.world().loops;
  if (items.empty()) return m.arena().undefined(shape_of(count) | chosen);
  return items.front().with(chosen, chosen);
}

Value last(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  if (self.is_text() && !self.view().empty()) return m.item(call.node, self, m.arena().integer(-1));
  Labels count = 0;
  const Values items = m.iterate(self, count);
  const Labels chosen = count & m.world().loops;
  if (items.empty()) return m.arena().undefined(shape_of(count) | chosen);
  return items.back().with(chosen, chosen);
}

Value random(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  Labels count = 0;
  const Values items = m.iterate(self, count);
  if (items.empty()) return m.arena().undefined();
  return items.front().with(m.world().ambient, m.world().ambient);
}

Value join(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"d", "attribute"});
  Labels count = 0;
  Values items = m.iterate(self, count);
  Labels labels = self.labels | count;
  const Labels chosen = (count & m.world().loops) | self.control;
  Text* out = m.arena().make<Text>();
  const Text* separator = args[0] ? m.str(*args[0]) : nullptr;
  bool empty = true;
  for (Value& item : items) {
    if (given(args[1])) item = m.path(call.node, item, *args[1]);
    labels |= item.labels;
    if (separator != nullptr && !empty) {
      m.arena().charge(separator->bytes.size() + sizeof(Run));
      out->append(*separator, chosen);
    }
    empty = false;
    const std::size_t before = out->bytes.size();
    m.str(*out, item);
    m.arena().charge(out->bytes.size() - before + sizeof(Run));
  }
  Value made = m.make_text(out, labels);
  made.control = chosen;
  return made;
}

Value reverse(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  Labels count = 0;
  Values items = m.iterate(self, count);
  std::ranges::reverse(items);
  if (self.is_text()) {
    Text* out = m.arena().make<Text>();
    for (const Value& item : items) out->append(*item.text);
    Value made = m.make_text(out, self.labels);
    made.control = self.control;
    return made;
  }
  return m.row(std::move(items), self.labels, count, "<list_reverseiterator object>");
}

Value sort(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"reverse", "case_sensitive", "attribute"});
  Labels count = 0;
  const Values items = m.iterate(self, count);
  std::vector<std::string> names;
  if (given(args[2]) && args[2]->is_text()) {
    for (std::string_view rest = args[2]->view(); true; rest.remove_prefix(rest.find(',') + 1)) {
      names.emplace_back(rest.substr(0, rest.find(',')));
      if (rest.find(',') == std::string_view::npos) break;
    }
  }
  struct Keyed {
    Value key;
    Value item;
  };
  std::vector<Keyed> keyed;
  Labels labels = 0;
  const bool sensitive = truth(m, args[1], false);
  for (const Value& item : items) {
    Values keys;
    for (const std::string& name : names)
      keys.push_back(folded(m, m.path(call.node, item, m.arena().literal(name, 0)), sensitive));
    if (names.empty()) keys.push_back(folded(m, given(args[2]) ? m.item(call.node, item, *args[2]) : item, sensitive));
    for (const Value& key : keys) labels |= key.labels;
    keyed.push_back({m.arena().list(std::move(keys)), item});
  }
  // A merge sort whose comparisons may stop the run.
  const bool down = truth(m, args[0], false);
  std::vector<Keyed> other(keyed.size());
  for (std::size_t width = 1; width < keyed.size(); width *= 2) {
    for (std::size_t from = 0; from < keyed.size(); from += 2 * width) {
      std::size_t a = from;
      const std::size_t middle = std::min(from + width, keyed.size());
      std::size_t b = middle;
      const std::size_t end = std::min(from + 2 * width, keyed.size());
      for (std::size_t to = from; to < end; ++to) {
        bool second = a == middle;
        if (a < middle && b < end) {
          const int order = m.compare(keyed[b].key, keyed[a].key);
          second = down ? order > 0 : order < 0;
        }
        other[to] = second ? keyed[b++] : keyed[a++];
      }
    }
    keyed.swap(other);
  }
  Values out;
  for (const Keyed& one : keyed) out.push_back(one.item);
  return m.arena().list(std::move(out), self.labels | labels, count);
}

Value unique(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"case_sensitive", "attribute"});
  Labels count = 0;
  Values seen;
  Values out;
  for (const Value& item : m.iterate(self, count)) {
    const Value key = folded(m, given(args[1]) ? m.path(call.node, item, *args[1]) : item, truth(m, args[0], false));
    count |= key.labels;
    m.burn(1 + seen.size() / 8);
    if (std::ranges::any_of(seen, [&](const Value& one) { return equal(one, key); })) continue;
    seen.push_back(key);
    out.push_back(item);
  }
  return m.row(std::move(out), self.labels, count, "<generator object>");
}

template <int sign>
Value extreme(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"case_sensitive", "attribute"});
  Labels count = 0;
  const Values items = m.iterate(self, count);
  if (items.empty()) return m.arena().undefined();
  const Value* best = &items.front();
  Value best_key;
  Labels labels = count;
  for (const Value& item : items) {
    const Value key = folded(m, given(args[1]) ? m.path(call.node, item, *args[1]) : item, truth(m, args[0], false));
    labels |= key.labels;
    if (&item != &items.front() && m.compare(key, best_key) * sign <= 0) continue;
    best = &item;
    best_key = key;
  }
  return best->with(labels, labels);
}

Value sum(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"attribute", "start"});
  Labels count = 0;
  Value total = args[1] ? *args[1] : m.arena().integer(0);
  for (const Value& item : m.iterate(self, count)) {
    total = m.binary(call.node, Op::add, total, given(args[0]) ? m.path(call.node, item, *args[0]) : item);
  }
  return total.with(count);
}

bool is_iterable(const Value& value) {
  return value.is_text() || value.is_row() || value.type == Type::dict || value.type == Type::undefined ||
         (value.type == Type::object && value.object->what == Object::What::row);
}
// What is false gives nothing; the rest complains when it is used, not when it is made.
Value broken(Machine& m, const Value& self) {
  const Value out = m.row({}, self.labels, 0, "<generator object>");
  Labels ignored = 0;
  static_cast<Row*>(out.object)->broken = m.truthy(self, ignored);
  return out;
}

Value map(Machine& m, const Value& self, Call& call) {
  if (!is_iterable(self)) return broken(m, self);
  Labels count = 0;
  Values out;
  const Values items = m.iterate(self, count);
  if (call.args.empty()) {
    const Args args = m.bind(call, {"attribute", "default"}, 1);
    for (const Value& item : items) out.push_back(m.path(call.node, item, *args[0], args[1] ? &*args[1] : nullptr));
  } else {
    if (!call.args[0].is_text()) m.fail("map takes the name of a filter");
    for (const Value& item : items) {
      Call inner;
      inner.args.assign(call.args.begin() + 1, call.args.end());
      inner.keywords = call.keywords;
      out.push_back(m.filter(call.node, call.args[0].view(), item, inner));
    }
  }
  return m.row(std::move(out), self.labels, count, "<generator object>");
}

// select, reject, selectattr and rejectattr.
template <bool wanted, bool by_attribute>
Value select(Machine& m, const Value& self, Call& call) {
  if (!is_iterable(self)) return broken(m, self);
  Labels count = 0;
  Values out;
  std::size_t used = 0;
  if (by_attribute) {
    if (call.args.empty()) m.fail("the attribute is missing");
    used = 1;
  }
  for (const Value& item : m.iterate(self, count)) {
    const Value value = by_attribute ? m.path(call.node, item, call.args[0]) : item;
    Labels labels = 0;
    bool passes = false;
    if (call.args.size() > used) {
      if (!call.args[used].is_text()) m.fail("the name of a test is missing");
      Call inner;
      inner.args.assign(call.args.begin() + static_cast<std::ptrdiff_t>(used) + 1, call.args.end());
      inner.keywords = call.keywords;
      passes = m.test(call.node, call.args[used].view(), value, inner, labels);
    } else {
      passes = m.truthy(value, labels);
    }
    count |= labels;
    if (m.observer().decide(call.node, passes == wanted, labels)) out.push_back(item.with(0, labels));
  }
  return m.row(std::move(out), self.labels, count, "<generator object>");
}

Value groupby(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"attribute", "default", "case_sensitive"}, 1);
  Labels count = 0;
  std::vector<std::pair<Value, Values>> groups;
  const Value* fallback = args[1] ? &*args[1] : nullptr;
  for (const Value& item : m.iterate(self, count)) {
    const Value key = m.path(call.node, item, *args[0], fallback);
    const Value same = folded(m, key, truth(m, args[2], false));
    count |= key.labels;
    m.burn(1 + groups.size() / 8);
    const auto found = std::ranges::find_if(
        groups, [&](const auto& group) { return equal(folded(m, group.first, truth(m, args[2], false)), same); });
    if (found != groups.end()) {
      found->second.push_back(item);
    } else {
      groups.emplace_back(key, Values{item});
    }
  }
  // By insertion: groups are few.
  for (std::size_t i = 1; i < groups.size(); ++i) {
    for (std::size_t j = i; j > 0 && m.compare(groups[j].first, groups[j - 1].first) < 0; --j)
      std::swap(groups[j], groups[j - 1]);
  }
  Values out;
  for (auto& [key, items] : groups)
    out.push_back(m.arena().list({key, m.arena().list(std::move(items), 0, count)}, 0, 0, true));
  return m.arena().list(std::move(out), self.labels, count);
}

Value batch(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"linecount", "fill_with"}, 1);
  const i64 size = whole(m, args[0], 1);
  if (size <= 0 || size > 100'000) m.fail("a batch of that size");
  Labels count = 0;
  Values out;
  Values row;
  for (const Value& item : m.iterate(self, count)) {
    if (static_cast<i64>(row.size()) == size) out.push_back(m.arena().list(std::exchange(row, {}), 0, count));
    row.push_back(item);
  }
  if (!row.empty()) {
    if (given(args[1])) {
      m.burn(static_cast<u64>(size));
      row.resize(static_cast<std::size_t>(size), *args[1]);
    }
    out.push_back(m.arena().list(std::move(row), 0, count));
  }
  return m.row(std::move(out), self.labels, count, "<generator object>");
}

Value slices(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"slices", "fill_with"}, 1);
  const i64 number = whole(m, args[0], 1);
  if (number <= 0 || number > 100'000) m.fail("slices of that number");
  Labels count = 0;
  const Values items = m.iterate(self, count);
  const auto size = static_cast<i64>(items.size());
  const i64 each = size / number;
  const i64 longer = size % number;
  Values out;
  std::size_t at = 0;
  m.burn(static_cast<u64>(number));
  for (i64 i = 0; i < number; ++i) {
    const auto take = static_cast<std::size_t>(each + (i < longer));
    Values row(items.begin() + static_cast<std::ptrdiff_t>(at), items.begin() + static_cast<std::ptrdiff_t>(at + take));
    at += take;
    if (given(args[1]) && i >= longer && longer != 0) row.push_back(*args[1]);
    out.push_back(m.arena().list(std::move(row), 0, count));
  }
  return m.row(std::move(out), self.labels, count, "<generator object>");
}

Value items(Machine& m, const Value& self, Call& call) {
  m.bind(call, {});
  if (self.type == Type::undefined) return m.row({}, self.labels, shape_of(self.labels), "<generator object>");
  if (self.type != Type::dict) m.fail("items takes a dict");
  Values out;
  for (const auto& [key, value] : self.dict->items) out.push_back(m.arena().list({key, value}, 0, 0, true));
  return m.row(std::move(out), self.labels, self.dict->count, "<generator object>");
}

Value dictsort(Machine& m, const Value& self, Call& call) {
  const Args args = m.bind(call, {"case_sensitive", "by", "reverse"});
  if (self.type != Type::dict) m.fail("dictsort takes a dict");
  Values pairs;
  for (const auto& [key, value] : self.dict->items) pairs.push_back(m.arena().list({key, value}, 0, 0, true));
  Call inner;
  inner.node = call.node;
  inner.keywords.emplace_back("reverse", m.arena().boolean(truth(m, args[2], false)));
  inner.keywords.emplace_back("case_sensitive", m.arena().boolean(truth(m, args[0], false)));
  inner.keywords.emplace_back("attribute", m.arena().integer(args[1] && args[1]->view() == "value" ? 1 : 0));
  return sort(m, m.arena().list(std::move(pairs), self.labels, self.dict->count), inner);
}

constexpr std::array<std::pair<std::string_view, Function>, 23> kRowFilters = {{
    {"batch", batch},
    {"count", length},
    {"dictsort", dictsort},
    {"first", first},
    {"groupby", groupby},
    {"items", items},
    {"join", join},
    {"last", last},
    {"length", length},
    {"list", list},
    {"map", map},
    {"max", extreme<1>},
    {"min", extreme<-1>},
    {"random", random},
    {"reject", select<false, false>},
    {"rejectattr", select<false, true>},
    {"reverse", reverse},
    {"select", select<true, false>},
    {"selectattr", select<true, true>},
    {"slice", slices},
    {"sort", sort},
    {"sum", sum},
    {"unique", unique},
}};

}  // namespace

Function find_row_filter(std::string_view name) {
  const auto found = std::ranges::find(kRowFilters, name, &std::pair<std::string_view, Function>::first);
  return found == kRowFilters.end() ? nullptr : found->second;
}

}  // namespace steelyard::wire::jinja
