// Opcodes of the pickle machine that make and fill containers.
//
// APPEND, SETITEM and ADDITEMS don't ask what they fill: on anything but a built-in container they
// call methods, which is told to the observer.
#include "wire/pickle.hpp"

namespace steelyard::wire::pickle {
namespace {

// What a sequence takes as an index, and a bytearray as an item.
bool index_like(const Value& value) { return value.kind == Kind::integer || value.kind == Kind::boolean; }

// Its value, when it is known and isn't longer than any index.
std::optional<i64> small_integer(const Value& value) {
  if (value.kind == Kind::boolean || (value.kind == Kind::integer && value.form == Form::plain)) return value.integer;
  return std::nullopt;
}

}  // namespace

// Whether the kind says nothing about what methods there are.
bool Machine::open_ended(const Value& value) const {
  switch (value.kind) {
    case Kind::global:
    case Kind::object:
    case Kind::persistent:
    case Kind::lost:
      return true;
    case Kind::buffer:
      return value.size == 0;
    default:
      return false;
  }
}

bool Machine::container(Kind kind, std::size_t begin) {
  if (begin == stack_.size() && kind == Kind::tuple) {
    Value empty;
    empty.kind = Kind::tuple;
    empty.offset = 0;
    push(empty);
    return true;
  }
  const Value made = make(kind);
  bool all_hashable = true;
  Node* node = mutable_node(made);
  for (std::size_t i = begin; i < stack_.size(); ++i) {
    all_hashable = all_hashable && hashable(stack_[i]);
    if (kind == Kind::frozenset) hash_key(stack_[i]);
    if (node != nullptr) keep(*node, stack_[i]);
  }
  if (node != nullptr) node->unhashable = !all_hashable;
  if (kind == Kind::tuple) note_number(made);
  stack_.resize(begin);
  push(made);
  return kind != Kind::frozenset || all_hashable || tolerate("FROZENSET", "an item that can't be hashed");
}

bool Machine::tuple(std::size_t count) {
  if (!settle(count)) {
    push({});
    return tolerate("stack", "too few values");
  }
  return container(Kind::tuple, stack_.size() - count);
}

bool Machine::put_pair(Node* node, const Value& key, const Value& value) {
  if (!hashable(key)) return tolerate("dict", "a key that can't be hashed");
  hash_key(key);
  if (node == nullptr) return true;
  ++node->length;
  if (node->items.size() + 2 <= 2 * kKeptItems && items_ < kMostItems + kMostItems / 4) {
    node->items.push_back(key);
    node->items.push_back(value);
    items_ += 2;
    weigh_item(*node, key, true);
    weigh_item(*node, value, true);
  } else {
    weigh_item(*node, key, false);
    weigh_item(*node, value, false);
    node->opaque = node->opaque || !constant(key.kind) || !constant(value.kind);
    node->special = node->special || (key.kind == Kind::text ? text(key, 2) == "__" : !constant(key.kind));
  }
  return true;
}

bool Machine::dict() {
  std::size_t begin = 0;
  if (!marker(begin)) return false;
  u64 count = 0;
  for (std::size_t i = begin; i < stack_.size(); ++i) count += width(stack_[i]);
  const Value made = make(Kind::dict);
  bool going = count % 2 == 0 || tolerate("DICT", "a key without a value");
  if (going) going = put_pairs(made, begin);
  stack_.resize(begin);
  push(made);
  return going;
}

// The pairs from `begin` to the top of the stack, into a dict.
bool Machine::put_pairs(const Value& target, std::size_t begin) {
  Node* node = mutable_node(target);
  for (std::size_t i = begin; i + 1 < stack_.size();) {
    if (width(stack_[i]) > 1 || width(stack_[i + 1]) > 1) {
      // A run of values that were not kept: nothing is known about the rest.
      if (node != nullptr) {
        for (; i < stack_.size(); ++i) node->length += width(stack_[i]);
        node->opaque = true;
        node->special = true;
      }
      return true;
    }
    if (!put_pair(node, stack_[i], stack_[i + 1])) return false;
    i += 2;
  }
  return true;
}

// The values from `begin` to the top of the stack, for the observer.
Value Machine::list_of(std::size_t begin) {
  const Value list = make(Kind::list);
  if (Node* node = mutable_node(list))
    for (std::size_t i = begin; i < stack_.size(); ++i) keep(*node, stack_[i]);
  return list;
}

bool Machine::extend_bytearray(const Value& array, std::size_t begin) {
  bool going = true;
  for (std::size_t i = begin; i < stack_.size() && going; ++i) {
    const auto byte = small_integer(stack_[i]);
    const bool unknown = open_ended(stack_[i]) && !options_.exact;
    if (!unknown && (!byte || *byte < 0 || *byte > 255)) going = tolerate("APPENDS", "not a byte");
  }
  if (Node* node = mutable_node(array)) {
    for (std::size_t i = begin; i < stack_.size(); ++i) node->length += width(stack_[i]);
    node->opaque = true;
  }
  return going;
}

bool Machine::append(std::size_t begin) {
  if (begin <= fence()) {
    stack_.resize(std::max(begin, fence()));
    return tolerate("stack", "nothing to append to");
  }
  if (begin == stack_.size()) return true;
  const Value target = width(stack_[begin - 1]) > 1 ? Value{} : stack_[begin - 1];
  bool going = true;
  if (target.kind == Kind::list) {
    if (Node* node = mutable_node(target))
      for (std::size_t i = begin; i < stack_.size(); ++i) keep(*node, stack_[i]);
  } else if (target.kind == Kind::bytearray) {
    going = extend_bytearray(target, begin);
  } else if (open_ended(target)) {
    Event event;
    event.what = Event::What::extend;
    event.target = target;
    event.argument = list_of(begin);
    grow(target, event.argument);
    emit(event);
  } else {
    going = tolerate("APPENDS", "it can't be appended to");
  }
  stack_.resize(begin);
  return going;
}

bool Machine::set_in_sequence(const Value& sequence, const Value& key, const Value& value) {
  if (!index_like(key) && !(open_ended(key) && !options_.exact)) return tolerate("SETITEMS", "not an index");
  Node* node = mutable_node(sequence);
  const auto index = small_integer(key);
  if (index && node != nullptr) {
    const auto length = static_cast<i64>(std::min<u64>(node->length, INT64_MAX));
    const i64 place = *index < 0 ? *index + length : *index;
    if (place < 0 || place >= length) return tolerate("SETITEMS", "an index out of range");
    if (sequence.kind == Kind::list && static_cast<u64>(place) < node->items.size()) {
      node->items[static_cast<std::size_t>(place)] = value;
      return true;
    }
  } else if (index_like(key) && !index) {
    return tolerate("SETITEMS", "an index out of range");
  }
  if (sequence.kind == Kind::bytearray) {
    const auto byte = small_integer(value);
    const bool unknown = open_ended(value) && !options_.exact;
    if (!unknown && (!byte || *byte < 0 || *byte > 255)) return tolerate("SETITEMS", "not a byte");
  }
  if (node != nullptr) node->opaque = true;
  return true;
}

bool Machine::set_items_from(std::size_t begin) {
  if (begin <= fence() || begin > stack_.size()) {
    stack_.resize(std::max(std::min(begin, stack_.size()), fence()));
    return tolerate("stack", "nothing to set items of");
  }
  if (begin == stack_.size()) return true;
  u64 count = 0;
  for (std::size_t i = begin; i < stack_.size(); ++i) count += width(stack_[i]);
  const Value target = width(stack_[begin - 1]) > 1 ? Value{} : stack_[begin - 1];
  bool going = count % 2 == 0 || tolerate("SETITEMS", "a key without a value");
  if (!going) return false;
  if (target.kind == Kind::dict) {
    going = put_pairs(target, begin);
  } else if (target.kind == Kind::list || target.kind == Kind::bytearray) {
    for (std::size_t i = begin; i + 1 < stack_.size() && going; i += 2)
      going = set_in_sequence(target, stack_[i], stack_[i + 1]);
  } else if (open_ended(target)) {
    Event event;
    event.what = Event::What::set_item;
    event.target = target;
    event.argument = list_of(begin);
    grow(target, event.argument);
    emit(event);
  } else {
    going = tolerate("SETITEMS", "it takes no items");
  }
  stack_.resize(begin);
  return going;
}

bool Machine::add_items() {
  std::size_t begin = 0;
  if (!marker(begin)) return false;
  if (begin <= fence()) {
    stack_.resize(std::max(begin, fence()));
    return tolerate("stack", "nothing to add to");
  }
  if (begin == stack_.size()) return true;
  const Value target = width(stack_[begin - 1]) > 1 ? Value{} : stack_[begin - 1];
  bool going = true;
  if (target.kind == Kind::set) {
    Node* node = mutable_node(target);
    for (std::size_t i = begin; i < stack_.size() && going; ++i) {
      if (!hashable(stack_[i])) going = tolerate("ADDITEMS", "an item that can't be hashed");
      hash_key(stack_[i]);
      if (node != nullptr) keep(*node, stack_[i]);
    }
  } else if (open_ended(target)) {
    Event event;
    event.what = Event::What::add;
    event.target = target;
    event.argument = list_of(begin);
    grow(target, event.argument);
    emit(event);
  } else {
    going = tolerate("ADDITEMS", "it takes no items");
  }
  stack_.resize(begin);
  return going;
}

}  // namespace steelyard::wire::pickle
