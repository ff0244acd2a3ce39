// What a pickle costs whoever loads it or uses the result: values that sharing multiplies, nesting, hashing.
//
// Attacks resisted: a billion laughs (each container holds another one twice), containers nested deeper than any stack,
// keys whose hash visits shared tuples again and again, numbers and tuples of numbers with one hash (CPython 3.11:
// long_hash, tuplehash), lengths beyond the input. The order in which containers are filled doesn't matter: what was
// known when an item was put is summed at once, and all nodes that are left are summed again at the end. No recursion.
// Tested by tests/oracle/exhausting_test.py.
#include <algorithm>
#include <bit>

#include "wire/pickle.hpp"

namespace steelyard::wire::pickle {
namespace {

constexpr u64 kModulus = (u64{1} << 61) - 1;  // of the hashes of numbers
constexpr std::size_t kSlots = 1024;

bool nested(Kind kind) {
  return kind == Kind::tuple || kind == Kind::list || kind == Kind::dict || kind == Kind::set ||
         kind == Kind::frozenset;
}

u64 add(u64 a, u64 b) { return (a + b) % kModulus; }

// a · 2^bits: a rotation, for the modulus is all ones.
u64 shift(u64 a, int bits) { return ((a << bits) & kModulus) | (a >> (61 - bits)); }

}  // namespace

double Machine::expanded(const Value& value) const {
  if (!nested(value.kind) && value.kind != Kind::object) return 1;
  const Node* known = node(value);
  if (known == nullptr) return nested(value.kind) && value.size != 0 ? std::bit_cast<float>(value.size) : 1;
  return known->weight;
}

void Machine::weigh_item(Node& node, const Value& value, bool kept) {
  const auto weight = static_cast<float>(expanded(value));
  node.weight += weight;
  if (!kept) node.lost += weight;
  const Node* item = nested(value.kind) ? this->node(value) : nullptr;
  node.height = std::max(node.height, item != nullptr ? item->height + 1 : 1);
  out_.expanded = std::max<double>(out_.expanded, node.weight);
  out_.deepest = std::max(out_.deepest, node.height);
}

// Whether an object holds what it was called with, as OrderedDict does.
bool Machine::holds(const Node& object) const {
  if (object.items.empty() || !object.items[0].is(Kind::global)) return false;
  const std::string& module = globals_[object.items[0].node].module;
  return module == "collections" || module == "builtins" || module == "__builtin__" || module == "_collections";
}

void Machine::grow(const Value& target, const Value& items) {
  Node* node = target.is(Kind::object) ? mutable_node(target) : nullptr;
  if (node == nullptr || !holds(*node)) return;
  const auto weight = static_cast<float>(expanded(items));
  node->weight += weight;
  node->lost += weight;
  out_.expanded = std::max<double>(out_.expanded, node->weight);
}

// Sums all nodes again, deepest first: what was put into a container after that was put into another.
void Machine::weigh_all() {
  enum : u8 { unseen, open, done };
  std::vector<u8> states(nodes_.size(), unseen);
  std::vector<std::pair<u32, u32>> path;  // node, item to look at next
  for (u32 root = 1; root < nodes_.size(); ++root) {
    if (states[root] != unseen || nodes_[root].items.empty()) continue;
    path.emplace_back(root, 0);
    states[root] = open;
    while (!path.empty()) {
      const u32 current = path.back().first;
      Node& here = nodes_[current];
      if (path.back().second < here.items.size()) {
        const Value& item = here.items[path.back().second++];
        if (node(item) == nullptr || states[item.node] != unseen || item.node == 0) continue;
        path.emplace_back(item.node, 0);
        states[item.node] = open;
        continue;
      }
      path.pop_back();
      states[current] = done;
      const bool object = here.number != 0;
      if (object && !holds(here)) continue;
      float weight = 1 + here.lost;
      for (std::size_t i = object ? 1 : 0; i < here.items.size(); ++i) {
        const Value& item = here.items[i];
        const Node* inner = node(item);
        const bool circle = inner != nullptr && states[item.node] == open;
        weight += circle ? 1 : static_cast<float>(expanded(item));
        if (!object && inner != nullptr && !circle && nested(item.kind))
          here.height = std::max(here.height, inner->height + 1);
      }
      here.weight = std::max(here.weight, weight);
      out_.expanded = std::max<double>(out_.expanded, here.weight);
      out_.deepest = std::max(out_.deepest, here.height);
    }
  }
}

void Machine::hash_key(const Value& key) {
  if (!key.is(Kind::tuple)) return;
  out_.hashed += expanded(key);
  if (const Node* known = node(key)) out_.deepest_key = std::max(out_.deepest_key, known->height);
}

// The hash of a number, or of a tuple of numbers. -1 stays -1, so that it differs from -2.
std::optional<u64> Machine::hash_of(const Value& value, int depth) const {
  if (value.is(Kind::boolean)) return static_cast<u64>(value.integer);
  if (value.is(Kind::integer)) {
    if (value.form == Form::plain) {
      const bool negative = value.integer < 0;
      const u64 size = negative ? u64{0} - static_cast<u64>(value.integer) : static_cast<u64>(value.integer);
      return negative ? u64{0} - size % kModulus : size % kModulus;
    }
    const std::string raw = text(value);
    if (raw.size() != value.size || raw.empty()) return std::nullopt;
    u64 hash = 0;
    if (value.form == Form::little_endian) {
      const bool negative = (static_cast<u8>(raw.back()) & 0x80) != 0;
      for (std::size_t i = raw.size(); i > 0; --i)
        hash = add(shift(hash, 8), static_cast<u8>(negative ? ~raw[i - 1] : raw[i - 1]));
      return negative ? u64{0} - add(hash, 1) : hash;
    }
    for (const char c : raw)
      if (c >= '0' && c <= '9') hash = add(add(shift(hash, 3), shift(hash, 1)), static_cast<u64>(c - '0'));
    return raw.front() == '-' ? u64{0} - hash : hash;
  }
  const Node* known = value.is(Kind::tuple) && depth < 4 ? node(value) : nullptr;
  if (known == nullptr || known->items.size() != known->length) return std::nullopt;
  u64 hash = 2870177450012600261u;
  for (const Value& item : known->items) {
    const auto lane = hash_of(item, depth + 1);
    if (!lane) return std::nullopt;
    hash = std::rotl(hash + *lane * 14029467366897019727u, 31) * 11400714785074694791u;
  }
  return hash + (known->length ^ (2870177450012600261u ^ 3527539u));
}

// Numbers below the modulus are their own hash, so that only larger ones collide.
void Machine::note_number(const Value& value) {
  if (value.is(Kind::integer) && value.form == Form::plain && value.integer > -static_cast<i64>(kModulus) &&
      value.integer < static_cast<i64>(kModulus))
    return;
  if (const Node* tuple = value.is(Kind::tuple) ? node(value) : nullptr) {
    // Too few values for anybody to find many with one hash.
    u64 bits = 0;
    for (const Value& item : tuple->items) {
      const bool small = (item.is(Kind::integer) || item.is(Kind::boolean)) && item.form == Form::plain;
      bits += small
                  ? static_cast<u64>(std::bit_width(static_cast<u64>(item.integer < 0 ? ~item.integer : item.integer)))
                  : 64;
    }
    if (bits < 64) return;
  }
  const auto hash = hash_of(value, 0);
  if (!hash) return;
  u64 mark = 14695981039346656037u;
  const auto mix = [&](u64 word) { mark = (mark ^ word) * 1099511628211u; };
  const auto read = [&](const Value& number) {
    if (number.form == Form::plain) return mix(static_cast<u64>(number.integer));
    for (const char c : text(number)) mix(static_cast<u8>(c));
  };
  if (value.is(Kind::tuple)) {
    for (const Value& item : node(value)->items) {
      if (item.is(Kind::tuple)) return;  // of numbers only
      read(item);
    }
  } else {
    read(value);
  }
  note_hash(*hash, mark);
}

// The hash that comes most often, however many others there are.
void Machine::note_hash(u64 hash, u64 mark) {
  if (collisions_.empty()) collisions_.resize(kSlots);
  Collisions& slot = collisions_[(hash * 11400714785074694791u) >> 54];
  if (slot.count == 0) {
    slot = {hash, mark, 1};
  } else if (slot.hash != hash) {
    --slot.count;
  } else if (slot.last != mark) {
    slot.last = mark;
    out_.colliding = std::max(out_.colliding, ++slot.count);
  }
}

}  // namespace steelyard::wire::pickle
