#include "wire/json_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/pattern.hpp"
#include "base/text.hpp"

namespace steelyard::wire {
namespace {

using Kind = JsonNode::Kind;

constexpr std::string_view kDraft = "https://json-schema.org/draft/2020-12/schema";
constexpr std::size_t kMostRules = 4096;
constexpr u32 kDeepest = 64;      // schemas applied to the same place, one within another
constexpr u64 kWork = 5'000'000;  // steps, about as many values looked at
constexpr std::string_view kAnnotations[] = {
    "title",     "description", "default", "examples",        "$comment",         "deprecated",    "readOnly",
    "writeOnly", "format",      "$defs",   "contentEncoding", "contentMediaType", "contentSchema", "definitions"};
constexpr std::array<std::pair<std::string_view, u32>, 7> kTypes = {{
    {"null", 1},
    {"boolean", 2},
    {"object", 4},
    {"array", 8},
    {"string", 16},
    {"number", 32},
    {"integer", 64},
}};

struct Rule {
  std::optional<bool> always;
  u32 types = 0;  // of kTypes; 0: any
  std::optional<std::vector<JsonNode>> values;
  std::optional<JsonNode> constant;
  std::vector<std::string> required;
  std::vector<std::pair<std::string, u32>> properties;
  std::vector<std::pair<Pattern, u32>> patterns;
  std::vector<std::pair<std::string, std::vector<std::string>>> dependent;
  std::optional<u32> additional, names, items, contains, negated, condition, then, otherwise, reference;
  std::vector<u32> prefix, all, any, one;
  bool unique = false;
  std::optional<Decimal> least, most, above, below, multiple;
  std::optional<Pattern> pattern;
  std::optional<u64> least_length, most_length, least_items, most_items, least_members, most_members, most_contains;
  u64 least_contains = 1;

  // Those that look at the same place of the document.
  std::vector<u32> here() const {
    std::vector<u32> out;
    for (const auto* list : {&all, &any, &one}) out.insert(out.end(), list->begin(), list->end());
    for (const auto& single : {negated, condition, then, otherwise, reference}) {
      if (single) out.push_back(*single);
    }
    return out;
  }
};

class Compiler {
 public:
  explicit Compiler(const JsonNode& root) : root_(root) {}

  Result<std::vector<Rule>> compile() {
    schema(root_, "");
    while (fault_.empty() && !pending_.empty()) {
      const auto [index, node, path] = pending_.back();
      pending_.pop_back();
      Rule rule;
      read(*node, path, rule);
      rules_[index] = std::move(rule);
    }
    if (fault_.empty()) check_cycles();
    if (!fault_.empty()) return fail(ErrorCode::usage, fault_);
    return std::move(rules_);
  }

 private:
  struct Pending {
    u32 index;
    const JsonNode* node;
    std::string path;
  };

  void refuse(const std::string& path, std::string_view why) {
    if (fault_.empty()) fault_ = fmt::format("schema at \"{}\": {}", text::display(path, 200), why);
  }

  u32 schema(const JsonNode& node, const std::string& path) {
    const auto [place, fresh] = known_.try_emplace(&node, static_cast<u32>(rules_.size()));
    if (!fresh) return place->second;
    if (rules_.size() == kMostRules) refuse(path, fmt::format("more than {} schemas", kMostRules));
    rules_.emplace_back();
    if (fault_.empty()) pending_.push_back({place->second, &node, path});
    return place->second;
  }

  std::vector<u32> list(const JsonNode& node, const std::string& path) {
    std::vector<u32> out;
    if (!node.is(Kind::array) || node.items.empty()) refuse(path, "expected a list of schemas that isn't empty");
    for (std::size_t i = 0; i < node.items.size(); ++i)
      out.push_back(schema(node.items[i], fmt::format("{}/{}", path, i)));
    return out;
  }

  std::vector<std::string> names(const JsonNode& node, const std::string& path) {
    std::vector<std::string> out;
    if (!node.is(Kind::array)) refuse(path, "expected a list of names");
    for (const JsonNode& item : node.items) {
      if (!item.is(Kind::text)) refuse(path, "expected a list of names");
      out.push_back(item.text);
    }
    return out;
  }

