#include "formats/detail/pickle_rules.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/checked.hpp"
#include "formats/detail/pickle_text_rules.hpp"

namespace steelyard::formats {
namespace {

using wire::pickle::Form;
using wire::pickle::Kind;
using wire::pickle::Node;
using wire::pickle::Value;

constexpr int kDeepest = 5;  // types of arguments of what made an argument …

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\\' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Cuts `text` at the next `separator` outside of brackets and quotes and returns what was in front of it.
std::string_view next(std::string_view& text, char separator) {
  int depth = 0;
  bool quoted = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\'') quoted = !quoted;
    if (quoted) continue;
    if (c == separator && depth == 0) break;
    if (c == '(' || c == '{') ++depth;
    if (c == ')' || c == '}') --depth;
  }
  const std::string_view part = trim(text.substr(0, i));
  text.remove_prefix(std::min(i + 1, text.size()));
  return part;
}

// Text up to a '*' at the end, or the whole.
bool covers(std::string_view pattern, std::string_view text) {
  if (pattern.ends_with('*')) return text.starts_with(pattern.substr(0, pattern.size() - 1));
  return text == pattern;
}

bool opaque(const Node* node) { return node == nullptr || node->items.size() != node->length; }

}  // namespace

gadgets::Entry PickleRules::entry_of(std::string_view type) {
  const std::size_t colon = std::min(type.find(':'), type.size());
  return gadgets::look_up(type.substr(0, colon), colon < type.size() ? type.substr(colon + 1) : "", 4);
}

bool PickleRules::acts(const gadgets::Entry& entry) {
  return std::ranges::any_of(entry.rules, [](std::string_view rules) { return trim(rules) != "import"; });
}

bool PickleRules::risky(const gadgets::Entry& entry) {
  return std::ranges::any_of(entry.rules, [](std::string_view rules) { return trim(rules).starts_with("risky;"); });
}

const Value* PickleRules::module_class(const wire::pickle::Machine& machine, const Value& value) {
  const Node* node = value.is(Kind::persistent) ? machine.node(value) : nullptr;
  if (node == nullptr || node->items.empty() || !node->items[0].is(Kind::tuple)) return nullptr;
  const Node* id = machine.node(node->items[0]);
  const bool module = !opaque(id) && id->items.size() >= 2 && id->items[0].is(Kind::text) &&
                      machine.text(id->items[0]) == "module" && id->items[1].is(Kind::global);
  return module ? &id->items[1] : nullptr;
}

Ruling PickleRules::rule(const gadgets::Entry& entry, std::string_view action, const std::vector<Value>* values) const {
  return rule(entry, action, values, 0);
}

Ruling PickleRules::rule(const gadgets::Entry& entry, std::string_view action, const std::vector<Value>* values,
                         int depth) const {
  Ruling refused;
  for (std::string_view rules : entry.rules) {
    while (!rules.empty()) {
      std::string_view clause = next(rules, ';');
      if (clause == "risky") continue;
      Ruling out;
      out.allowed = true;
      if (clause.starts_with("trust ")) {
        out.trust = true;
        clause = trim(clause.substr(6));
      } else if (clause.starts_with("native ")) {
        out.native = true;
        clause = trim(clause.substr(7));
      }
      if (const std::size_t arrow = clause.rfind("->"); arrow != std::string_view::npos) {
        out.result = trim(clause.substr(arrow + 2));
        clause = trim(clause.substr(0, arrow));
      }
      bool in_storage = false;
      if (clause.ends_with(" if storage")) {
        in_storage = true;
        clause = trim(clause.substr(0, clause.size() - 11));
      }
      if (action == "import") return out;
      const std::size_t open = std::min(clause.find('('), clause.size());
      const std::string_view verb = clause.substr(0, open);
      if (verb == "pure" && action == "call") return out;
      if (verb != action) continue;
      const std::string_view patterns = clause.substr(open + 1, clause.size() - open - 2);
      // Whatever the class, "__class__" and the like are no state.
      if (action == "build" && !out.trust && values != nullptr && special(values->front(), 0)) continue;
      if (values == nullptr ? patterns != "any*" && patterns != "any" : !list(patterns, *values, depth)) continue;
      if (in_storage && !storage(*values)) {
        refused.storage = true;
        continue;
      }
      return out;
    }
  }
  return refused;
}

// Whether a state would set a special attribute, those that only describe left out.
bool PickleRules::special(const Value& state, int depth) const {
  const Node* node = machine_.node(state);
  if (node == nullptr) return state.is(Kind::dict);
  if (state.is(Kind::tuple))
    return depth < 2 && std::ranges::any_of(node->items, [&](const Value& item) { return special(item, depth + 1); });
  if (!state.is(Kind::dict)) return false;
  constexpr auto kPlain = std::to_array<std::string_view>({"__doc__", "__name__", "__qualname__", "__module__"});
  for (std::size_t i = 0; i < node->items.size(); i += 2) {
    if (!node->items[i].is(Kind::text)) continue;
    const std::string key = machine_.text(node->items[i]);
    const bool whole = key.size() < wire::pickle::kKeptText;
    if (key.starts_with("__") && (!whole || key.ends_with("__")) && std::ranges::find(kPlain, key) == kPlain.end())
      return true;
  }
  return node->special;
}

