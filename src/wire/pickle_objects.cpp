// Opcodes of the pickle machine that import, call, create and build: what a load does to the world.
#include "wire/pickle.hpp"

namespace steelyard::wire::pickle {
namespace {

bool perhaps_class(const Value& value) {
  return value.kind == Kind::global || value.kind == Kind::object || value.kind == Kind::persistent ||
         value.kind == Kind::lost;
}

// FNV-1a over the module, its length and the name.
u64 hash(std::string_view module, std::string_view name, int protocol) {
  u64 out = 14695981039346656037u;
  const auto mix = [&](u64 byte) { out = (out ^ byte) * 1099511628211u; };
  for (const char c : module) mix(static_cast<u8>(c));
  mix(256 + static_cast<u64>(protocol));
  for (const char c : name) mix(static_cast<u8>(c));
  return out;
}

}  // namespace

void Machine::emit(Event& event) {
  event.at = opcode_at_;
  event.end = offset();
  event.protocol = out_.protocol;
  event.after_fault = out_.fault.has_value();
  observer_.event(*this, event);
  if (observer_.enough()) out_.exhausted = true;
}

Value Machine::object(const Value& callee, const Value& arguments, const Value* keywords) {
  const Value made = make(Kind::object);
  if (Node* node = mutable_node(made)) {
    node->number = ++objects_;
    node->items = {callee, arguments};
    if (keywords != nullptr) node->items.push_back(*keywords);
    items_ += node->items.size();
    if (holds(*node)) node->weight += static_cast<float>(expanded(arguments));
  }
  return made;
}

bool Machine::import(std::string_view module, std::string_view name, bool cut) {
  Event event;
  event.what = Event::What::import;
  event.target.kind = Kind::global;
  // What protocol matters to find_class: old names below 3, no dots below 4.
  const int protocol = out_.protocol < 3 ? 2 : std::min(out_.protocol, 4);
  const u64 key = hash(module, name, protocol);
  const auto known = global_index_.find(key);
  if (known != global_index_.end()) {
    const Global& there = globals_[known->second];
    if (there.module == module && there.name == name && there.cut == cut && there.protocol == protocol) {
      event.target.node = known->second;
      emit(event);
      push(event.target);
      return true;
    }
  }
  Global made{std::string(module), std::string(name), cut, protocol};
  const bool room = globals_.size() < kMostGlobals && global_bytes_ < kMostGlobalBytes;
  global_bytes_ += module.size() + name.size();
  if (room) {
    globals_.push_back(std::move(made));
  } else if (overflow_ == 0) {
    overflow_ = static_cast<u32>(globals_.size());
    globals_.push_back(std::move(made));
  } else {
    globals_[overflow_] = std::move(made);  // told now, lost afterwards
  }
  event.target.node = room ? static_cast<u32>(globals_.size() - 1) : overflow_;
  if (room) global_index_.emplace(key, event.target.node);
  emit(event);
  push(room ? event.target : Value{});
  return true;
}

// GLOBAL and INST.
bool Machine::global_lines(bool instance) {
  std::size_t begin = 0;
  if (instance && !marker(begin)) return false;
  const Encoding encoding = instance ? Encoding::ascii : Encoding::utf8;
  Line first;
  if (!line(first)) return false;
  const std::string module(first.text.substr(0, kKeptText));
  const bool bad_module = first.length == 0 || !in_encoding(first.text, encoding);
  if (bad_module && !tolerate("module", "empty or not text")) return false;
  const bool cut = first.length > kKeptText;
  Line second;
  if (!line(second)) return false;
  const bool bad_name = second.length == 0 || !in_encoding(second.text, encoding);
  if (bad_name && !tolerate("name", "empty or not text")) return false;
  if (!import(module, second.text.substr(0, kKeptText), cut || second.length > kKeptText)) return false;
  if (!instance) return true;
  const Value callee = pop();
  return instantiate(callee, begin);
}

bool Machine::stack_global() {
  if (!settle(2)) {
    push({});
    return tolerate("stack", "too few values");
  }
  const Value name = pop();
  const Value module = pop();
  if (name.kind != Kind::text || module.kind != Kind::text) {
    const bool unknown =
        (open_ended(name) || name.kind == Kind::text) && (open_ended(module) || module.kind == Kind::text);
    if (!unknown || options_.exact) {
      push({});
      return tolerate("STACK_GLOBAL", "module and name must be texts");
    }
    // A text that a call returned, or one that wasn't kept.
    return import(module.kind == Kind::text ? text(module) : "?", name.kind == Kind::text ? text(name) : "?", true);
  }
  return import(text(module), text(name), module.size > kKeptText || name.size > kKeptText);
}

// What INST and OBJ do with a callee and the values from `begin` to the top of the stack.
bool Machine::instantiate(const Value& callee, std::size_t begin) {
  container(Kind::tuple, begin);
  const Value arguments = stack_.back();
  stack_.pop_back();
  if (!perhaps_class(callee)) {
    push({});
    return tolerate("instance", "it can't be called");
  }
  Event event;
  event.what = Event::What::instantiate;
  event.target = callee;
  event.argument = arguments;
  event.result = object(callee, arguments, nullptr);
  emit(event);
  push(event.result);
  return true;
}

bool Machine::obj() {
  std::size_t begin = 0;
  if (!marker(begin)) return false;
  if (begin >= stack_.size()) {
    push({});
    return tolerate("stack", "no class");
  }
  const Value callee = width(stack_[begin]) > 1 ? Value{} : stack_[begin];
  const bool going = instantiate(callee, begin + 1);
  const Value made = stack_.back();
  stack_.resize(begin);
  push(made);
  return going;
}

bool Machine::new_object(bool keywords) {
  if (!settle(keywords ? 3 : 2)) {
    push({});
    return tolerate("stack", "too few values");
  }
  Event event;
  event.what = Event::What::create;
  if (keywords) event.keywords = pop();
  event.argument = pop();
  event.target = pop();
  const auto may_be = [&](const Value& value, Kind kind) {
    return value.kind == kind || (open_ended(value) && !options_.exact);
  };
  if (!perhaps_class(event.target)) {
    push({});
    return tolerate("NEWOBJ", "it is no class");
  }
  if ((!may_be(event.argument, Kind::tuple) || (keywords && !may_be(event.keywords, Kind::dict))) &&
      !tolerate("NEWOBJ", "the arguments are no tuple or no dict"))
    return false;
  if (const Node* node = keywords && options_.exact ? this->node(event.keywords) : nullptr) {
    for (std::size_t i = 0; i < node->items.size(); i += 2)
      if (node->items[i].kind != Kind::text) return tolerate("NEWOBJ_EX", "a keyword that is no text");
  }
  event.result = object(event.target, event.argument, keywords ? &event.keywords : nullptr);
  emit(event);
  push(event.result);
  return true;
}

bool Machine::reduce() {
  if (!settle(2)) {
    push({});
    return tolerate("stack", "too few values");
  }
  Event event;
  event.what = Event::What::call;
  event.argument = pop();
  event.target = pop();
  if (!perhaps_class(event.target)) {
    push({});
    return tolerate("REDUCE", "it can't be called");
  }
  // CPython's Python unpickler, which joblib and others extend, takes any iterable.
  const bool tuple = event.argument.kind == Kind::tuple || (open_ended(event.argument) && !options_.exact);
  if (!tuple && !tolerate("REDUCE", "the arguments are no tuple")) return false;
  event.result = object(event.target, event.argument, nullptr);
  emit(event);
  push(event.result);
  return true;
}

// BUILD on a built-in value, which has neither __setstate__ nor __dict__.
bool Machine::build_plain(const Value& state) {
  Value attributes = state;
  Value slots;
  slots.kind = Kind::none;
  if (state.kind == Kind::tuple) {
    const Node* node = this->node(state);
    if (node == nullptr) return true;
    if (node->length == 2) {
      attributes = node->items[0];
      slots = node->items[1];
      if (attributes.kind != Kind::none) return tolerate("BUILD", "it has no attributes");
      if (slots.kind != Kind::dict)
        return (open_ended(slots) && !options_.exact) || tolerate("BUILD", "the slots are no dict");
      const Node* pairs = this->node(slots);
      return pairs == nullptr || pairs->length == 0 || tolerate("BUILD", "it has no such attribute");
    }
  }
  if (attributes.kind == Kind::none || (open_ended(attributes) && !options_.exact)) return true;
  return tolerate("BUILD", "it has no attributes");
}

bool Machine::build() {
  if (!settle(2)) return tolerate("stack", "too few values");
  const Value state = pop();
  const Value target = stack_.back();
  if (!open_ended(target)) return build_plain(state);
  Event event;
  event.what = Event::What::build;
  event.target = target;
  event.argument = state;
  emit(event);
  if (const u64 inside = observer_.after_build(*this, event); inside > 0) {
    sync();
    frame_end_ = 0;
    if (in_.remaining() < inside) return truncated();
    in_.skip(inside, "array");
    view();
  }
  return true;
}

bool Machine::persistent(const Value& id) {
  Event event;
  event.what = Event::What::persistent;
  event.argument = id;
  event.result = make(Kind::persistent);
  if (Node* node = mutable_node(event.result)) {
    node->number = ++objects_;
    node->items.push_back(id);
    ++items_;
  }
  emit(event);
  push(event.result);
  return true;
}

}  // namespace steelyard::wire::pickle
