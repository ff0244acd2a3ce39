// Values of the pickle machine: nodes without recursion, found unused by marking.
//
// Attacks resisted: millions of nested or memoized containers. When all nodes are in use, those that
// only the memo holds are given up: their kind stays known, their content is not.
#include <bit>

#include "wire/pickle.hpp"

namespace steelyard::wire::pickle {
namespace {

bool has_node(Kind kind) {
  switch (kind) {
    case Kind::bytearray:
    case Kind::tuple:
    case Kind::list:
    case Kind::dict:
    case Kind::set:
    case Kind::frozenset:
    case Kind::object:
    case Kind::persistent:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool constant(Kind kind) {
  switch (kind) {
    case Kind::none:
    case Kind::boolean:
    case Kind::integer:
    case Kind::real:
    case Kind::text:
    case Kind::bytes:
      return true;
    default:
      return false;
  }
}

const Node* Machine::node(const Value& value) const {
  return has_node(value.kind) && value.node != kNoNode ? &nodes_[value.node] : nullptr;
}

Node* Machine::mutable_node(const Value& value) {
  return has_node(value.kind) && value.node != kNoNode ? &nodes_[value.node] : nullptr;
}

std::string Machine::text(const Value& value, std::size_t most) const {
  // An escape takes up to ten bytes of the stream, in lines that end within kKeptLine.
  const std::size_t longest = value.form == Form::plain || value.form == Form::eight_bit ? most : 10 * most;
  std::string out(std::min<std::size_t>(value.size, longest), '\0');
  const u64 window = static_cast<u64>(end_ - begin_);
  if (value.offset >= base_ && value.offset - base_ < window && out.size() <= window - (value.offset - base_)) {
    std::memcpy(out.data(), begin_ + (value.offset - base_), out.size());
  } else {
    out.resize(source_.read(value.offset, std::as_writable_bytes(std::span(out))));
  }
  switch (value.form) {
    case Form::escaped:
      out = from_latin1(unescape(out).value_or(out));
      break;
    case Form::unicode_escaped:
      out = unescape_unicode(out).value_or(out);
      break;
    case Form::eight_bit:
      out = from_latin1(out);
      break;
    default:
      break;
  }
  if (out.size() > most) out.resize(most);
  return out;
}

Value Machine::make(Kind kind) {
  Value value;
  value.kind = kind;
  value.offset = 0;
  if (!free_.empty()) {
    value.node = free_.back();
    free_.pop_back();
  } else if (nodes_.size() < kMostNodes + 1024) {
    value.node = static_cast<u32>(nodes_.size());
    nodes_.emplace_back();
  } else {
    value.node = kNoNode;
  }
  return value;
}

// Puts `value` into a container.
void Machine::keep(Node& node, const Value& value) {
  if (value.form == Form::run && value.kind == Kind::lost) {
    node.length += static_cast<u64>(value.integer);
    node.lost += static_cast<float>(value.integer);
    node.weight += static_cast<float>(value.integer);
    node.opaque = true;
    return;
  }
  ++node.length;
  const bool kept = node.items.size() < kKeptItems && items_ < kMostItems + kMostItems / 4;
  if (kept) {
    node.items.push_back(value);
    ++items_;
  } else if (!constant(value.kind)) {
    node.opaque = true;
  }
  weigh_item(node, value, kept);
}

void Machine::mark_all(bool memo) {
  std::vector<u32> waiting;
  const auto reach = [&](const Value& value) {
    if (!has_node(value.kind) || value.node == kNoNode || nodes_[value.node].marked) return;
    nodes_[value.node].marked = true;
    waiting.push_back(value.node);
  };
  nodes_[0].marked = true;
  for (const Value& value : stack_) reach(value);
  if (memo) {
    for (const auto& chunk : memo_) {
      if (!chunk) continue;
      for (const Value& value : *chunk) reach(value);
    }
  }
  while (!waiting.empty()) {
    const u32 next = waiting.back();
    waiting.pop_back();
    for (const Value& value : nodes_[next].items) reach(value);
  }
}

void Machine::sweep() {
  free_.clear();
  items_ = 0;
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    if (nodes_[i].marked) {
      items_ += nodes_[i].items.size();
    } else {
      // Few items: their memory is used again.
      std::vector<Value> items = std::move(nodes_[i].items);
      items.clear();
      nodes_[i] = Node{};
      if (items.capacity() <= 8) nodes_[i].items = std::move(items);
      free_.push_back(static_cast<u32>(i));
    }
    nodes_[i].marked = false;
  }
}

void Machine::collect() {
  mark_all(true);
  std::size_t items = 0;
  std::size_t nodes = 0;
  for (const Node& node : nodes_) {
    nodes += node.marked ? 1 : 0;
    items += node.marked ? node.items.size() : 0;
  }
  if (nodes > kMostNodes / 2 || items > kMostItems / 2) {
    weigh_all();
    for (Node& node : nodes_) node.marked = false;
    for (const auto& chunk : memo_) {
      if (!chunk) continue;
      for (Value& value : *chunk) {
        if (!has_node(value.kind) || value.node == 0 || value.node == kNoNode) continue;
        value.size = std::bit_cast<u32>(nodes_[value.node].weight);
        value.node = kNoNode;
      }
    }
    mark_all(false);
  }
  sweep();
  if (crowded()) collect_at_ = out_.opcodes + kPause;
}

bool Machine::hashable(const Value& value) const {
  switch (value.kind) {
    case Kind::list:
    case Kind::dict:
    case Kind::set:
    case Kind::bytearray:
      return false;
    case Kind::tuple: {
      const Node* known = node(value);
      return known == nullptr || !known->unhashable;
    }
    case Kind::buffer:
      return value.size == 0;
    default:
      return true;
  }
}

}  // namespace steelyard::wire::pickle