bool PickleRules::list(std::string_view patterns, const std::vector<Value>& values, int depth) const {
  std::size_t at = 0;
  while (!patterns.empty()) {
    std::string_view pattern = next(patterns, ',');
    if (pattern.ends_with('*') && !pattern.starts_with('@')) {
      pattern.remove_suffix(1);
      for (; at < values.size(); ++at)
        if (!one(pattern, values[at], depth)) return false;
      return true;
    }
    const bool optional = pattern.ends_with('?');
    if (optional) pattern.remove_suffix(1);
    if (at == values.size()) {
      if (optional) continue;
      return false;
    }
    if (!one(pattern, values[at], depth)) return false;
    ++at;
  }
  return at == values.size();
}

bool PickleRules::one(std::string_view pattern, const Value& value, int depth) const {
  while (!pattern.empty())
    if (atom(next(pattern, '|'), value, depth)) return true;
  return false;
}

bool PickleRules::atom(std::string_view pattern, const Value& value, int depth) const {
  if (pattern == "any") return true;
  const char first = pattern.empty() ? '\0' : pattern.front();
  if (first == '\'') return value.is(Kind::text) && machine_.text(value) == pattern.substr(1, pattern.size() - 2);
  if (first == '@') {
    if (!value.is(Kind::global)) return false;
    const gadgets::Entry& entry = lookup_(value);
    return covers(pattern.substr(1), entry.module + ":" + entry.name);
  }
  if (first == '<') {
    if (!value.is(Kind::object) || depth > kDeepest) return false;
    std::string type = type_of(value, depth + 1);
    if (type == "joblib.numpy_pickle:NumpyArrayWrapper")
      type = "numpy:ndarray";  // joblib has put the array in its place
    return !type.empty() && covers(pattern.substr(1, pattern.size() - 2), type);
  }
  if (first == '(') {
    const Node* node = machine_.node(value);
    return value.is(Kind::tuple) && !opaque(node) && list(pattern.substr(1, pattern.size() - 2), node->items, depth);
  }
  if (first == '{') return dict(pattern.substr(1, pattern.size() - 2), value, depth);
  if (first >= '0' && first <= '9') {
    i64 number = 0;
    std::from_chars(pattern.data(), pattern.data() + pattern.size(), number);
    return value.is(Kind::integer) && value.form == Form::plain && value.integer == number;
  }
  return word(pattern, value, depth);
}

// Every entry that a pattern names matches it, and no entry is unknown.
bool PickleRules::dict(std::string_view pattern, const Value& value, int depth) const {
  const Node* node = machine_.node(value);
  if (!value.is(Kind::dict) || node == nullptr || node->items.size() != 2 * node->length) return false;
  for (std::size_t i = 0; i < node->items.size(); i += 2) {
    const Value& key = node->items[i];
    if (!key.is(Kind::text)) return false;
    const std::string name = machine_.text(key);
    std::string_view rest = pattern;
    while (!rest.empty()) {
      std::string_view entry = next(rest, ',');
      const std::string_view wanted = next(entry, ':');
      if (wanted == name && !one(trim(entry), node->items[i + 1], depth)) return false;
    }
  }
  return true;
}

bool PickleRules::word(std::string_view kind, const Value& value, int depth) const {
  const auto typed = [&](std::string_view type) {
    return value.is(Kind::object) && depth <= kDeepest && type_of(value, depth + 1) == type;
  };
  if (kind == "none") return value.is(Kind::none);
  if (kind == "bool") return value.is(Kind::boolean);
  if (kind == "int") return value.is(Kind::integer) || value.is(Kind::boolean) || typed("numpy:scalar");
  if (kind == "float") return value.is(Kind::real) || typed("numpy:scalar");
  if (kind == "number")
    return value.is(Kind::integer) || value.is(Kind::real) || value.is(Kind::boolean) || typed("numpy:scalar");
  if (kind == "str") return value.is(Kind::text) || typed("builtins:str");
  if (kind == "bytes")
    return value.is(Kind::bytes) || typed("builtins:bytes") || (value.is(Kind::text) && value.form == Form::eight_bit);
  if (kind == "text") return word("str", value, depth) || word("bytes", value, depth);
  if (kind == "bytearray") return value.is(Kind::bytearray) || typed("builtins:bytearray");
  if (kind == "tuple") return value.is(Kind::tuple) || typed("torch:Size");
  if (kind == "list") return value.is(Kind::list);
  if (kind == "dict")
    return value.is(Kind::dict) || typed("collections:OrderedDict") || typed("collections:defaultdict");
  if (kind == "set") return value.is(Kind::set) || typed("builtins:set");
  if (kind == "frozenset") return value.is(Kind::frozenset) || typed("builtins:frozenset");
  if (kind == "buffer") return value.is(Kind::buffer);
  if (kind == "persistent") return value.is(Kind::persistent);
  if (kind == "iterator") return typed("builtins:iterator");
  if (kind == "class" || kind == "callable") {
    if (!value.is(Kind::global)) return false;
    const gadgets::Entry& entry = lookup_(value);
    // A user's own class is reported by its name.
    if (entry.rules.empty())
      return (entry.known == gadgets::Known::no ||
              (kind == "class" && entry.known == gadgets::Known::package && gadgets::class_like(entry.name))) &&
             !entry.traversal && entry.harm.empty();
    const std::string_view verb = kind == "class" ? "create" : "pure";
    return std::ranges::any_of(entry.rules, [&](std::string_view rules) {
      while (!rules.empty())
        if (const std::string_view clause = next(rules, ';'); clause.substr(0, clause.find('(')) == verb) return true;
      return false;
    });
  }
  if (!value.is(Kind::text)) return false;
  const std::string text = machine_.text(value);
  if (text.size() != value.size && kind != "argparser") return false;
  if (kind == "word") return text_rules::word(text);
  if (kind == "dotted") return text_rules::dotted(text);
  if (kind == "upper") return text_rules::upper(text);
  if (kind == "dtype") return text_rules::dtype(text);
  if (kind == "argparser") return text_rules::argparser(text);
  if (kind == "formula") return text_rules::formula(text);
  return false;
}

