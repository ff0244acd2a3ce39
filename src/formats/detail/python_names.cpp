#include "formats/detail/python_names.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <vector>

#include "base/embedded.hpp"
#include "wire/toml.hpp"

namespace steelyard::formats {
namespace {

using Names = std::set<std::string, std::less<>>;

// Exact names, and beginnings (written with a * at their end).
struct Patterns {
  Names exact;
  std::vector<std::string> beginnings;

  void add(std::string pattern) {
    if (pattern.ends_with('*')) {
      pattern.pop_back();
      beginnings.push_back(std::move(pattern));
    } else {
      exact.insert(std::move(pattern));
    }
  }
  bool match(std::string_view name) const {
    return exact.contains(name) ||
           std::ranges::any_of(beginnings, [&](const std::string& b) { return name.starts_with(b); });
  }
};

struct Table {
  std::vector<std::pair<Effect, Patterns>> effects;
  Patterns harmless;
  Names system;
  Names known;
  Names pipelines;
  Names standard;
  struct Hook {
    std::string who;
    Names names;
    Patterns bases;
  };
  std::vector<Hook> hooks;
};

// A broken table is a bug of this build: every test that touches it fails.
Table load() {
  constexpr std::string_view kPath = "code/python.toml";
  const auto document = toml::Document::parse(std::string(embedded::find(kPath)), "data/" + std::string(kPath));
  if (!document) throw std::logic_error(document.error().message);
  toml::Table root(**document, (*document)->root(), "table");
  (void)root.required_text("schema");
  Table table;
  for (toml::Table& effect : root.tables("effect")) {
    auto& [about, calls] = table.effects.emplace_back();
    about = {effect.required_text("id"), effect.required_text("says")};
    for (std::string& call : effect.texts("calls")) calls.add(std::move(call));
    effect.finish();
  }
  if (auto modules = root.table("modules")) {
    const auto names = [&](const char* key) {
      auto list = modules->texts(key);
      return Names(list.begin(), list.end());
    };
    table.system = names("system");
    table.known = names("known");
    table.pipelines = names("pipelines");
    table.standard = names("standard");
    for (std::string& name : modules->texts("harmless")) table.harmless.add(std::move(name));
    modules->finish();
  }
  for (toml::Table& hook : root.tables("hook")) {
    auto& [who, names, bases] = table.hooks.emplace_back();
    who = hook.required_text("who");
    for (std::string& name : hook.texts("names")) names.insert(std::move(name));
    for (std::string& base : hook.texts("bases")) bases.add(std::move(base));
    hook.finish();
  }
  root.finish();
  if (const auto checked = (*document)->check(); !checked) throw std::logic_error(checked.error().message);
  return table;
}

const Table& table() {
  static const Table loaded = load();
  return loaded;
}

std::string_view first_part(std::string_view name) { return name.substr(0, name.find('.')); }

}  // namespace

const Effect* effect_of(std::string_view name) {
  if (table().harmless.match(name)) return nullptr;
  for (const auto& [effect, calls] : table().effects) {
    if (calls.match(name)) return &effect;
  }
  return nullptr;
}

Target judge_target(std::string_view name) {
  if (table().harmless.match(name)) return {Target::Kind::known, {}};
  if (const Effect* effect = effect_of(name)) return {Target::Kind::harmful, effect->says};
  for (std::string_view rest = name; !rest.empty();) {
    const std::string_view part = first_part(rest);
    if (table().system.contains(part)) return {Target::Kind::harmful, "reaches the module " + std::string(part)};
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  }
  return {known_library(first_part(name)) ? Target::Kind::known : Target::Kind::unknown, {}};
}

bool known_library(std::string_view module) { return table().known.contains(first_part(module)); }

bool standard_module(std::string_view module) { return table().standard.contains(module); }

std::string_view framework_of_name(std::string_view defined) {
  const auto hook = std::ranges::find_if(table().hooks, [&](const auto& h) { return h.names.contains(defined); });
  return hook == table().hooks.end() ? std::string_view() : hook->who;
}

std::string_view framework_of_base(std::string_view base) {
  const auto hook = std::ranges::find_if(table().hooks, [&](const auto& h) { return h.bases.match(base); });
  return hook == table().hooks.end() ? std::string_view() : hook->who;
}

bool diffusers_pipeline(std::string_view module) { return table().pipelines.contains(module); }

}  // namespace steelyard::formats
