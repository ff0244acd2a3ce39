// Statements: output, branches, loops, assignments, macros, blocks.
#include "wire/jinja/machine.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace steelyard::wire::jinja {
namespace {

// What an output depends on is restored when the block that decides it ends.
struct Restored {
  explicit Restored(Labels& labels_) : labels(labels_), before(labels_) {}
  ~Restored() { labels = before; }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;
  Labels& labels;
  Labels before;
};

bool mentions(const Tree& tree, u32 from, u32 to, std::string_view name) {
  for (u32 i = from; i < to; ++i) {
    if (tree[i].kind == Kind::name && tree.text(tree[i]) == name) return true;
  }
  return false;
}

}  // namespace

Value* Scope::find(std::string_view name) {
  const auto found = std::ranges::find(names, name, &std::pair<std::string_view, Value>::first);
  return found == names.end() ? nullptr : &found->second;
}

void Scope::set(std::string_view name, const Value& value) {
  if (Value* known = find(name)) {
    *known = value;
  } else {
    names.emplace_back(name, value);
  }
}

Machine::Machine(const Tree& tree, Arena& arena, const World& world, Observer& observer, const Limits& limits)
    : tree_(tree), arena_(arena), world_(world), observer_(observer), limits_(limits) {}

Result Machine::run() {
  Result result;
  const auto stop = [&](Stop why, std::string text) {
    result.stop = why;
    result.why = std::move(text);
    result.node = at_;
  };
  Text* output = nullptr;
  try {
    output = arena_.make<Text>();
    out_ = output;
    top_ = arena_.make<Scope>();
    literals_.resize(tree_.nodes.size());
    arena_.charge(literals_.size() * sizeof(Value));
    find_blocks();
    execute(tree_.root, *top_);
  } catch (const Stopped& stopped) {
    stop(stopped.stop, stopped.why);
  } catch (const Arena::Exhausted&) {
    stop(Stop::memory, "the memory is used up");
  }
  result.output = output;
  result.fuel = fuel_;
  return result;
}

void Machine::find_blocks() {
  for (u32 i = 0; i < tree_.nodes.size(); ++i) {
    if (tree_[i].kind == Kind::block) blocks_.emplace(tree_.text(tree_[i]), i);
  }
}

Scope* Machine::inner(Scope& scope) {
  Scope* made = arena_.make<Scope>();
  made->parent = &scope;
  return made;
}

void Machine::captured(Scope* scope) {
  for (; scope != nullptr && !scope->captured; scope = scope->parent) scope->captured = true;
}

void Machine::print(const Value& value) {
  const std::size_t before = out_->bytes.size();
  if (value.is_text()) {
    burn(1 + value.text->bytes.size() / 64);
    arena_.charge(value.text->bytes.size() + value.text->runs.size() * sizeof(Run));
    const Text* text = autoescape_ ? texts::escape(*this, *value.text) : value.text;
    out_->append(*text, value.control | control_);
  } else if (value.type != Type::undefined) {
    Text shown;
    repr(shown, value);
    out_->append(autoescape_ ? *texts::escape(*this, shown) : shown, value.control | control_);
    arena_.charge(out_->bytes.size() - before);
  }
}

// A row of filters over the text of a block; the innermost is the one without an operand.
Value Machine::apply(u32 filters, Value text, Scope& scope) {
  std::vector<u32> row;
  for (u32 f = filters; f != kNone; f = tree_[f].at[0]) row.push_back(f);
  for (; !row.empty(); row.pop_back()) {
    Call call;
    call.node = row.back();
    arguments(tree_[row.back()], scope, call);
    text = filter(row.back(), tree_.text(tree_[row.back()]), text, call);
  }
  return text;
}

Value Machine::capture(u32 body, Scope& scope) { return capture_in(body, *inner(scope)); }

Value Machine::capture_in(u32 body, Scope& inside) {
  Text* before = out_;
  Text* made = arena_.make<Text>();
  out_ = made;
  try {
    execute(body, inside);
  } catch (...) {
    out_ = before;
    throw;
  }
  out_ = before;
  made->markup = autoescape_;
  Labels labels = 0;
  for (const Run& run : made->runs) labels |= run.labels;
  return arena_.text(made, labels);
}

