// Arithmetic, comparisons, truth and iteration, as Python has them.
#include <algorithm>
#include <cmath>

#include "base/checked.hpp"
#include "wire/jinja/machine.hpp"
#include "wire/jinja/unicode.hpp"

namespace steelyard::wire::jinja {
namespace {

constexpr u64 kLargestText = u64{1} << 20;
constexpr i64 kLargestRange = 100'000;  // the sandbox's own limit

i64 floor_div(i64 a, i64 b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }

double modulo(double x, double y) {
  const double rest = std::fmod(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

bool is_zero_or_one(const Value& value) {
  return value.type == Type::integer && value.labels == 0 && value.integer >= 0 && value.integer <= 1;
}

}  // namespace

bool Machine::truthy(const Value& value, Labels& labels) const {
  switch (value.type) {
    case Type::boolean:
      labels |= value.labels;
      return value.flag;
    case Type::integer:
      labels |= value.is_length ? shape_of(value.labels) : value.labels;
      return value.integer != 0;
    case Type::real:
      labels |= value.labels;
      return value.real != 0;
    case Type::text:
      labels |= shape_of(value.labels);
      return !value.text->bytes.empty();
    case Type::list:
    case Type::tuple:
      labels |= shape_of(value.labels) | (value.list->count & world_.loops) | shape_of(value.list->count);
      return !value.list->items.empty();
    case Type::dict:
      labels |= shape_of(value.labels) | (value.dict->count & world_.loops) | shape_of(value.dict->count);
      return !value.dict->items.empty();
    case Type::object: {
      labels |= shape_of(value.labels);
      if (value.object->what != Object::What::row) return true;
      const Row& row = static_cast<const Row&>(*value.object);
      return row.kind == Row::Kind::iterator || !row.items.empty();
    }
    default:
      labels |= shape_of(value.labels);
      return false;
  }
}

i64 Machine::length(const Value& value, Labels& labels) {
  switch (value.type) {
    case Type::undefined:
      labels |= shape_of(value.labels);
      return 0;
    case Type::text:
      labels |= value.labels;
      return static_cast<i64>(count_characters(value.text->bytes));
    case Type::list:
    case Type::tuple:
      labels |= shape_of(value.labels) | value.list->count;
      return static_cast<i64>(value.list->items.size());
    case Type::dict:
      labels |= shape_of(value.labels) | value.dict->count;
      return static_cast<i64>(value.dict->items.size());
    case Type::object:
      if (value.object->what == Object::What::row) {
        const Row& row = static_cast<const Row&>(*value.object);
        if (row.kind == Row::Kind::iterator) break;
        labels |= shape_of(value.labels) | row.count;
        return static_cast<i64>(row.items.size());
      }
      if (value.object->what == Object::What::loop) {
        const Loop& loop = static_cast<const Loop&>(*value.object);
        labels |= loop.count;
        return static_cast<i64>(loop.items.size());
      }
      break;
    default:
      break;
  }
  fail("it has no length");
}

Values Machine::iterate(const Value& value, Labels& count) {
  Values items;
  switch (value.type) {
    case Type::undefined:
      count |= shape_of(value.labels);
      return items;
    case Type::text: {
      count |= value.labels;
      const std::string& bytes = value.text->bytes;
      arena_.charge(bytes.size() * (sizeof(Text) + sizeof(Value)));
      for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t next = at + character_at(bytes, at).bytes;
        Value one = make_text(texts::slice(*this, *value.text, at, next), value.labels);
        one.control = value.control;
        items.push_back(one);
        at = next;
      }
      return items;
    }
    case Type::list:
    case Type::tuple:
      count |= shape_of(value.labels) | value.list->count;
      items = value.list->items;
      break;
    case Type::dict:
      count |= shape_of(value.labels) | value.dict->count;
      for (const auto& item : value.dict->items) items.push_back(item.first);
      break;
    case Type::object:
      if (value.object->what == Object::What::row) {
        Row& row = static_cast<Row&>(*value.object);
        if (row.broken) fail("it can't be iterated over");
        count |= shape_of(value.labels) | row.count;
        if (row.kind == Row::Kind::iterator) {
          items = std::move(row.items);
          row.items.clear();
        } else {
          items = row.items;
        }
        break;
      }
      [[fallthrough]];
    default:
      fail("it can't be iterated over");
  }
  burn(1 + items.size() / 4);
  arena_.charge(items.size() * sizeof(Value));
  if (value.labels != 0 || value.control != 0) {
    for (Value& item : items) item.control |= value.control;
  }
  return items;
}

Value Machine::row(Values items, Labels labels, Labels count, std::string_view shown) {
  Row* made = arena_.make<Row>();
  arena_.charge(items.size() * sizeof(Value));
  made->items = std::move(items);
  made->count = count;
  made->shown = shown;
  return arena_.object(made, labels);
}

int Machine::compare(const Value& a, const Value& b) {
  burn(1);
  if (a.is_number() && b.is_number()) {
    if (a.type != Type::real && b.type != Type::real) return a.whole() < b.whole() ? -1 : a.whole() > b.whole() ? 1 : 0;
    return a.number() < b.number() ? -1 : a.number() > b.number() ? 1 : 0;
  }
  if (a.is_text() && b.is_text()) {
    burn(std::min(a.view().size(), b.view().size()) / 64);
    return a.view().compare(b.view());
  }
  if (a.is_row() && a.type == b.type) {
    const Deeper deeper(*this);
    const Values& x = a.list->items;
    const Values& y = b.list->items;
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (equal(x[i], y[i])) continue;
      return compare(x[i], y[i]);
    }
    return x.size() < y.size() ? -1 : x.size() > y.size() ? 1 : 0;
  }
  fail("there is no order between them");
}

bool Machine::contains(u32 node, const Value& needle, const Value& container, Labels& labels) {
  labels |= needle.labels | container.control;
  switch (container.type) {
    case Type::text:
      labels |= container.labels;
      if (!needle.is_text()) fail("only a text can be in a text");
      observer_.compared(node, needle, container);
      burn(1 + container.view().size() / 16);
      return container.view().find(needle.view()) != std::string_view::npos;
    case Type::dict:
      labels |= shape_of(container.labels) | (container.dict->count & world_.loops);
      for (const auto& item : container.dict->items) {
        if (needle.labels != 0 || item.first.labels != 0) observer_.compared(node, needle, item.first);
      }
      burn(1 + container.dict->items.size() / 4);
      return container.dict->find(needle) != nullptr;
    case Type::undefined:
      labels |= shape_of(container.labels);
      return false;
    default: {
      Labels count = 0;
      const Values items = iterate(container, count);
      labels |= shape_of(count) | (count & world_.loops);
      bool found = false;
      for (const Value& item : items) {
        burn(1);
        labels |= item.labels | item.control;
        observer_.compared(node, needle, item);
        found = found || equal(needle, item);
      }
      return found;
    }
  }
}

Value Machine::comparison(u32 node, Op op, const Value& a, const Value& b) {
  Labels labels = 0;
  if (op == Op::in || op == Op::not_in) {
    const bool found = contains(node, a, b, labels);
    return arena_.boolean(found == (op == Op::in), labels);
  }
  labels = a.labels | b.labels;
  const bool empty = (a.is_text() && a.text->bytes.empty() && a.labels == 0) ||
                     (b.is_text() && b.text->bytes.empty() && b.labels == 0);
  // One is as good as none for what only counts rows; a text split into more than one holds something.
  const auto about = [&](const Value& length, const Value& number) {
    return length.is_length && is_zero_or_one(number) &&
           (number.integer == 0 || (length.labels & world_.loops & 0xFFFF) == 0);
  };
  const bool about_length = about(a, b) || about(b, a);
  const bool other_type = a.type != b.type && !(a.is_number() && b.is_number());
  if (empty || about_length || other_type || (a.type == Type::none && b.type == Type::none)) labels = shape_of(labels);
  labels |= a.control | b.control;
  if (!empty && !other_type) observer_.compared(node, a, b);
  burn(1 + std::min(a.view().size(), b.view().size()) / 64);
  switch (op) {
    case Op::eq:
      return arena_.boolean(equal(a, b), labels);
    case Op::ne:
      return arena_.boolean(!equal(a, b), labels);
    case Op::lt:
      return arena_.boolean(compare(a, b) < 0, labels);
    case Op::le:
      return arena_.boolean(compare(a, b) <= 0, labels);
    case Op::gt:
      return arena_.boolean(compare(a, b) > 0, labels);
    default:
      return arena_.boolean(compare(a, b) >= 0, labels);
  }
}

Value Machine::binary(u32 node, Op op, const Value& a, const Value& b) {
  const Labels labels = a.labels | b.labels;
  const auto oversized = [&]() { fail("a number or text beyond reason", Stop::oversized); };
  if (op == Op::mod && a.is_text()) {
    Values args;
    if (b.type == Type::tuple) {
      args = b.list->items;
    } else {
      args.push_back(b);
    }
    Value out = make_text(texts::percent(*this, a, args, b.type == Type::dict ? &b : nullptr), labels);
    return out;
  }
  if (op == Op::add && a.is_text() && b.is_text()) {
    Text* out = arena_.make<Text>();
    out->markup = a.text->markup || b.text->markup;
    arena_.charge(a.view().size() + b.view().size());
    burn(1 + (a.view().size() + b.view().size()) / 64);
    out->append(out->markup ? *texts::escape(*this, *a.text) : *a.text, a.control);
    out->append(out->markup ? *texts::escape(*this, *b.text) : *b.text, b.control);
    return make_text(out, labels);
  }
  if (op == Op::add && a.is_row() && a.type == b.type) {
    Values items = a.list->items;
    items.insert(items.end(), b.list->items.begin(), b.list->items.end());
    burn(1 + items.size() / 4);
    return arena_.list(std::move(items), labels, a.list->count | b.list->count, a.type == Type::tuple);
  }
  if (op == Op::mul && (a.is_text() || a.is_row()) != (b.is_text() || b.is_row())) {
    const Value& row = a.is_text() || a.is_row() ? a : b;
    const Value& times = a.is_text() || a.is_row() ? b : a;
    if (times.type != Type::integer && times.type != Type::boolean) fail("it can't be multiplied");
    const u64 count = static_cast<u64>(std::max<i64>(0, times.whole()));
    const u64 size = row.is_text() ? row.view().size() : row.list->items.size() * sizeof(Value);
    const auto total = checked_mul(size, count);
    if (!total || *total > kLargestText) oversized();
    arena_.charge(*total);
    burn(1 + *total / 64);
    if (row.is_text()) {
      Text* out = arena_.make<Text>();
      for (u64 i = 0; size > 0 && i < count; ++i) out->append(*row.text, row.control | times.labels);
      arena_.charge(out->runs.size() * sizeof(Run));
      return make_text(out, labels);
    }
    Values items;
    for (u64 i = 0; i < count && size > 0; ++i)
      items.insert(items.end(), row.list->items.begin(), row.list->items.end());
    return arena_.list(std::move(items), labels, row.list->count | times.labels, row.type == Type::tuple);
  }
  if (!a.is_number() || !b.is_number()) fail("these types have no such operation");
  (void)node;
  if (a.type == Type::real || b.type == Type::real || op == Op::div) {
    const double x = a.number();
    const double y = b.number();
    if ((op == Op::div || op == Op::floordiv || op == Op::mod) && y == 0) fail("a division by zero");
    switch (op) {
      case Op::add:
        return arena_.real(x + y, labels);
      case Op::sub:
        return arena_.real(x - y, labels);
      case Op::mul:
        return arena_.real(x * y, labels);
      case Op::div:
        return arena_.real(x / y, labels);
      case Op::floordiv:
        return arena_.real(std::floor(x / y), labels);
      case Op::mod:
        return arena_.real(modulo(x, y), labels);
      default:
        return arena_.real(std::pow(x, y), labels);
    }
  }
  const i64 x = a.whole();
  const i64 y = b.whole();
  i64 out = 0;
  bool overflow = false;
  switch (op) {
    case Op::add:
      overflow = __builtin_add_overflow(x, y, &out);
      break;
    case Op::sub:
      overflow = __builtin_sub_overflow(x, y, &out);
      break;
    case Op::mul:
      overflow = __builtin_mul_overflow(x, y, &out);
      break;
    case Op::floordiv:
    case Op::mod:
      if (y == 0) fail("a division by zero");
      if (y == -1) {
        overflow = op == Op::floordiv && __builtin_sub_overflow(i64{0}, x, &out);
      } else {
        out = op == Op::floordiv ? floor_div(x, y) : x - floor_div(x, y) * y;
      }
      break;
    default: {
      if (y < 0) return arena_.real(std::pow(static_cast<double>(x), static_cast<double>(y)), labels);
      out = 1;
      if (x == 0 || x == 1) {
        out = y == 0 ? 1 : x;
      } else if (x == -1) {
        out = y % 2 == 0 ? 1 : -1;
      } else {
        for (i64 i = 0; i < y && !overflow; ++i) overflow = __builtin_mul_overflow(out, x, &out);
      }
    }
  }
  if (overflow) oversized();
  Value result = arena_.integer(out, labels);
  return result;
}

// range(): here because of its limit.
Value make_range(Machine& m, const Value&, Call& call) {
  if (!call.keywords.empty() || call.args.empty() || call.args.size() > 3) m.fail("range takes one to three numbers");
  Labels labels = 0;
  for (const Value& value : call.args) {
    if (value.type != Type::integer && value.type != Type::boolean) m.fail("range takes whole numbers");
    labels |= value.labels | value.control;
  }
  const bool single = call.args.size() == 1;
  const i64 first = single ? 0 : call.args[0].whole();
  const i64 last = call.args[single ? 0 : 1].whole();
  const i64 step = call.args.size() == 3 ? call.args[2].whole() : 1;
  if (step == 0) m.fail("a step of zero");
  const double count = std::ceil((static_cast<double>(last) - static_cast<double>(first)) / static_cast<double>(step));
  if (count > static_cast<double>(kLargestRange)) m.fail("a range longer than the sandbox allows", Stop::oversized);
  Row* made = m.arena().make<Row>();
  made->kind = Row::Kind::range;
  made->count = labels;
  made->shown = "range(" + std::to_string(first) + ", " + std::to_string(last) +
                (step == 1 ? ")" : ", " + std::to_string(step) + ")");
  const u64 length = count > 0 ? static_cast<u64>(count) : 0;
  m.arena().charge(length * sizeof(Value));
  m.burn(1 + length / 4);
  for (u64 i = 0; i < length; ++i) made->items.push_back(m.arena().integer(first + static_cast<i64>(i) * step, labels));
  return m.arena().object(made, labels);
}

}  // namespace steelyard::wire::jinja