  std::optional<u64> count(const JsonNode& node, const std::string& path) {
    const auto number = node.is(Kind::number) ? node.number.whole() : std::nullopt;
    if (!number) refuse(path, "expected a whole number that isn't negative");
    return number;
  }

  std::optional<Decimal> number(const JsonNode& node, const std::string& path) {
    if (!node.is(Kind::number)) refuse(path, "expected a number");
    return node.number;
  }

  std::optional<Pattern> pattern(const std::string& text, const std::string& path) {
    auto compiled = Pattern::compile(text);
    if (!compiled) refuse(path, fmt::format("no regular expression that can be matched: {}", compiled.error().message));
    return compiled ? std::optional(*compiled) : std::nullopt;
  }

  u32 type(const JsonNode& node, const std::string& path) {
    const auto found = std::ranges::find(kTypes, std::string_view(node.text), &std::pair<std::string_view, u32>::first);
    if (!node.is(Kind::text) || found == kTypes.end()) {
      refuse(path, "expected a type: null, boolean, object, array, string, number or integer");
      return 0;
    }
    return found->second;
  }

  // "#/$defs/name", with ~0, ~1 and %20.
  void refer(const JsonNode& node, const std::string& path, Rule& rule) {
    std::string pointer;
    for (std::size_t i = 0; i < node.text.size(); ++i) {
      unsigned code = 0;
      const std::string hex = node.text[i] == '%' ? node.text.substr(i + 1, 2) : "";
      if (hex.size() == 2 && std::ranges::all_of(hex, [](unsigned char c) { return std::isxdigit(c) != 0; })) {
        code = static_cast<unsigned>(std::stoul(hex, nullptr, 16));
        i += 2;
      }
      pointer += code != 0 ? static_cast<char>(code) : node.text[i];
    }
    if (!node.is(Kind::text) || (pointer != "#" && !pointer.starts_with("#/")))
      return refuse(path, "only references within the document are followed: #/$defs/name");
    const JsonNode* target = &root_;
    std::string_view rest = std::string_view(pointer).substr(1);
    while (target != nullptr && !rest.empty()) {
      rest.remove_prefix(1);
      std::string step;
      const std::size_t end = std::min(rest.find('/'), rest.size());
      for (std::size_t i = 0; i < end; ++i) {
        const bool escape = rest[i] == '~' && i + 1 < end && (rest[i + 1] == '0' || rest[i + 1] == '1');
        step += !escape ? rest[i] : rest[++i] == '0' ? '~' : '/';
      }
      rest.remove_prefix(end);
      if (target->is(Kind::array)) {
        const auto index = Decimal::parse(step);
        const auto at = index ? index->whole() : std::nullopt;
        target = at && *at < target->items.size() ? &target->items[static_cast<std::size_t>(*at)] : nullptr;
      } else {
        target = target->find(step);
      }
    }
    if (target == nullptr) return refuse(path, fmt::format("nothing is at \"{}\"", text::display(node.text, 100)));
    rule.reference = schema(*target, pointer.substr(1));
  }

  void read(const JsonNode& node, const std::string& path, Rule& rule) {
    if (node.is(Kind::boolean)) {
      rule.always = node.flag;
      return;
    }
    if (!node.is(Kind::object)) return refuse(path, "expected an object, true or false");
    for (const auto& [key, value] : node.members)
      keyword(key, value, fmt::format("{}/{}", path, key), &node == &root_, rule);
  }

