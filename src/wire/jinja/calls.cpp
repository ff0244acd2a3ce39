// Calls: global functions, macros, loops, and the binding of arguments.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "wire/jinja/machine.hpp"

namespace steelyard::wire::jinja {

Value make_range(Machine& m, const Value& self, Call& call);

std::vector<std::optional<Value>> Machine::bind(const Call& call, std::initializer_list<std::string_view> names,
                                                std::size_t required) const {
  std::vector<std::optional<Value>> out(names.size());
  if (call.args.size() > names.size()) fail("more arguments than are taken");
  std::ranges::copy(call.args, out.begin());
  for (const auto& [name, value] : call.keywords) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) fail("an argument that isn't taken");
    auto& slot = out[static_cast<std::size_t>(found - names.begin())];
    if (slot) fail("an argument given twice");
    slot = value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (!out[i]) fail("an argument is missing");
  }
  return out;
}

namespace {

Value raise(Machine& m, const Value&, Call& call) {
  const auto args = m.bind(call, {"message"}, 1);
  m.fail(args[0]->is_text() ? args[0]->text->bytes : "", Stop::raised);
}

Value strftime_now(Machine& m, const Value&, Call& call) {
  const auto args = m.bind(call, {"format"}, 1);
  if (!args[0]->is_text()) m.fail("strftime_now takes a text");
  const World& world = m.world();
  return m.arena().text(texts::strftime(args[0]->view()), {0, world.ambient_source, 0, 0, true}, world.ambient);
}

Value make_namespace(Machine& m, const Value&, Call& call) {
  Names* made = m.arena().make<Names>();
  for (const Value& value : call.args) {
    if (value.type != Type::dict) m.fail("a namespace is made from a dict");
    for (const auto& [key, item] : value.dict->items) {
      if (key.is_text()) made->values.set(key.text->bytes, item);
    }
  }
  for (const auto& [name, value] : call.keywords) made->values.set(name, value);
  return m.arena().object(made);
}

Value make_dict(Machine& m, const Value&, Call& call) {
  Value made = m.arena().dict();
  if (call.args.size() > 1) m.fail("dict takes one argument");
  if (!call.args.empty()) {
    const Value& from = call.args[0];
    if (from.type == Type::dict) {
      made.dict->items = from.dict->items;
      made.dict->count = from.dict->count;
    } else {
      Labels count = 0;
      for (const Value& pair : m.iterate(from, count)) {
        if (!pair.is_row() || pair.list->items.size() != 2) m.fail("dict takes pairs");
        m.burn(1 + made.dict->items.size() / 8);
        made.dict->set(pair.list->items[0], pair.list->items[1]);
      }
      made.dict->count = count;
    }
  }
  m.arena().charge(made.dict->items.size() * 2 * sizeof(Value));
  for (const auto& [name, value] : call.keywords) made.dict->set(m.arena().literal(std::string(name), 0), value);
  return made;
}

Value make_cycler(Machine& m, const Value&, Call& call) {
  if (call.args.empty()) m.fail("cycler takes at least one item");
  Cycler* made = m.arena().make<Cycler>();
  made->items = call.args;
  return m.arena().object(made);
}

Value make_joiner(Machine& m, const Value&, Call& call) {
  const auto args = m.bind(call, {"sep"});
  Joiner* made = m.arena().make<Joiner>();
  made->separator = args[0].value_or(m.arena().literal(", ", 0));
  return m.arena().object(made);
}

Value lipsum(Machine& m, const Value&, Call& call) {
  m.observer().called(call.node, "lipsum");
  const auto args = m.bind(call, {"n", "html", "min", "max"});
  if (args[0] && args[0]->type == Type::integer && args[0]->integer > 1000)
    m.fail("a text beyond reason", Stop::oversized);
  return m.arena().computed("<p>lorem ipsum</p>", m.world().ambient);
}

constexpr std::array<std::pair<std::string_view, Function>, 8> kGlobals = {{{"raise_exception", raise},
                                                                            {"strftime_now", strftime_now},
                                                                            {"range", make_range},
                                                                            {"namespace", make_namespace},
                                                                            {"dict", make_dict},
                                                                            {"cycler", make_cycler},
                                                                            {"joiner", make_joiner},
                                                                            {"lipsum", lipsum}}};

}  // namespace

Function find_global(std::string_view name) {
  const auto found = std::ranges::find(kGlobals, name, &std::pair<std::string_view, Function>::first);
  return found == kGlobals.end() ? nullptr : found->second;
}

Value Machine::call(const Value& callee, Call& call) {
  const Deeper deeper(*this);
  burn(1);
  if (callee.type != Type::object) fail("it can't be called");
  switch (callee.object->what) {
    case Object::What::builtin:
    case Object::What::method: {
      Builtin& function = static_cast<Builtin&>(*callee.object);
      return function.function(*this, function.self, call).with(callee.labels, callee.control);
    }
    case Object::What::macro: {
      const Macro& macro = static_cast<Macro&>(*callee.object);
      return call_macro(macro, call);
    }
    case Object::What::loop:
      return loop_again(static_cast<Loop&>(*callee.object), call);
    case Object::What::joiner: {
      Joiner& joiner = static_cast<Joiner&>(*callee.object);
      if (!std::exchange(joiner.used, true)) return arena_.literal("", 0);
      return joiner.separator;
    }
    default:
      fail("it can't be called");
  }
}

Value Machine::filter(u32 node, std::string_view name, const Value& self, Call& arguments) {
  burn(1);
  const Function function = find_filter(name);
  if (function == nullptr) fail(fmt::format("no filter is called \"{}\"", name.substr(0, 40)));
  arguments.node = node;
  const Deeper deeper(*this);
  return function(*this, self, arguments);
}

bool Machine::test(u32 node, std::string_view name, const Value& self, Call& arguments, Labels& labels) {
  burn(1);
  const Test function = find_test(name);
  if (function == nullptr) fail(fmt::format("no test is called \"{}\"", name.substr(0, 40)));
  arguments.node = node;
  labels |= self.control;
  for (const Value& value : arguments.args) labels |= value.control;
  return function(*this, self, arguments, labels);
}

}  // namespace steelyard::wire::jinja