Machine::Flow Machine::execute(u32 index, Scope& scope) {
  const Node& node = tree_[index];
  const Deeper deeper(*this);
  burn(1);
  at_ = index;
  switch (node.kind) {
    case Kind::body:
      for (u32 i = 0; i < node.count; ++i) {
        if (const Flow flow = execute(tree_.item(node, i), scope); flow != Flow::normal) return flow;
      }
      return Flow::normal;
    case Kind::output:
      for (u32 i = 0; i < node.count; ++i) {
        const u32 part = tree_.item(node, i);
        if (tree_[part].kind == Kind::data) {
          const std::string& data = tree_.text(tree_[part]);
          arena_.charge(data.size() + sizeof(Run));
          burn(1 + data.size() / 64);
          out_->append(data, {0, kTemplateSource, tree_[part].begin, control_, true});
        } else {
          print(evaluate(part, scope));
          at_ = part;
        }
      }
      return Flow::normal;
    case Kind::branch:
      return execute_branch(node, scope);
    case Kind::loop:
      execute_loop(index, evaluate(node.at[1], scope), scope, 0);
      return Flow::normal;
    case Kind::set: {
      Value value = evaluate(node.at[1], scope);
      // A number that a loop counts up depends on how often the loop runs.
      if (value.type == Type::integer && tree_[node.at[1]].kind == Kind::binary) value.labels |= loops_;
      assign(node.at[0], value, scope);
      return Flow::normal;
    }
    case Kind::set_block: {
      const Value text = apply(node.at[1], capture(node.at[2], scope), scope);
      assign(node.at[0], text, scope);
      return Flow::normal;
    }
    case Kind::filter_block:
      print(apply(node.at[0], capture(node.at[1], scope), scope));
      return Flow::normal;
    case Kind::macro: {
      Macro* made = arena_.make<Macro>();
      made->node = index;
      made->body = node.at[0];
      made->scope = &scope;
      captured(&scope);
      scope.set(tree_.text(node), arena_.object(made));
      return Flow::normal;
    }
    case Kind::call_block: {
      Macro* made = arena_.make<Macro>();
      made->node = index;
      made->body = node.at[1];
      made->scope = &scope;
      captured(&scope);
      const Node& callee = tree_[node.at[0]];
      Call call;
      call.node = node.at[0];
      arguments(callee, scope, call);
      call.keywords.emplace_back("caller", arena_.object(made));
      const Value function = evaluate(callee.at[0], scope);
      print(this->call(function, call));
      return Flow::normal;
    }
    case Kind::with: {
      Scope* inside = inner(scope);
      for (u32 i = 0; i + 1 < node.count; i += 2)
        assign(tree_.item(node, i), evaluate(tree_.item(node, i + 1), scope), *inside);
      return execute(node.at[0], *inside);
    }
    case Kind::generation:
      return execute(node.at[0], *inner(scope));
    case Kind::autoescape: {
      const bool before = autoescape_;
      Labels labels = 0;
      autoescape_ = truthy(evaluate(node.at[0], scope), labels);
      Flow flow = Flow::normal;
      try {
        flow = execute(node.at[1], *inner(scope));
      } catch (...) {
        autoescape_ = before;
        throw;
      }
      autoescape_ = before;
      return flow;
    }
    case Kind::block:
      return execute(node.at[0], *inner(node.flag ? scope : *top_));
    case Kind::evaluate:
      (void)evaluate(node.at[0], scope);
      return Flow::normal;
    case Kind::stop:
      return Flow::stop;
    case Kind::next:
      return Flow::next;
    case Kind::extends:
    case Kind::include:
    case Kind::import:
    case Kind::from_import:
      fail("another template", Stop::unsupported);
    default:
      return Flow::normal;
  }
}

bool Machine::decide(u32 site, const Value& value, Labels& labels) {
  labels |= value.control;
  const bool outcome = truthy(value, labels);
  return observer_.decide(site, outcome, labels);
}

