// The tests behind `is`.
#include <algorithm>
#include <array>

#include "wire/jinja/machine.hpp"
#include "wire/jinja/unicode.hpp"

namespace steelyard::wire::jinja {
namespace {

const Value& only(const Machine& m, const Call& call) {
  if (call.args.size() != 1 || !call.keywords.empty()) m.fail("the test takes one argument");
  return call.args[0];
}

template <Type... types>
bool is_type(Machine&, const Value& self, Call&, Labels& labels) {
  labels |= shape_of(self.labels);
  return ((self.type == types) || ...);
}

template <Op op>
bool compared(Machine& m, const Value& self, Call& call, Labels& labels) {
  const Value answer = m.comparison(call.node, op, self, only(m, call));
  labels |= answer.labels;
  return answer.flag;
}

bool truth(Machine&, const Value& self, Call&, Labels& labels) {
  labels |= self.labels;
  return self.type == Type::boolean && self.flag;
}

bool falsehood(Machine&, const Value& self, Call&, Labels& labels) {
  labels |= self.labels;
  return self.type == Type::boolean && !self.flag;
}

bool defined(Machine&, const Value& self, Call&, Labels& labels) {
  labels |= shape_of(self.labels);
  return self.type != Type::undefined;
}

bool is_object(const Value& value, std::initializer_list<Object::What> kinds) {
  return value.type == Type::object && std::ranges::find(kinds, value.object->what) != kinds.end();
}

bool callable(Machine&, const Value& self, Call&, Labels& labels) {
  labels |= shape_of(self.labels);
  return is_object(self, {Object::What::builtin, Object::What::method, Object::What::macro, Object::What::joiner,
                          Object::What::loop});
}

bool iterable(Machine&, const Value& self, Call&, Labels& labels) {
  labels |= shape_of(self.labels);
  return self.is_text() || self.is_row() || self.type == Type::dict || self.type == Type::undefined ||
         is_object(self, {Object::What::row, Object::What::loop});
}

// Has a length and items by key or position.
bool sequence(Machine&, const Value& self, Call&, Labels& labels) {
  labels |= shape_of(self.labels);
  return self.is_text() || self.is_row() || self.type == Type::dict ||
         (is_object(self, {Object::What::row}) && static_cast<Row*>(self.object)->kind == Row::Kind::range);
}

bool same_as(Machine& m, const Value& self, Call& call, Labels& labels) {
  const Value& other = only(m, call);
  labels |= self.labels | other.labels;
  if (self.type != other.type) return false;
  if (self.is_row()) return self.list == other.list;
  if (self.type == Type::dict) return self.dict == other.dict;
  return equal(self, other);
}

bool contained(Machine& m, const Value& self, Call& call, Labels& labels) {
  return m.contains(call.node, self, only(m, call), labels);
}

i64 whole(Machine& m, const Value& self, Labels& labels) {
  labels |= self.labels;
  if (self.type != Type::integer && self.type != Type::boolean) m.fail("not a whole number");
  return self.whole();
}

bool even(Machine& m, const Value& self, Call&, Labels& labels) { return whole(m, self, labels) % 2 == 0; }
bool odd(Machine& m, const Value& self, Call&, Labels& labels) { return whole(m, self, labels) % 2 != 0; }
bool divisible(Machine& m, const Value& self, Call& call, Labels& labels) {
  const i64 by = whole(m, only(m, call), labels);
  const i64 number = whole(m, self, labels);
  if (by == 0) m.fail("a division by zero");
  return by == -1 || number % by == 0;
}

template <bool upper>
bool cased(Machine& m, const Value& self, Call&, Labels& labels) {
  labels |= self.labels;
  const Text* text = m.str(self);
  bool any = false;
  for (std::size_t at = 0; at < text->bytes.size();) {
    const Character c = character_at(text->bytes, at);
    at += c.bytes;
    if (upper ? to_upper(c.code) != c.code : to_lower(c.code) != c.code) return false;
    any = any || (upper ? to_lower(c.code) != c.code : to_upper(c.code) != c.code);
  }
  return any;
}

bool escaped(Machine&, const Value& self, Call&, Labels& labels) {
  labels |= shape_of(self.labels);
  return self.is_text() && self.text->markup;
}

bool known_filter(Machine&, const Value& self, Call&, Labels&) { return find_filter(self.view()) != nullptr; }
bool known_test(Machine&, const Value& self, Call&, Labels&) { return find_test(self.view()) != nullptr; }

bool mapping(Machine&, const Value& self, Call&, Labels& labels) {
  labels |= shape_of(self.labels);
  return self.type == Type::dict;
}

constexpr std::array<std::pair<std::string_view, Test>, 39> kTests = {{
    {"odd", odd},
    {"even", even},
    {"divisibleby", divisible},
    {"defined", defined},
    {"undefined", is_type<Type::undefined>},
    {"filter", known_filter},
    {"test", known_test},
    {"none", is_type<Type::none>},
    {"boolean", is_type<Type::boolean>},
    {"false", falsehood},
    {"true", truth},
    {"integer", is_type<Type::integer>},
    {"float", is_type<Type::real>},
    {"lower", cased<false>},
    {"upper", cased<true>},
    {"string", is_type<Type::text>},
    {"mapping", mapping},
    {"number", is_type<Type::integer, Type::real, Type::boolean>},
    {"sequence", sequence},
    {"iterable", iterable},
    {"callable", callable},
    {"sameas", same_as},
    {"escaped", escaped},
    {"in", contained},
    {"==", compared<Op::eq>},
    {"eq", compared<Op::eq>},
    {"equalto", compared<Op::eq>},
    {"!=", compared<Op::ne>},
    {"ne", compared<Op::ne>},
    {">", compared<Op::gt>},
    {"gt", compared<Op::gt>},
    {"greaterthan", compared<Op::gt>},
    {"ge", compared<Op::ge>},
    {">=", compared<Op::ge>},
    {"<", compared<Op::lt>},
    {"lt", compared<Op::lt>},
    {"lessthan", compared<Op::lt>},
    {"<=", compared<Op::le>},
    {"le", compared<Op::le>},
}};

}  // namespace

Test find_test(std::string_view name) {
  const auto found = std::ranges::find(kTests, name, &std::pair<std::string_view, Test>::first);
  return found == kTests.end() ? nullptr : found->second;
}

}  // namespace steelyard::wire::jinja
