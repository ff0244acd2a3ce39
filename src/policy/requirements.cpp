// Reads and checks requirements, from TOML with carets and from JSON; one check of a value serves both.
//
// Attack resisted: a misspelt key or kind that silently asks for nothing. Unknown keys, kinds and
// values are errors, and so is a file that asks for nothing at all.
// Tested by tests/unit/requirements_test.cpp.
#include "policy/requirements.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/embedded.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "policy/kind.hpp"
#include "wire/toml.hpp"

namespace steelyard::policy {
namespace {

constexpr std::string_view kSchema = "steelyard/require/1";
constexpr std::string_view kFolder = "profiles/";
constexpr std::string_view kEnding = ".toml";
constexpr std::size_t kMostRequirements = 1024;
constexpr std::size_t kMostListed = 4096;

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    out.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return out;
}

std::string hint(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string near = text::closest(word, candidates);
  return near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near);
}

std::string text_fault(const Param& param, const json::Value& value) {
  if (!value.is_string() || value.string().empty()) return fmt::format("{} must be text that isn't empty", param.name);
  if (param.choices == "sha256")
    return is_sha256(value.string()) ? ""
                                     : fmt::format("{}: expected 64 lowercase hex digits, found \"{}\"", param.name,
                                                   text::display(value.string(), 80));
  const auto choices = split(param.choices);
  if (choices.empty() || std::ranges::find(choices, value.string()) != choices.end()) return {};
  return fmt::format("{} is \"{}\"; expected one of {}{}", param.name, text::display(value.string(), 64),
                     fmt::join(choices, ", "), hint(value.string(), choices));
}

// What is wrong with a value of a parameter, or nothing.
std::string fault(const Param& param, const json::Value& value) {
  switch (param.type) {
    case Param::Type::text:
      return text_fault(param, value);
    case Param::Type::flag:
      return value.is_bool() ? "" : fmt::format("{} must be true or false", param.name);
    case Param::Type::integer:
      if (!value.is_integer() || value.integer() < param.least || value.integer() > param.most)
        return fmt::format("{} must be a whole number from {} to {}", param.name, param.least, param.most);
      return {};
    case Param::Type::texts:
      break;
  }
  if (!value.is_array()) return fmt::format("{} must be a list of texts", param.name);
  if (param.required && value.array().empty()) return fmt::format("{} must name at least one", param.name);
  if (value.array().size() > kMostListed) return fmt::format("{} names more than {}", param.name, kMostListed);
  for (const json::Value& item : value.array()) {
    if (std::string message = text_fault(param, item); !message.empty()) return message;
  }
  return {};
}

std::string id_fault(const std::string& id) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  if (!id.empty() && id.size() <= 64 && std::ranges::all_of(id, plain)) return {};
  return fmt::format("id is \"{}\"; expected 1 to 64 of a-z, 0-9, '-', '_' and '.'", text::display(id, 64));
}

std::string kind_fault(const std::string& name) {
  if (find_kind(name)) return {};
  std::vector<std::string> names;
  for (const Kind* kind : kinds()) names.emplace_back(kind->name);
  return fmt::format("kind is \"{}\"; expected one of {}{}", text::display(name, 64), fmt::join(names, ", "),
                     hint(name, names));
}

// `kind`: of a table that has a name of its own; empty: the table says it.
Requirement read(toml::Table& table, std::string kind_name = {}) {
  Requirement item;
  item.id = table.required_text("id");
  item.kind = kind_name.empty() ? table.required_text("kind") : std::move(kind_name);
  item.why = table.text("why");
  if (std::string message = id_fault(item.id); table.has("id") && !message.empty()) table.error("id", message);
  const Kind* kind = find_kind(item.kind);
  if (!kind) {
    // The other keys mean nothing without a kind.
    if (table.has("kind")) table.error("kind", kind_fault(item.kind));
    return item;
  }
  bool good = true;
  for (const Param& param : kind->params) {
    const std::string key(param.name);
    const toml::Node* node = table.take(key);
    if (!node) {
      if (param.required) table.error(key, fmt::format("{} is required: {}", key, param.meaning));
      good = good && !param.required;
      continue;
    }
    json::Value value = toml::to_json(*node);
    const bool written = node->kind != toml::Node::Kind::date && node->kind != toml::Node::Kind::decimal;
    const std::string message =
        written ? fault(param, value) : fmt::format("{} may not be a date or a decimal number", key);
    if (!message.empty()) table.error(key, message);
    item.params.set(key, std::move(value));
    good = good && message.empty();
  }
  if (const std::string message = good && kind->fault != nullptr ? kind->fault(item.params) : ""; !message.empty())
    table.error(message.substr(0, message.find(':')), message);
  table.finish();
  return item;
}

std::string unknown_key(const json::Value& object, const std::vector<std::string>& known) {
  for (const auto& [key, value] : object.object()) {
    if (std::ranges::find(known, key) == known.end())
      return fmt::format("unknown key \"{}\"{}", text::display(key, 64), hint(key, known));
  }
  return {};
}

