#include "formats/detail/pickle_cost.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace steelyard::formats {
namespace {

using wire::pickle::Form;
using wire::pickle::Kind;
using wire::pickle::Machine;
using wire::pickle::Node;
using wire::pickle::Value;

constexpr double kEndless = std::numeric_limits<double>::infinity();
constexpr double kPointer = 8;         // bytes of an item in a list
constexpr std::size_t kMost = 65'536;  // objects that are remembered
constexpr double kBitsOfADigit = 3.33;

template <class... Names>
bool any(std::string_view name, Names... names) {
  return ((name == names) || ...);
}

std::optional<double> number(const Value& value) {
  if (value.is(Kind::boolean)) return static_cast<double>(value.integer);
  if (value.is(Kind::real)) return value.real;
  if (!value.is(Kind::integer)) return std::nullopt;
  if (value.form == Form::plain) return static_cast<double>(value.integer);
  const double digits = static_cast<double>(value.size);
  return value.form == Form::digits ? std::pow(10.0, digits) : std::exp2(8 * digits);
}

// The power of ten in "1.5e999", and the digits in front of it.
double exponent(std::string_view text) {
  const std::size_t mark = text.find_first_of("eE");
  if (mark == std::string_view::npos) return static_cast<double>(text.size());
  std::string_view digits = text.substr(mark + 1);
  if (digits.starts_with('+') || digits.starts_with('-')) digits.remove_prefix(1);
  double power = 0;
  for (const char c : digits)
    if (c >= '0' && c <= '9') power = power * 10 + (c - '0');
  return power + static_cast<double>(mark);
}

double choose(double n, double k) { return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1); }

}  // namespace

double PickleCost::length(const Machine& machine, const Value& value) const {
  if (value.is(Kind::text) || value.is(Kind::bytes)) return static_cast<double>(value.size);
  const Node* node = machine.node(value);
  if (node == nullptr) return 0;
  if (!value.is(Kind::object)) return static_cast<double>(node->length);
  const auto known = known_.find(node->number);
  return known == known_.end() ? 0 : known->second.length;
}

double PickleCost::bits(const Machine& machine, const Value& value) const {
  if (const auto size = number(value)) return std::log2(std::max(2.0, std::abs(*size)));
  const Node* node = value.is(Kind::object) ? machine.node(value) : nullptr;
  const auto known = node != nullptr ? known_.find(node->number) : known_.end();
  return known == known_.end() ? 0 : known->second.bits;
}

