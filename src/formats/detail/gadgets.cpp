#include "formats/detail/gadgets.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/embedded.hpp"

namespace steelyard::formats::gadgets {
namespace {

struct Pattern {
  std::vector<std::string_view> modules;
  std::vector<std::string_view> except;
  std::vector<std::string_view> only;  // these, but not what is inside
  std::string_view rule;
};

// `pattern` with each '*' standing for any letters but a dot.
bool same(std::string_view pattern, std::string_view module) {
  std::size_t star = std::string_view::npos;  // behind the last one
  std::size_t retry = 0;
  std::size_t i = 0;
  std::size_t at = 0;
  while (at < module.size()) {
    if (i < pattern.size() && pattern[i] == '*') {
      star = ++i;
      retry = at;
    } else if (i < pattern.size() && pattern[i] == module[at]) {
      ++i;
      ++at;
    } else if (star != std::string_view::npos && module[retry] != '.') {
      i = star;
      at = ++retry;
    } else {
      return false;
    }
  }
  while (i < pattern.size() && pattern[i] == '*') ++i;
  return i == pattern.size();
}

// The module itself or one inside it.
bool inside(std::string_view module, std::string_view parent) {
  const std::size_t star = parent.find('*');
  if (star == std::string_view::npos)
    return module.starts_with(parent) && (module.size() == parent.size() || module[parent.size()] == '.');
  if (!module.starts_with(parent.substr(0, star))) return false;
  for (std::size_t end = star; end != std::string_view::npos; end = module.find('.', end + 1))
    if (same(parent, module.substr(0, end))) return true;
  return same(parent, module);
}

bool matches(const Pattern& pattern, std::string_view module) {
  const auto holds = [&](std::string_view parent) { return inside(module, parent); };
  return (std::ranges::any_of(pattern.modules, holds) ||
          std::ranges::find(pattern.only, module) != pattern.only.end()) &&
         std::ranges::none_of(pattern.except, holds);
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string_view top(std::string_view module) { return module.substr(0, module.find('.')); }

struct Data {
  using Names = std::unordered_map<std::string_view, std::vector<std::string_view>>;  // name -> rules
  std::unordered_map<std::string_view, Names> allow;                                  // by module
  std::unordered_map<std::string_view, std::vector<std::pair<std::string_view, std::string_view>>> harm;
  std::unordered_map<std::string_view, std::string_view> alias;
  std::unordered_map<std::string_view, std::string_view> old_modules;
  std::unordered_map<std::string_view, std::string_view> old_names;  // "module name" -> "module name"
  std::unordered_map<std::string_view, Known> owns;
  std::unordered_set<std::string_view> weights;  // "module.name"
  std::vector<Pattern> classes;
  std::vector<Pattern> functions;

  Data() {
    for (const auto& file : embedded::under("gadgets/")) add(file.text);
  }

  void add(std::string_view text) {
    bool strict = false;
    Pattern class_pattern;
    Pattern function_pattern;
    const std::vector<Setting> settings = read(text);
    for (const Setting& setting : settings) strict = strict || (setting.section.empty() && setting.key == "strict");
    for (const auto& [section, module, key, value] : settings) {
      if (section.empty()) {
        if (key == "owns") owns[value] = strict ? Known::strict : Known::library;
        if (key == "packages") owns.emplace(value, Known::package);
        if (key == "alias") {
          const std::size_t at = value.find(" = ");
          alias[value.substr(0, at)] = value.substr(at + 3);
        }
      } else if (section == "allow") {
        Names& names = allow[module];
        for (const auto name : words(key)) names[name].push_back(value);
      } else if (section == "harm") {
        for (const auto name : words(key)) harm[module].emplace_back(name, value);
      } else if (section == "weights_only") {
        weights.insert(value);
      } else if (section == "modules") {
        old_modules[key] = value;
      } else if (section == "names") {
        old_names[key] = value;
      } else if (section == "classes" || section == "functions") {
        Pattern& pattern = section == "classes" ? class_pattern : function_pattern;
        if (key == "modules") pattern.modules.push_back(value);
        if (key == "except") pattern.except.push_back(value);
        if (key == "only") pattern.only.push_back(value);
        if (key == "rule") pattern.rule = value;
      }
    }
    if (!class_pattern.rule.empty()) classes.push_back(std::move(class_pattern));
    if (!function_pattern.modules.empty() || !function_pattern.only.empty())
      functions.push_back(std::move(function_pattern));
  }

  std::string canonical(std::string_view module) const {
    for (std::size_t end = module.size(); end > 0;) {
      if (const auto known = alias.find(module.substr(0, end)); known != alias.end())
        return std::string(known->second) + std::string(module.substr(end));
      const std::size_t dot = module.substr(0, end).rfind('.');
      end = dot == std::string_view::npos ? 0 : dot;
    }
    return std::string(module);
  }

  // The words for a name of a module itself, else those for whatever a parent module has.
  std::string_view harm_of(std::string_view module, std::string_view name) const {
    const std::string_view head = name.substr(0, name.find('.'));
    for (std::string_view at = module;; at = at.substr(0, at.rfind('.'))) {
      if (const auto known = harm.find(at); known != harm.end()) {
        for (const auto& [pattern, what] : known->second) {
          const bool wild = pattern.ends_with('*');
          if (pattern != "*" && at != module) continue;
          if (wild ? head.starts_with(pattern.substr(0, pattern.size() - 1)) : head == pattern) return what;
        }
      }
      if (at.find('.') == std::string_view::npos) return {};
    }
  }
};

const Data& data() {
  static const Data loaded;
  return loaded;
}

bool plain_name(std::string_view name) {
  return !name.starts_with("__") && name.find("__") == std::string_view::npos && std::ranges::all_of(name, [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

// Of a dotted name: Class.Class or Class.method, without special attributes.
bool plain_path(std::string_view name) {
  std::size_t parts = 0;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('.'), name.size());
    if (!plain_name(name.substr(0, end)) || end == 0) return false;
    name.remove_prefix(std::min(end + 1, name.size()));
    ++parts;
  }
  return parts > 0;
}

}  // namespace

bool class_like(std::string_view name) {
  while (name.starts_with('_')) name.remove_prefix(1);
  return !name.empty() && name[0] >= 'A' && name[0] <= 'Z';
}

void preload() { data(); }

Entry look_up(std::string_view module, std::string_view name, int protocol) {
  const Data& all = data();
  Entry out;
  std::string mapped_module(module);
  std::string mapped_name(name);
  if (protocol < 3) {
    const std::string both = mapped_module + " " + mapped_name;
    if (const auto known = all.old_names.find(both); known != all.old_names.end()) {
      const std::size_t space = known->second.find(' ');
      mapped_module = known->second.substr(0, space);
      mapped_name = known->second.substr(space + 1);
    } else if (const auto moved = all.old_modules.find(module); moved != all.old_modules.end()) {
      mapped_module = moved->second;
    }
  }
  out.weights = all.weights.contains(mapped_module + "." + mapped_name);
  out.module = all.canonical(mapped_module);
  out.name = std::move(mapped_name);

  if (const auto known = all.owns.find(top(out.module)); known != all.owns.end()) out.known = known->second;
  if (const auto names = all.allow.find(out.module); names != all.allow.end()) {
    if (const auto rules = names->second.find(out.name); rules != names->second.end())
      out.rules = rules->second;
    else
      for (const auto& [pattern, rules_of] : names->second)
        if (pattern.ends_with('*') && out.name.starts_with(pattern.substr(0, pattern.size() - 1)) &&
            (pattern.size() > 1 || plain_name(out.name)))
          out.rules = rules_of;
  }
  const bool dotted = out.name.find('.') != std::string::npos;
  out.harm = all.harm_of(out.module, out.name);
  if (out.rules.empty() && dotted) {
    // Modules and special attributes on the way: "logging" "os.system", "a" "B.__init__.__globals__".
    std::string_view rest = out.name;
    out.traversal = !plain_path(rest) || protocol < 4 || out.known != Known::no;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('.'), rest.size());
      const std::string_view part = rest.substr(0, end);
      const std::string_view behind = end < rest.size() ? rest.substr(end + 1) : std::string_view();
      if (!behind.empty() && all.owns.contains(part)) {
        out.traversal = true;
        if (const auto harm = all.harm_of(all.canonical(part), behind); !harm.empty()) out.harm = harm;
      }
      rest = behind;
    }
  }
  if (!out.rules.empty()) return out;
  const bool harmful_name = !out.harm.empty() && all.harm.contains(out.module);
  if (class_like(out.name) && plain_path(out.name) && !harmful_name) {
    for (const Pattern& pattern : all.classes) {
      if (!matches(pattern, out.module)) continue;
      if (!dotted) out.rules.push_back(pattern.rule);
      if (dotted && std::ranges::count(out.name, '.') == 1) out.rules.push_back("import");
      out.traversal = false;
    }
  }
  if (out.rules.empty() && plain_name(out.name) && !class_like(out.name) && !harmful_name) {
    for (const Pattern& pattern : all.functions)
      if (matches(pattern, out.module)) out.rules.push_back("import");
  }
  return out;
}

std::vector<Setting> read(std::string_view text) {
  std::vector<Setting> out;
  std::string_view section;
  std::string_view module;
  std::string_view key;
  bool in_array = false;
  std::size_t at = 0;
  const auto skip_blank = [&] {
    while (at < text.size()) {
      if (text[at] == '#') {
        at = std::min(text.find('\n', at), text.size());
      } else if (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r' ||
                 (in_array && text[at] == ',')) {
        ++at;
      } else {
        return;
      }
    }
  };
  const auto quoted = [&] {
    const bool triple = text.substr(at).starts_with("\"\"\"");
    const std::string_view mark = triple ? "\"\"\"" : "\"";
    const std::size_t begin = at + mark.size();
    const std::size_t end = std::min(text.find(mark, begin), text.size());
    at = std::min(end + mark.size(), text.size());
    return text.substr(begin, end - begin);
  };
  for (skip_blank(); at < text.size(); skip_blank()) {
    if (in_array) {
      if (text[at] == ']') {
        in_array = false;
        ++at;
      } else {
        out.push_back({section, module, key, quoted()});
      }
    } else if (text[at] == '[') {
      const std::size_t end = std::min(text.find(']', at), text.size());
      section = text.substr(at + 1, end - at - 1);
      module = {};
      if (const std::size_t dot = section.find('.'); dot != std::string_view::npos) {
        module = section.substr(dot + 1);
        section = section.substr(0, dot);
        if (module.starts_with('"')) module = module.substr(1, module.size() - 2);
      }
      at = std::min(end + 1, text.size());
    } else {
      if (text[at] == '"') {
        key = quoted();
      } else {
        const std::size_t end = std::min(text.find_first_of(" =", at), text.size());
        key = text.substr(at, end - at);
        at = end;
      }
      at = std::min(text.find('=', at), text.size());
      at = std::min(at + 1, text.size());
      while (at < text.size() && text[at] == ' ') ++at;
      if (at < text.size() && text[at] == '[') {
        in_array = true;
        ++at;
      } else if (at < text.size() && text[at] == '"') {
        out.push_back({section, module, key, quoted()});
      } else {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        out.push_back({section, module, key, text.substr(at, end - at)});
        at = end;
      }
    }
  }
  return out;
}

}  // namespace steelyard::formats::gadgets