// Fills `item`; what is wrong with it, or nothing.
std::string read(const json::Value& from, Requirement& item) {
  if (std::string message = unknown_key(from, {"id", "kind", "why", "params"}); !message.empty()) return message;
  item = {from["id"].string(), from["kind"].string(), from["why"].string(), json::Object{}};
  if (std::string message = id_fault(item.id); !message.empty()) return message;
  if (std::string message = kind_fault(item.kind); !message.empty()) return message;
  if (!from["params"].is_object()) return "params must be an object";
  std::vector<std::string> known;
  for (const Param& param : find_kind(item.kind)->params) {
    known.emplace_back(param.name);
    const json::Value* value = from["params"].find(param.name);
    if (!value && param.required) return fmt::format("{} is required", param.name);
    if (!value) continue;
    if (std::string message = fault(param, *value); !message.empty()) return message;
    item.params.set(known.back(), *value);
  }
  if (std::string message = unknown_key(from["params"], known); !message.empty()) return message;
  const Kind* kind = find_kind(item.kind);
  return kind->fault == nullptr ? "" : kind->fault(item.params);
}

}  // namespace

const Kind* find_kind(std::string_view name) {
  const auto all = kinds();
  const auto found = std::ranges::find(all, name, &Kind::name);
  return found == all.end() ? nullptr : *found;
}

Result<Requirements> parse_requirements(std::string text, const std::string& name) {
  SY_TRY(const auto document, toml::Document::parse(std::move(text), name));
  toml::Table table(*document, document->root(), "requirements");
  if (const std::string schema = table.required_text("schema"); table.has("schema") && schema != kSchema)
    table.error("schema",
                fmt::format("schema is \"{}\"; this version reads \"{}\"", text::display(schema, 64), kSchema));
  Requirements requirements;
  requirements.name = table.required_text("name");
  requirements.title = table.text("title");
  std::set<std::string> ids;
  auto entries = table.tables("require");
  auto expectations = table.tables("expect");
  if (entries.empty() && expectations.empty())
    table.error("require", "at least one [[require]] is needed: nothing would be asked for");
  if (entries.size() + expectations.size() > kMostRequirements)
    return fail(ErrorCode::usage, fmt::format("{}: {} requirements, at most {}", name,
                                              entries.size() + expectations.size(), kMostRequirements));
  const auto add = [&](toml::Table& entry, Requirement item) {
    if (!item.id.empty() && !ids.insert(item.id).second)
      entry.error("id", fmt::format("the id \"{}\" is used twice", item.id));
    requirements.items.push_back(std::move(item));
  };
  for (toml::Table& entry : entries) add(entry, read(entry));
  for (toml::Table& entry : expectations) add(entry, read(entry, "expect"));
  table.finish();
  SY_CHECK(document->check());
  return requirements;
}

Result<Requirements> profile(std::string_view name) {
  const std::string path = fmt::format("{}{}{}", kFolder, name, kEnding);
  const std::string_view text = embedded::find(path);
  if (text.empty()) {
    const auto names = profile_names();
    return fail(ErrorCode::usage, fmt::format("no profile \"{}\": expected one of {}{}", text::display(name, 64),
                                              fmt::join(names, ", "), hint(std::string(name), names)));
  }
  return parse_requirements(std::string(text), path);
}

std::vector<std::string> profile_names() {
  std::vector<std::string> names;
  for (const auto& file : embedded::under(kFolder)) {
    std::string_view name = file.path;
    name.remove_prefix(kFolder.size());
    if (!name.ends_with(kEnding)) continue;
    name.remove_suffix(kEnding.size());
    names.emplace_back(name);
  }
  return names;
}

json::Value encode(const Requirements& requirements) {
  json::Value items = json::Array{};
  for (const Requirement& item : requirements.items)
    items.push(json::Value().set("id", item.id).set("kind", item.kind).set("why", item.why).set("params", item.params));
  return json::Value()
      .set("schema", kSchema)
      .set("name", requirements.name)
      .set("title", requirements.title)
      .set("require", std::move(items));
}

Result<Requirements> decode_requirements(const json::Value& document) {
  if (document["schema"].string() != kSchema)
    return fail(ErrorCode::usage, fmt::format("requirements: schema is {}, this version reads \"{}\"",
                                              json::compact(document["schema"]), kSchema));
  if (const std::string message = unknown_key(document, {"schema", "name", "title", "require"}); !message.empty())
    return fail(ErrorCode::usage, "requirements: " + message);
  Requirements requirements{document["name"].string(), document["title"].string(), {}};
  const json::Array& entries = document["require"].array();
  if (requirements.name.empty() || entries.empty() || entries.size() > kMostRequirements)
    return fail(ErrorCode::usage,
                fmt::format("requirements: expected a name and 1 to {} requirements", kMostRequirements));
  std::set<std::string> ids;
  for (const json::Value& entry : entries) {
    Requirement item;
    std::string message = read(entry, item);
    if (message.empty() && !ids.insert(item.id).second) message = "the id is used twice";
    if (!message.empty())
      return fail(ErrorCode::usage, fmt::format("requirement \"{}\": {}", text::display(item.id, 64), message));
    requirements.items.push_back(std::move(item));
  }
  return requirements;
}

}  // namespace steelyard::policy