std::string PickleRules::type_of(const Value& value, int depth) const {
  const Node* node = machine_.node(value);
  if (!value.is(Kind::object) || node == nullptr || depth > kDeepest) return {};
  const Value* named = module_class(machine_, node->items[0]);
  const Value& callee = named != nullptr ? *named : node->items[0];
  const Node* arguments = node->items[1].is(Kind::tuple) ? machine_.node(node->items[1]) : nullptr;
  gadgets::Entry made;
  std::string_view action = "call";
  if (callee.is(Kind::object)) {
    const std::string type = type_of(callee, depth + 1);
    if (type.empty()) return {};
    made = entry_of(type);
    action = "invoke";
  } else if (callee.is(Kind::global)) {
    made = lookup_(callee);
  } else {
    return {};
  }
  const auto first_global = [&]() -> std::string {
    if (arguments == nullptr || arguments->items.empty() || !arguments->items[0].is(Kind::global)) return {};
    const gadgets::Entry& entry = lookup_(arguments->items[0]);
    return entry.module + ":" + entry.name;
  };
  if (made.module == "copyreg" && made.name.starts_with("__newobj")) return first_global();
  if (arguments != nullptr && !opaque(arguments)) {
    const Ruling ruling = rule(made, action, &arguments->items, depth + 1);
    if (ruling.result == "$0") return first_global();
    if (ruling.allowed && !ruling.result.empty()) return std::string(ruling.result);
  }
  return action == "call" ? made.module + ":" + made.name : std::string();
}

// Of _rebuild_tensor…(storage, offset, size, stride, …): every element lies inside the storage, as far as the
// persistent id tells its length.
bool PickleRules::storage(const std::vector<Value>& values) const {
  if (values.size() < 4) return false;
  const auto count = [](const Value& value) -> std::optional<u64> {
    if (!value.is(Kind::integer) || value.form != Form::plain || value.integer < 0) return std::nullopt;
    return static_cast<u64>(value.integer);
  };
  const auto numbers = [&](const Value& value) -> const Node* {
    const Node* node = machine_.node(value);
    if (value.is(Kind::object) && node != nullptr) {  // torch.Size((…))
      const Node* arguments = machine_.node(node->items[1]);
      node = opaque(arguments) || arguments->items.size() != 1 ? nullptr : machine_.node(arguments->items[0]);
    }
    return opaque(node) ? nullptr : node;
  };
  const auto offset = count(values[1]);
  const Node* size = numbers(values[2]);
  const Node* stride = numbers(values[3]);
  if (!offset || size == nullptr || stride == nullptr || size->items.size() != stride->items.size()) return false;
  std::optional<u64> last = offset;
  bool empty = false;
  for (std::size_t i = 0; i < size->items.size(); ++i) {
    const auto length = count(size->items[i]);
    const auto step = count(stride->items[i]);
    if (!length || !step) return false;
    if (*length == 0) {
      empty = true;
      continue;
    }
    const auto reach = checked_mul(*length - 1, *step);
    last = last && reach ? checked_add(*last, *reach) : std::nullopt;
  }
  if (!last) return false;
  if (!values[0].is(Kind::persistent)) return true;
  const Node* storage = machine_.node(values[0]);
  const Node* id = storage ? machine_.node(storage->items[0]) : nullptr;
  if (opaque(id) || id->items.size() < 5) return true;  // not torch's form: reported by itself
  const auto elements = count(id->items[4]);
  return elements && (empty ? *offset <= *elements : *last < *elements);
}

}  // namespace steelyard::formats