  void keyword(const std::string& key, const JsonNode& value, const std::string& path, bool root, Rule& rule) {
    if (std::ranges::find(kAnnotations, key) != std::end(kAnnotations) || key.starts_with("x-")) return;
    if (root && key == "$id") return;
    if (root && key == "$schema") {
      if (value.text != kDraft)
        refuse(path, fmt::format("expected \"{}\", found \"{}\"", kDraft, text::display(value.text, 100)));
      return;
    }
    const auto member = [&](std::optional<u32>& into) { into = schema(value, path); };
    const auto entries = [&](const auto& each) {
      if (!value.is(Kind::object)) refuse(path, "expected an object");
      for (const auto& [name, item] : value.members) each(name, item, fmt::format("{}/{}", path, name));
    };
    if (key == "type") {
      if (value.is(Kind::array)) {
        for (const JsonNode& item : value.items) rule.types |= type(item, path);
        if (value.items.empty()) refuse(path, "expected a type");
      } else {
        rule.types = type(value, path);
      }
    } else if (key == "enum") {
      if (!value.is(Kind::array)) refuse(path, "expected a list");
      rule.values = value.items;
    } else if (key == "const") {
      rule.constant = value;
    } else if (key == "required") {
      rule.required = names(value, path);
    } else if (key == "properties") {
      entries([&](const auto& name, const auto& item, const auto& at) {
        rule.properties.emplace_back(name, schema(item, at));
      });
    } else if (key == "patternProperties") {
      entries([&](const auto& name, const auto& item, const auto& at) {
        if (auto found = pattern(name, at)) rule.patterns.emplace_back(*found, schema(item, at));
      });
    } else if (key == "dependentRequired") {
      entries([&](const auto& name, const auto& item, const auto& at) {
        rule.dependent.emplace_back(name, names(item, at));
      });
    } else if (key == "additionalProperties") {
      member(rule.additional);
    } else if (key == "propertyNames") {
      member(rule.names);
    } else if (key == "items") {
      if (value.is(Kind::array)) return refuse(path, "a list belongs into prefixItems in draft 2020-12");
      member(rule.items);
    } else if (key == "prefixItems") {
      rule.prefix = list(value, path);
    } else if (key == "contains") {
      member(rule.contains);
    } else if (key == "not") {
      member(rule.negated);
    } else if (key == "if") {
      member(rule.condition);
    } else if (key == "then") {
      member(rule.then);
    } else if (key == "else") {
      member(rule.otherwise);
    } else if (key == "allOf") {
      rule.all = list(value, path);
    } else if (key == "anyOf") {
      rule.any = list(value, path);
    } else if (key == "oneOf") {
      rule.one = list(value, path);
    } else if (key == "$ref") {
      refer(value, path, rule);
    } else if (key == "uniqueItems") {
      if (!value.is(Kind::boolean)) refuse(path, "expected true or false");
      rule.unique = value.flag;
    } else if (key == "pattern") {
      if (!value.is(Kind::text)) return refuse(path, "expected a text");
      rule.pattern = pattern(value.text, path);
    } else if (key == "minimum") {
      rule.least = number(value, path);
    } else if (key == "maximum") {
      rule.most = number(value, path);
    } else if (key == "exclusiveMinimum") {
      rule.above = number(value, path);
    } else if (key == "exclusiveMaximum") {
      rule.below = number(value, path);
    } else if (key == "multipleOf") {
      rule.multiple = number(value, path);
      if (rule.multiple->negative || rule.multiple->digits.empty() || rule.multiple->digits.size() > 18)
        refuse(path, "expected a number above zero of at most 18 digits");
    } else if (key == "minLength") {
      rule.least_length = count(value, path);
    } else if (key == "maxLength") {
      rule.most_length = count(value, path);
    } else if (key == "minItems") {
      rule.least_items = count(value, path);
    } else if (key == "maxItems") {
      rule.most_items = count(value, path);
    } else if (key == "minProperties") {
      rule.least_members = count(value, path);
    } else if (key == "maxProperties") {
      rule.most_members = count(value, path);
    } else if (key == "minContains") {
      rule.least_contains = count(value, path).value_or(0);
    } else if (key == "maxContains") {
      rule.most_contains = count(value, path);
    } else {
      refuse(path, "a keyword that isn't understood");
    }
  }

  void check_cycles() {
    std::vector<u32> depth(rules_.size());  // 0: not visited; kDeepest + 1: being visited
    for (u32 i = 0; i < rules_.size(); ++i) {
      if (measure(i, depth, 0) > kDeepest)
        return refuse("", fmt::format("schemas that refer to themselves, or more than {} within another", kDeepest));
    }
  }

