// Expressions. Operators and comparisons are in operators.cpp, attributes and items in access.cpp.
#include <algorithm>

#include "wire/jinja/machine.hpp"

namespace steelyard::wire::jinja {

Value Machine::evaluate_or_none(u32 node, Scope& scope) {
  return node == kNone ? arena_.none() : evaluate(node, scope);
}

Value Machine::evaluate_literal(u32 index) {
  const Node& node = tree_[index];
  switch (node.constant) {
    case Constant::boolean:
      return arena_.boolean(node.flag);
    case Constant::integer:
      return arena_.integer(node.integer);
    case Constant::real:
      return arena_.real(node.real);
    case Constant::huge:
      fail("a number beyond 64 bits", Stop::oversized);
    case Constant::text:
      if (literals_[index].type == Type::undefined) literals_[index] = arena_.literal(tree_.text(node), node.begin);
      return literals_[index];
    default:
      return arena_.none();
  }
}

Value Machine::lookup(u32 index, Scope& scope) {
  const std::string& name = tree_.text(tree_[index]);
  for (Scope* at = &scope; at != nullptr; at = at->parent) {
    if (const Value* found = at->find(name)) return *found;
  }
  if (const auto found = world_.globals.find(name); found != world_.globals.end()) return found->second;
  if (const Function function = find_global(name)) {
    const Value made = arena_.object(arena_.make<Builtin>(Object::What::builtin, name, function));
    top_->set(name, made);
    return made;
  }
  if (name == "self") return arena_.object(arena_.make<Blocks>());
  observer_.missing(index, name);
  return arena_.undefined(world_.missing);
}

Value Machine::evaluate(u32 index, Scope& scope) {
  const Node& node = tree_[index];
  const Deeper deeper(*this);
  burn(1);
  switch (node.kind) {
    case Kind::literal:
      at_ = index;
      return evaluate_literal(index);
    case Kind::name:
      at_ = index;
      return lookup(index, scope);
    case Kind::tuple:
    case Kind::list: {
      Values items;
      items.reserve(node.count);
      for (u32 i = 0; i < node.count; ++i) items.push_back(evaluate(tree_.item(node, i), scope));
      return arena_.list(std::move(items), 0, 0, node.kind == Kind::tuple);
    }
    case Kind::dict: {
      Value made = arena_.dict();
      for (u32 i = 0; i < node.count; ++i) {
        const Node& pair = tree_[tree_.item(node, i)];
        const Value key = evaluate(pair.at[0], scope);
        if (key.type == Type::list || key.type == Type::dict) fail("a key that can't be one");
        arena_.charge(2 * sizeof(Value));
        burn(1 + made.dict->items.size() / 8);
        made.dict->set(key, evaluate(pair.at[1], scope));
      }
      return made;
    }
    case Kind::conditional: {
      Labels labels = 0;
      const bool taken = decide(node.at[0], evaluate(node.at[0], scope), labels);
      if (!taken && node.at[2] == kNone) return arena_.undefined(labels);
      const Labels before = control_;
      control_ |= labels;
      const Value value = evaluate(taken ? node.at[1] : node.at[2], scope);
      control_ = before;
      return value.with(labels, labels);
    }
    case Kind::logical_or:
    case Kind::logical_and:
      return evaluate_logic(index, scope);
    case Kind::logical_not: {
      Labels labels = 0;
      const bool outcome = truthy(evaluate(node.at[0], scope), labels);
      return arena_.boolean(!outcome, labels);
    }
    case Kind::compare:
      return evaluate_compare(index, scope);
    case Kind::binary: {
      const Value left = evaluate(node.at[0], scope);
      const Value right = evaluate(node.at[1], scope);
      at_ = index;
      return binary(index, node.op, left, right);
    }
    case Kind::concat: {
      Text* out = arena_.make<Text>();
      Labels labels = 0;
      for (u32 i = 0; i < node.count; ++i) {
        const Value part = evaluate(tree_.item(node, i), scope);
        labels |= part.labels;
        arena_.charge(part.view().size() + sizeof(Run));
        str(*out, part);
      }
      return make_text(out, labels);
    }
    case Kind::negative:
    case Kind::positive: {
      const Value value = evaluate(node.at[0], scope);
      at_ = index;
      if (!value.is_number()) fail("not a number");
      const bool minus = node.kind == Kind::negative;
      if (value.type == Type::real) return arena_.real(minus ? -value.real : value.real, value.labels);
      if (value.whole() == INT64_MIN) fail("a number beyond 64 bits", Stop::oversized);
      return arena_.integer(minus ? -value.whole() : value.whole(), value.labels);
    }
    case Kind::attribute: {
      const Value object = evaluate(node.at[0], scope);
      at_ = index;
      return attribute(index, object, tree_.text(node));
    }
    case Kind::subscript: {
      const Value object = evaluate(node.at[0], scope);
      const Node& what = tree_[node.at[1]];
      if (what.kind == Kind::slice) {
        const Value first = evaluate_or_none(what.at[0], scope);
        const Value last = evaluate_or_none(what.at[1], scope);
        const Value step = evaluate_or_none(what.at[2], scope);
        at_ = index;
        return slice(object, first, last, step);
      }
      const Value key = evaluate(node.at[1], scope);
      at_ = index;
      return item(index, object, key);
    }
    case Kind::slice:
      fail("a slice among other subscripts");
    case Kind::call:
      return evaluate_call(index, scope);
    case Kind::filter: {
      const Value operand = evaluate(node.at[0], scope);
      Call call;
      call.node = index;
      arguments(node, scope, call);
      at_ = index;
      return filter(index, tree_.text(node), operand, call);
    }
    case Kind::test: {
      const Value operand = evaluate(node.at[0], scope);
      Call call;
      call.node = index;
      arguments(node, scope, call);
      at_ = index;
      Labels labels = 0;
      const bool outcome = test(index, tree_.text(node), operand, call, labels);
      return arena_.boolean(outcome, labels);
    }
    default:
      fail("not an expression");
  }
}

Value Machine::evaluate_logic(u32 index, Scope& scope) {
  const Node& node = tree_[index];
  const Value left = evaluate(node.at[0], scope);
  Labels labels = left.control;
  const bool outcome = truthy(left, labels);
  if (outcome == (node.kind == Kind::logical_or)) return left.with(labels, labels);
  const Labels before = control_;
  control_ |= labels;
  const Value right = evaluate(node.at[1], scope);
  control_ = before;
  return right.with(labels, labels);
}

Value Machine::evaluate_compare(u32 index, Scope& scope) {
  const Node& node = tree_[index];
  Value left = evaluate(node.at[0], scope);
  Labels labels = 0;
  bool outcome = true;
  for (u32 i = 0; i < node.count && outcome; ++i) {
    const Node& step = tree_[tree_.item(node, i)];
    const Value right = evaluate(step.at[0], scope);
    at_ = index;
    const Value answer = comparison(index, step.op, left, right);
    labels |= answer.labels;
    outcome = answer.flag;
    left = right;
  }
  return arena_.boolean(outcome, labels);
}

void Machine::arguments(const Node& node, Scope& scope, Call& out) {
  for (u32 i = 0; i < node.count; ++i) {
    const u32 index = tree_.item(node, i);
    const Node& argument = tree_[index];
    if (argument.kind == Kind::keyword) {
      out.keywords.emplace_back(tree_.text(argument), evaluate(argument.at[0], scope));
    } else if (argument.kind == Kind::star) {
      Labels count = 0;
      const Values more = iterate(evaluate(argument.at[0], scope), count);
      out.args.insert(out.args.end(), more.begin(), more.end());
    } else if (argument.kind == Kind::double_star) {
      const Value more = evaluate(argument.at[0], scope);
      if (more.type != Type::dict) fail("** needs a dict");
      for (const auto& [key, value] : more.dict->items) {
        if (!key.is_text()) fail("keywords must be texts");
        out.keywords.emplace_back(key.text->bytes, value);
      }
    } else {
      out.args.push_back(evaluate(index, scope));
    }
  }
}

Value Machine::evaluate_call(u32 index, Scope& scope) {
  const Node& node = tree_[index];
  const Value callee = evaluate(node.at[0], scope);
  Call call;
  call.node = index;
  arguments(node, scope, call);
  at_ = index;
  if (callee.type == Type::undefined) {
    const Node& what = tree_[node.at[0]];
    if (what.kind == Kind::name) observer_.called(index, tree_.text(what));
    fail("what is called is undefined");
  }
  return this->call(callee, call);
}

}  // namespace steelyard::wire::jinja
