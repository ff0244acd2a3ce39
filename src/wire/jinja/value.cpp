#include "wire/jinja/value.hpp"

#include <algorithm>

namespace steelyard::wire::jinja {

void Text::append(std::string_view more, Run run) {
  if (more.empty()) return;
  bytes += more;
  run.length = static_cast<u32>(more.size());
  if (!runs.empty()) {
    Run& last = runs.back();
    const bool follows = run.source == kComputedSource || last.offset + last.length == run.offset;
    if (last.source == run.source && follows && last.labels == run.labels && last.exact == run.exact) {
      last.length += run.length;
      return;
    }
  }
  runs.push_back(run);
}

void Text::append(const Text& from, Labels labels) { append(from, 0, from.bytes.size(), labels); }

void Text::append(const Text& from, std::size_t begin, std::size_t end, Labels labels) {
  std::size_t at = 0;
  for (const Run& run : from.runs) {
    const std::size_t first = std::max(at, begin);
    const std::size_t last = std::min(at + run.length, end);
    if (first < last) {
      Run part = run;
      if (run.source != kComputedSource && run.exact) part.offset += static_cast<u32>(first - at);
      part.labels |= labels;
      append(std::string_view(from.bytes).substr(first, last - first), part);
    }
    at += run.length;
    if (at >= end) break;
  }
}

const Value* Dict::find(std::string_view key) const {
  const auto found = std::ranges::find_if(
      items, [&](const auto& item) { return item.first.is_text() && item.first.text->bytes == key; });
  return found == items.end() ? nullptr : &found->second;
}

const Value* Dict::find(const Value& key) const {
  if (key.is_text()) return find(key.view());
  const auto found = std::ranges::find_if(items, [&](const auto& item) { return equal(item.first, key); });
  return found == items.end() ? nullptr : &found->second;
}

void Dict::set(const Value& key, const Value& value) {
  const auto found = std::ranges::find_if(items, [&](const auto& item) { return equal(item.first, key); });
  if (found != items.end()) {
    found->second = value;
  } else {
    items.emplace_back(key, value);
  }
}

Value Arena::none(Labels labels) const {
  Value value;
  value.type = Type::none;
  value.labels = labels;
  return value;
}
Value Arena::undefined(Labels labels) const {
  Value value;
  value.labels = labels;
  return value;
}
Value Arena::boolean(bool flag, Labels labels) const {
  Value value;
  value.type = Type::boolean;
  value.labels = labels;
  value.integer = 0;
  value.flag = flag;
  return value;
}
Value Arena::integer(i64 number, Labels labels) const {
  Value value;
  value.type = Type::integer;
  value.labels = labels;
  value.integer = number;
  return value;
}
Value Arena::real(double number, Labels labels) const {
  Value value;
  value.type = Type::real;
  value.labels = labels;
  value.real = number;
  return value;
}
Value Arena::text(const std::string& bytes, Run run, Labels labels) {
  charge(bytes.size());
  Text* made = make<Text>();
  made->append(bytes, run);
  return text(made, labels);
}
Value Arena::computed(const std::string& bytes, Labels labels) {
  return text(bytes, {0, kComputedSource, 0, labels, false}, labels);
}
Value Arena::literal(const std::string& bytes, u32 offset) {
  return text(bytes, {0, kTemplateSource, offset, 0, true});
}
Value Arena::text(Text* made, Labels labels) {
  charge(made->runs.size() * sizeof(Run));
  Value value;
  value.type = Type::text;
  value.labels = labels;
  value.text = made;
  return value;
}
Value Arena::list(Values items, Labels labels, Labels count, bool tuple) {
  charge(items.size() * sizeof(Value));
  List* made = make<List>();
  made->items = std::move(items);
  made->count = count;
  Value value;
  value.type = tuple ? Type::tuple : Type::list;
  value.labels = labels;
  value.list = made;
  return value;
}
Value Arena::dict(Labels labels) {
  Value value;
  value.type = Type::dict;
  value.labels = labels;
  value.dict = make<Dict>();
  return value;
}
Value Arena::object(Object* made, Labels labels) const {
  Value value;
  value.type = Type::object;
  value.labels = labels;
  value.object = made;
  return value;
}

namespace {

bool same(const Value& a, const Value& b, int depth, int& work) {
  if (depth > 64 || --work < 0) return false;
  if (a.is_number() && b.is_number()) {
    if (a.type != Type::real && b.type != Type::real) return a.whole() == b.whole();
    return a.number() == b.number();
  }
  if (a.type != b.type) return false;
  switch (a.type) {
    case Type::undefined:
    case Type::none:
      return true;
    case Type::text:
      return a.text->bytes == b.text->bytes;
    case Type::list:
    case Type::tuple:
      return a.list == b.list || std::ranges::equal(a.list->items, b.list->items, [&](const Value& x, const Value& y) {
               return same(x, y, depth + 1, work);
             });
    case Type::dict:
      return a.dict == b.dict ||
             (a.dict->items.size() == b.dict->items.size() && std::ranges::all_of(a.dict->items, [&](const auto& item) {
                const Value* other = b.dict->find(item.first);
                return other != nullptr && same(item.second, *other, depth + 1, work);
              }));
    default:
      return a.object == b.object;
  }
}

}  // namespace

bool equal(const Value& a, const Value& b) {
  int work = 10'000;
  return same(a, b, 0, work);
}

}  // namespace steelyard::wire::jinja