  u32 measure(u32 index, std::vector<u32>& depth, u32 above) {
    if (depth[index] != 0) return depth[index];
    if (above > kDeepest) return kDeepest + 1;
    depth[index] = kDeepest + 1;
    u32 below = 0;
    for (const u32 next : rules_[index].here()) below = std::max(below, measure(next, depth, above + 1));
    return depth[index] = std::min(below + 1, kDeepest + 1);
  }

  const JsonNode& root_;
  std::map<const JsonNode*, u32> known_;
  std::vector<Rule> rules_;
  std::vector<Pending> pending_;
  std::string fault_;
};

class Validator {
 public:
  explicit Validator(const std::vector<Rule>& rules) : rules_(rules) {}

  bool valid(u32 index, const JsonNode& node) {
    const Rule& rule = rules_[index];
    if (!spend(1)) return false;
    if (rule.always) return *rule.always;
    if (rule.types != 0 && !typed(rule.types, node)) return false;
    if (rule.values && std::ranges::none_of(*rule.values, [&](const JsonNode& one) { return equal(one, node); }))
      return false;
    if (rule.constant && !equal(*rule.constant, node)) return false;
    return combined(rule, node) && (!node.is(Kind::number) || number(rule, node)) &&
           (!node.is(Kind::text) || text(rule, node)) && (!node.is(Kind::array) || array(rule, node)) &&
           (!node.is(Kind::object) || object(rule, node));
  }

  bool exhausted() const { return left_ == 0; }

 private:
  // What used the work up isn't valid, whatever a `not` makes of it: the caller looks at exhausted().
  bool spend(u64 steps) {
    left_ -= std::min(left_, steps);
    return left_ > 0;
  }

  bool equal(const JsonNode& a, const JsonNode& b) {
    if (!spend(1) || a.kind != b.kind) return false;
    switch (a.kind) {
      case Kind::null:
        return true;
      case Kind::boolean:
        return a.flag == b.flag;
      case Kind::number:
        return a.text == b.text && a.number == b.number;
      case Kind::text:
        return spend(a.text.size() / 64) && a.text == b.text;
      case Kind::array:
        return a.items.size() == b.items.size() &&
               std::ranges::equal(a.items, b.items, [&](const auto& x, const auto& y) { return equal(x, y); });
      case Kind::object:
        break;
    }
    return a.members.size() == b.members.size() && std::ranges::all_of(a.members, [&](const auto& member) {
             const JsonNode* other = find(b, member.name);
             return other != nullptr && equal(member.value, *other);
           });
  }

  const JsonNode* find(const JsonNode& node, std::string_view key) {
    return spend(node.members.size() / 4) ? node.find(key) : nullptr;
  }

  static bool typed(u32 types, const JsonNode& node) {
    constexpr u32 kNumber = 32, kInteger = 64;
    switch (node.kind) {
      case Kind::null:
        return (types & 1) != 0;
      case Kind::boolean:
        return (types & 2) != 0;
      case Kind::object:
        return (types & 4) != 0;
      case Kind::array:
        return (types & 8) != 0;
      case Kind::text:
        return (types & 16) != 0;
      case Kind::number:
        break;
    }
    return (types & kNumber) != 0 || ((types & kInteger) != 0 && node.number.integral());
  }

  bool combined(const Rule& rule, const JsonNode& node) {
    const auto holds = [&](u32 index) { return valid(index, node); };
    if (rule.reference && !holds(*rule.reference)) return false;
    if (!std::ranges::all_of(rule.all, holds)) return false;
    if (!rule.any.empty() && !std::ranges::any_of(rule.any, holds)) return false;
    if (!rule.one.empty() && std::ranges::count_if(rule.one, holds) != 1) return false;
    if (rule.negated && holds(*rule.negated)) return false;
    if (!rule.condition) return true;
    const auto& branch = holds(*rule.condition) ? rule.then : rule.otherwise;
    return !branch || holds(*branch);
  }