PickleCost::Known PickleCost::call(const Machine& machine, const gadgets::Entry& callee,
                                   const std::vector<Value>& arguments, double& cost) const {
  const std::string_view module = callee.module;
  const std::string_view name = callee.name;
  const std::size_t count = arguments.size();
  const auto of = [&](std::size_t i) { return i < count ? length(machine, arguments[i]) : 0.0; };
  const auto value = [&](std::size_t i) { return i < count ? number(arguments[i]) : std::nullopt; };
  // What is in the file costs nothing more.
  const auto consumed = [&](std::size_t i) {
    if (i < count && arguments[i].is(Kind::object)) cost += kPointer * of(i);
    return of(i);
  };
  if (module == "builtins") {
    if (name == "range") {
      const double first = count > 1 ? value(0).value_or(0) : 0;
      const double last = value(count > 1 ? 1 : 0).value_or(0);
      const double step = count > 2 ? value(2).value_or(1) : 1;
      return {.length = step != 0 ? std::max(0.0, (last - first) / step) : 0};
    }
    if (any(name, "bytes", "bytearray")) {
      if (const auto size = value(0)) {
        cost += std::max(0.0, *size);
        return {.length = *size};
      }
      return {.length = consumed(0)};
    }
    if (any(name, "list", "tuple", "set", "frozenset", "dict", "sorted", "min", "max", "any", "all"))
      return {.length = consumed(0)};
    if (name == "sum") {
      double items = consumed(0);
      if (const Node* list = count > 1 && machine.node(arguments[0]) ? machine.node(arguments[0]) : nullptr;
          list != nullptr && !arguments[0].is(Kind::object)) {
        for (const Value& item : list->items) items += length(machine, item);
        cost += kPointer * items;
      }
      return {.length = items};
    }
    if (name == "iter") return {.length = count > 1 ? kEndless : of(0)};
    if (any(name, "reversed", "enumerate")) return {.length = of(0)};
    if (any(name, "zip", "map", "filter")) {
      double least = count > (name == "zip" ? 0 : 1) ? kEndless : 0;
      for (std::size_t i = name == "zip" ? 0 : 1; i < count; ++i) least = std::min(least, of(i));
      return {.length = least};
    }
    if (name == "pow" && count == 2 && value(1)) {
      const double size = bits(machine, arguments[0]) * std::max(0.0, *value(1));
      cost += arguments[0].is(Kind::real) || arguments[1].is(Kind::real) ? 0 : size / 8;
      return {.bits = size};
    }
    if (any(name, "int", "round", "hex", "bin", "oct", "abs", "divmod")) {
      const double size = count > 0 && arguments[0].is(Kind::object) ? bits(machine, arguments[0]) : 0;
      cost += size;
      return {.bits = size};
    }
    if (any(name, "str", "repr", "ascii", "hash", "format") && count > 0) {
      const double size = machine.expanded(arguments[0]);
      cost += size;
      return {.length = size};
    }
    return {};
  }
  if (module == "itertools") {
    if (name == "count") return {.length = kEndless};
    if (name == "repeat") return {.length = count > 1 ? value(1).value_or(0) : kEndless};
    if (name == "cycle") return {.length = kEndless};
    if (name == "islice") return {.length = std::min(of(0), value(count > 2 ? 2 : 1).value_or(kEndless))};
    if (any(name, "chain", "zip_longest")) {
      double sum = 0;
      for (std::size_t i = 0; i < count; ++i) sum += of(i);
      return {.length = sum};
    }
    if (any(name, "product", "permutations", "combinations", "combinations_with_replacement")) {
      double items = name == "product" ? 1 : consumed(0);
      for (std::size_t i = 0; name == "product" && i < count; ++i) items *= consumed(i);
      const double drawn = std::min(value(1).value_or(items), items);
      if (name == "permutations") items = std::exp(std::lgamma(items + 1) - std::lgamma(items - drawn + 1));
      if (name.starts_with("combinations")) items = std::exp(choose(items, drawn));
      return {.length = items};
    }
    return {.length = of(any(name, "starmap", "takewhile", "dropwhile", "filterfalse") ? 1 : 0)};
  }
  if (module == "collections") return {.length = consumed(name == "defaultdict" ? 1 : 0)};
  if (module == "array") return {.length = consumed(1)};
  if (module == "decimal" && name == "Decimal" && count > 0) {
    if (arguments[0].is(Kind::text)) return {.bits = kBitsOfADigit * exponent(machine.text(arguments[0]))};
    const Node* parts = arguments[0].is(Kind::tuple) ? machine.node(arguments[0]) : nullptr;
    if (parts != nullptr && parts->items.size() == 3)
      return {.bits = kBitsOfADigit * std::abs(number(parts->items[2]).value_or(0))};
    return {.bits = bits(machine, arguments[0])};
  }
  if (module == "fractions" && name == "Fraction" && count > 0) {
    double size = arguments[0].is(Kind::object) ? bits(machine, arguments[0]) : 0;
    if (arguments[0].is(Kind::text)) {
      const std::string text = machine.text(arguments[0]);
      if (text.find_first_of("eE") != std::string::npos) size = kBitsOfADigit * exponent(text);
    }
    cost += size;
    return {.bits = size};
  }
  if (module == "math") {
    if (any(name, "floor", "ceil", "trunc")) cost += bits(machine, count > 0 ? arguments[0] : Value{});
    if (any(name, "comb", "perm") && count == 2 && value(0) && value(1)) {
      const double n = std::max(1.0, *value(0));
      const double k = std::clamp(*value(1), 0.0, n);
      const double size = (name == "comb" ? std::min(k, n - k) : k) * std::log2(n);
      cost += size / 8;
      return {.bits = size};
    }
    if (any(name, "fsum", "prod")) consumed(0);
    return {};
  }
  // Arrays are made empty and get their content afterwards; a shape says how much is allocated.
  std::size_t shape = SIZE_MAX;
  if (module == "numpy.core.multiarray" && name == "_reconstruct") shape = 1;
  if (module == "numpy.ma" && name == "_mareconstruct") shape = 2;
  if (module == "numpy" && name == "ndarray") shape = 0;
  if (shape < count) {
    const Node* sizes = arguments[shape].is(Kind::tuple) ? machine.node(arguments[shape]) : nullptr;
    double items = 1;
    if (sizes != nullptr)
      for (const Value& size : sizes->items) items *= std::max(0.0, number(size).value_or(0));
    if (const auto size = number(arguments[shape])) items = *size;
    if (sizes != nullptr || number(arguments[shape])) cost += sizes != nullptr && sizes->items.empty() ? 0 : items;
  }
  return {};
}

void PickleCost::add(const Machine& machine, const gadgets::Entry& callee, const std::vector<Value>& arguments,
                     const Value& result) {
  double cost = 0;
  const Known known = call(machine, callee, arguments, cost);
  if (std::isnan(cost)) cost = kEndless;
  total_ += cost;
  if (cost > most_) {
    most_ = cost;
    worst_ = callee.full();
  }
  const Node* made = result.is(Kind::object) ? machine.node(result) : nullptr;
  if (made != nullptr && (known.length > 1 || known.bits > 1) && known_.size() < kMost)
    known_.emplace(made->number, known);
}

}  // namespace steelyard::formats