Machine::Flow Machine::execute_branch(const Node& node, Scope& scope) {
  const Restored restored(control_);
  for (u32 i = 0; i + 1 < node.count; i += 2) {
    const u32 test_node = tree_.item(node, i);
    Labels labels = 0;
    const bool taken = decide(test_node, evaluate(test_node, scope), labels);
    control_ |= labels;
    if (taken) return execute(tree_.item(node, i + 1), scope);
  }
  return node.at[0] == kNone ? Flow::normal : execute(node.at[0], scope);
}

Machine::Flow Machine::execute_loop(u32 index, const Value& items, Scope& scope, i64 depth) {
  const Node& node = tree_[index];
  const Restored restored(control_);
  const Labels loops = loops_;
  Loop* loop = arena_.make<Loop>();
  loop->depth = depth;
  loop->node = node.flag ? index : kNone;
  loop->scope = &scope;
  loop->items = iterate(items, loop->count);
  control_ |= (loop->count & world_.loops) | shape_of(items.labels) | items.control;
  loops_ |= loop->count;
  // The filter runs as the loop goes, unless the loop's length is asked for.
  const bool whole = node.at[2] != kNone && mentions(tree_, node.other, index, "loop");
  if (whole) {
    Values kept;
    Scope* inside = inner(scope);
    for (const Value& item : loop->items) {
      assign(node.at[0], item, *inside);
      Labels labels = 0;
      if (decide(node.at[2], evaluate(node.at[2], *inside), labels)) kept.push_back(item.with(0, labels));
      loop->count |= labels;
    }
    loop->items = std::move(kept);
    control_ |= loop->count & world_.loops;
  }
  Flow flow = Flow::normal;
  try {
    flow = loop_body(index, *loop, node.at[2] != kNone && !whole, scope);
  } catch (...) {
    loops_ = loops;
    throw;
  }
  loops_ = loops;
  return flow;
}

Machine::Flow Machine::loop_body(u32 index, Loop& loop, bool lazily, Scope& scope) {
  const Node& node = tree_[index];
  Scope* inside = nullptr;
  bool any = false;
  for (loop.index = 0; loop.index < loop.items.size(); ++loop.index) {
    burn(1);
    if (inside == nullptr || inside->captured) inside = inner(scope);
    inside->names.clear();
    const Restored restored(control_);
    const Value& item = loop.items[loop.index];
    control_ |= item.control;
    assign(node.at[0], item, *inside);
    if (lazily) {
      Labels labels = 0;
      const bool kept = decide(node.at[2], evaluate(node.at[2], *inside), labels);
      control_ |= labels;
      if (!kept) continue;
    }
    any = true;
    inside->set("loop", arena_.object(&loop));
    if (execute(node.at[3], *inside) == Flow::stop) break;
  }
  if (!any && node.at[4] != kNone) execute(node.at[4], *inner(scope));
  return Flow::normal;
}

// A value that is assigned here depends on what led here. A text that grows keeps what it had.
Value Machine::chosen(Value value, const Value* before) {
  value.labels |= control_;
  if (control_ == 0) return value;
  if (value.is_text() && before != nullptr && before->is_text() && !before->view().empty() &&
      (value.view().starts_with(before->view()) || value.view().ends_with(before->view()))) {
    const std::size_t old = before->view().size();
    const std::size_t size = value.view().size();
    const bool behind = value.view().starts_with(before->view());
    arena_.charge(size);
    burn(1 + size / 64);
    Text* text = arena_.make<Text>();
    if (!behind) text->append(*value.text, 0, size - old, control_ | value.control);
    text->append(*value.text, behind ? 0 : size - old, behind ? old : size, value.control);
    if (behind) text->append(*value.text, old, size, control_ | value.control);
    text->markup = value.text->markup;
    return arena_.text(text, value.labels);
  }
  value.control |= control_;
  return value;
}