  static bool divides(const Decimal& unit, const Decimal& value) {
    if (value.digits.empty()) return true;
    // Without zeros at its end, a value of a smaller power of ten is no multiple.
    if (value.exponent < unit.exponent) return false;
    __extension__ using Wide = unsigned __int128;
    u64 by = 0;
    for (const char c : unit.digits) by = by * 10 + static_cast<u64>(c - '0');
    Wide rest = 0;
    for (const char c : value.digits) rest = (rest * 10 + static_cast<Wide>(c - '0')) % by;
    Wide power = 10 % by;
    for (auto exponent = static_cast<u64>(value.exponent - unit.exponent); exponent > 0; exponent >>= 1U) {
      if ((exponent & 1U) != 0) rest = rest * power % by;
      power = power * power % by;
    }
    return rest == 0;
  }

  bool number(const Rule& rule, const JsonNode& node) {
    const Decimal& value = node.number;
    return spend(value.digits.size() / 64) && (!rule.least || value >= *rule.least) &&
           (!rule.most || value <= *rule.most) && (!rule.above || value > *rule.above) &&
           (!rule.below || value < *rule.below) && (!rule.multiple || divides(*rule.multiple, value));
  }

  bool text(const Rule& rule, const JsonNode& node) {
    if (!spend(node.text.size() / 16)) return false;
    const auto characters = static_cast<u64>(
        std::ranges::count_if(node.text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
    return (!rule.least_length || characters >= *rule.least_length) &&
           (!rule.most_length || characters <= *rule.most_length) &&
           (!rule.pattern || rule.pattern->found_in(node.text));
  }

  bool array(const Rule& rule, const JsonNode& node) {
    const auto& items = node.items;
    if (rule.least_items && items.size() < *rule.least_items) return false;
    if (rule.most_items && items.size() > *rule.most_items) return false;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i < rule.prefix.size() ? !valid(rule.prefix[i], items[i]) : rule.items && !valid(*rule.items, items[i]))
        return false;
    }
    if (rule.contains) {
      const auto hits =
          static_cast<u64>(std::ranges::count_if(items, [&](const auto& item) { return valid(*rule.contains, item); }));
      if (hits < rule.least_contains || (rule.most_contains && hits > *rule.most_contains)) return false;
    }
    for (std::size_t i = 0; rule.unique && i < items.size(); ++i) {
      for (std::size_t k = 0; k < i; ++k) {
        if (equal(items[i], items[k]) || left_ == 0) return false;
      }
    }
    return true;
  }

  bool object(const Rule& rule, const JsonNode& node) {
    const auto& members = node.members;
    if (rule.least_members && members.size() < *rule.least_members) return false;
    if (rule.most_members && members.size() > *rule.most_members) return false;
    const auto there = [&](const std::string& key) { return find(node, key) != nullptr; };
    if (!std::ranges::all_of(rule.required, there)) return false;
    for (const auto& [key, needed] : rule.dependent) {
      if (there(key) && !std::ranges::all_of(needed, there)) return false;
    }
    return std::ranges::all_of(members,
                               [&](const auto& member) { return this->member(rule, member.name, member.value); });
  }

  bool member(const Rule& rule, const std::string& key, const JsonNode& value) {
    if (!spend(1 + key.size() / 16 + rule.properties.size() / 4)) return false;
    if (rule.names) {
      JsonNode name;
      name.kind = Kind::text;
      name.text = key;
      if (!valid(*rule.names, name)) return false;
    }
    bool known = false;
    for (const auto& [name, schema] : rule.properties) {
      if (name != key) continue;
      known = true;
      if (!valid(schema, value)) return false;
    }
    for (const auto& [pattern, schema] : rule.patterns) {
      if (!pattern.found_in(key)) continue;
      known = true;
      if (!valid(schema, value)) return false;
    }
    return known || !rule.additional || valid(*rule.additional, value);
  }

  const std::vector<Rule>& rules_;
  u64 left_ = kWork;
};

}  // namespace

struct JsonSchema::Compiled {
  std::vector<Rule> rules;
};

Result<JsonSchema> JsonSchema::read(const JsonNode& document) {
  SY_TRY(std::vector<Rule> rules, Compiler(document).compile());
  return JsonSchema(std::make_shared<const Compiled>(Compiled{std::move(rules)}));
}

bool JsonSchema::valid(const JsonNode& instance) const {
  Validator validator(compiled_->rules);
  return validator.valid(0, instance) && !validator.exhausted();
}

}  // namespace steelyard::wire