void Machine::assign(u32 target, const Value& value, Scope& scope) {
  const Node& node = tree_[target];
  if (node.kind == Kind::name) {
    const std::string& name = tree_.text(node);
    const Value* before = control_ == 0 ? nullptr : scope.find(name);
    return scope.set(name, chosen(value, before));
  }
  if (node.kind == Kind::namespace_at) {
    const Value* found = nullptr;
    for (Scope* at = &scope; at != nullptr && found == nullptr; at = at->parent) found = at->find(tree_.text(node));
    if (found == nullptr || found->type != Type::object || found->object->what != Object::What::names)
      fail("only a namespace's attributes can be set");
    Scope& names = static_cast<Names*>(found->object)->values;
    const std::string& name = tree_.texts[node.other];
    names.set(name, chosen(value, names.find(name)));
    return;
  }
  if (node.kind != Kind::tuple) fail("it can't be assigned to");
  Labels count = 0;
  const Values items = iterate(value, count);
  if (items.size() != node.count) fail("the number of values doesn't fit");
  for (u32 i = 0; i < node.count; ++i) assign(tree_.item(node, i), items[i], scope);
}

Value Machine::call_macro(const Macro& macro, Call& call) {
  const Deeper deeper(*this);
  const Node& definition = tree_[macro.node];
  Scope* inside = inner(*macro.scope);
  captured(inside);
  std::vector<bool> given(call.keywords.size(), false);
  const auto keyword = [&](std::string_view name) -> const Value* {
    for (std::size_t i = 0; i < call.keywords.size(); ++i) {
      if (call.keywords[i].first != name) continue;
      given[i] = true;
      return &call.keywords[i].second;
    }
    return nullptr;
  };
  const bool blocks = definition.kind == Kind::block;
  const u32 parameters = blocks ? 0 : definition.count;
  for (u32 i = 0; i < parameters; ++i) {
    const Node& parameter = tree_[tree_.item(definition, i)];
    const std::string& name = tree_.text(parameter);
    const Value* named = i < call.args.size() ? nullptr : keyword(name);
    if (i < call.args.size()) {
      inside->set(name, call.args[i]);
    } else if (named != nullptr) {
      inside->set(name, *named);
    } else {
      inside->set(name, parameter.at[0] == kNone ? arena_.undefined() : evaluate(parameter.at[0], *inside));
    }
  }
  const auto used = [&](std::string_view name) { return mentions(tree_, definition.other, macro.node, name); };
  if (const Value* caller = keyword("caller")) {
    inside->set("caller", *caller);
  } else if (definition.kind == Kind::macro && used("caller")) {
    inside->set("caller", arena_.undefined());
  }
  if (used("varargs")) {
    const std::size_t taken = std::min<std::size_t>(parameters, call.args.size());
    inside->set("varargs", arena_.list(Values(call.args.begin() + static_cast<std::ptrdiff_t>(taken), call.args.end()),
                                       0, 0, true));
  } else if (call.args.size() > parameters) {
    fail("more arguments than the macro takes");
  }
  Value others = arena_.dict();
  bool any = false;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i]) continue;
    any = true;
    others.dict->items.emplace_back(arena_.literal(std::string(call.keywords[i].first), 0), call.keywords[i].second);
  }
  if (any && !used("kwargs")) fail("an argument that the macro doesn't take");
  if (used("kwargs")) inside->set("kwargs", others);
  return capture_in(macro.body, *inside);
}

Value Machine::loop_again(const Loop& loop, const Call& call) {
  if (loop.node == kNone) fail("the loop isn't recursive");
  if (call.args.size() != 1 || !call.keywords.empty()) fail("a loop takes one argument");
  Text* before = out_;
  Text* made = arena_.make<Text>();
  out_ = made;
  try {
    execute_loop(loop.node, call.args[0], *loop.scope, loop.depth + 1);
  } catch (...) {
    out_ = before;
    throw;
  }
  out_ = before;
  return arena_.text(made, 0);
}

Result render(const Tree& tree, Arena& arena, const World& world, Observer& observer, const Limits& limits) {
  return Machine(tree, arena, world, observer, limits).run();
}

}  // namespace steelyard::wire::jinja
