#include "cli/settings.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/text.hpp"
#include "io/file.hpp"
#include "report/renderer.hpp"
#include "stores/store.hpp"
#include "wire/toml.hpp"

namespace steelyard::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kName = "steelyard.toml";
constexpr std::string_view kSchema = "steelyard/config/1";
constexpr u64 kMostBytes = u64{1} << 20;

std::string fault(const Flag& flag, const std::string& value) {
  const auto choices = split(flag.choices);
  if (choices.empty() || std::ranges::find(choices, value) != choices.end()) return {};
  const std::string near = text::closest(value, choices);
  return fmt::format("is \"{}\"; expected one of {}{}", text::display(value, 64), fmt::join(choices, ", "),
                     near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near));
}

// How often a switch counts as given by a variable; nothing when the text means neither yes nor no.
std::optional<std::size_t> times(const Flag& flag, const std::string& value) {
  const std::string word = text::lower(value);
  for (const char* no : {"0", "false", "no", "off"}) {
    if (word == no) return 0;
  }
  for (const char* yes : {"1", "true", "yes", "on"}) {
    if (word == yes) return 1;
  }
  return flag.repeatable && word == "2" ? std::optional<std::size_t>(2) : std::nullopt;
}

Result<bool> from_environment(const Command& command, const std::vector<Flag>& flags, Arguments& arguments,
                              const Environment& environment) {
  for (const Flag& flag : flags) {
    const std::string name = long_name(flag);
    const auto value = environment.variable(variable_of(flag));
    if (!value || arguments.has(name)) continue;
    // STEELYARD_FORMAT=sarif is about reports; `steelyard rules` has none.
    if (!command.reports && !fault(flag, *value).empty()) continue;
    if (flag.value.empty()) {
      const auto number = times(flag, *value);
      if (!number)
        return fail(ErrorCode::usage,
                    fmt::format("{} is \"{}\"; expected 1 or 0", variable_of(flag), text::display(*value, 64)));
      if (*number == 0) continue;
      arguments.values[name].assign(*number, "true");
    } else {
      arguments.values[name] = {*value};
    }
    arguments.origins[name] = variable_of(flag);
  }
  return true;
}

// Why nobody should go by a file that was found rather than named; empty: no reason.
std::string distrust(const fs::path& file, const Environment& environment) {
  std::error_code error;
  for (const stores::Store* store : stores::all()) {
    if (store->where == nullptr) continue;
    for (const fs::path& root : store->where(environment)) {
      const fs::path within = file.lexically_relative(fs::weakly_canonical(root, error));
      if (!within.empty() && *within.begin() != "..") return "it lies in a store of models";
    }
  }
  struct stat info{};
  if (::stat(file.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return "it is no regular file";
  if (info.st_uid != ::geteuid() && info.st_uid != 0) return "it belongs to somebody else";
  if ((info.st_mode & S_IWOTH) != 0) return "everybody may write it";
  return {};
}

fs::path nearest(const Environment& environment) {
  std::error_code error;
  fs::path folder = fs::current_path(error);
  if (error) return {};
  const fs::path home = environment.variable("HOME").value_or("");
  for (;; folder = folder.parent_path()) {
    if (fs::exists(folder / kName, error)) return folder / kName;
    for (const char* root : {".git", ".hg", ".svn"}) {
      if (fs::exists(folder / root, error)) return {};
    }
    if (folder == home || folder == folder.parent_path()) return {};
  }
}

fs::path found(const Environment& environment) {
  std::error_code error;
  if (fs::path file = nearest(environment); !file.empty()) return file;
  fs::path base = environment.variable("XDG_CONFIG_HOME").value_or("");
  if (!base.is_absolute()) {
    const auto home = environment.variable("HOME");
    if (!home) return {};
    base = fs::path(*home) / ".config";
  }
  fs::path file = base / "steelyard" / kName;
  return fs::exists(file, error) ? file : fs::path();
}

// One key of the file, as the values of a flag. Files are relative to the settings file's folder.
std::vector<std::string> values_of(toml::Table& table, const Flag& flag, const fs::path& folder) {
  const std::string key = long_name(flag);
  std::vector<std::string> out;
  if (flag.value.empty()) {
    if (table.flag(key)) out.emplace_back("true");
    return out;
  }
  const toml::Node* node = table.take(key);
  if (node == nullptr) return out;
  if (node->kind == toml::Node::Kind::integer) {
    out.push_back(fmt::format("{}", node->number));
  } else if (node->kind == toml::Node::Kind::array && flag.repeatable) {
    out = table.texts(key);
  } else {
    out.push_back(table.text(key));
  }
  for (std::string& value : out) {
    const bool file = flag.value == "FILE" || (flag.value == "CONTEXT" && value.ends_with(".toml"));
    if (file && !value.empty() && !value.starts_with('/')) value = (folder / value).lexically_normal().string();
    if (const std::string wrong = fault(flag, value); !wrong.empty())
      table.error(key, fmt::format("{} {}", key, wrong));
  }
  return out;
}

Result<bool> from_file(const Command& command, Settings& settings, Arguments& arguments, const std::string& shown) {
  SY_TRY(std::string content, io::read_text(settings.file, kMostBytes));
  SY_TRY(const auto document, toml::Document::parse(std::move(content), shown));
  toml::Table table(*document, document->root(), "settings");
  if (const std::string schema = table.text("schema", std::string(kSchema)); schema != kSchema)
    table.error("schema",
                fmt::format("schema is \"{}\"; this version reads \"{}\"", text::display(schema, 64), kSchema));
  settings.ignores = accept::read_ignores(table);
  // Every setting is read, so that a mistake shows whatever the command.
  const fs::path folder = settings.file.parent_path();
  std::vector<std::string> done;
  std::vector<const Command*> order = {&command};
  for (const Command* other : commands()) {
    if (other != &command) order.push_back(other);
  }
  for (const Command* one : order) {
    for (const Flag& flag : flags_of(*one)) {
      const std::string key = long_name(flag);
      if (!flag.setting || std::ranges::find(done, key) != done.end()) continue;
      done.push_back(key);
      std::vector<std::string> values = values_of(table, flag, folder);
      if (one != &command || values.empty() || arguments.has(key)) continue;
      arguments.values[key] = std::move(values);
      arguments.origins[key] = shown;
    }
  }
  table.finish();
  return document->check();
}

}  // namespace

Result<Settings> settle(const Command& command, Arguments& arguments, const Environment& environment) {
  const std::vector<Flag> flags = flags_of(command);
  SY_CHECK(from_environment(command, flags, arguments, environment));
  Settings settings;
  if (command.reports && !arguments.has("isolated")) {
    std::error_code error;
    settings.named = arguments.has("config");
    const fs::path given = settings.named ? fs::path(arguments.value("config")) : found(environment);
    if (!given.empty()) {
      std::string shown = text::display(given.lexically_proximate(fs::current_path(error)).string());
      if (shown.starts_with("../../")) shown = text::display(given.string());
      settings.found = fs::canonical(fs::absolute(given, error).parent_path(), error);
      settings.file = fs::canonical(given, error);
      if (error) return fail(ErrorCode::io, fmt::format("{}: {}", text::display(given.string()), error.message()));
      const std::string why = settings.named ? std::string() : distrust(settings.file, environment);
      if (!why.empty()) {
        settings.notes.push_back(fmt::format("{} is not used: {}; --config names it explicitly", shown, why));
        settings.file.clear();
      } else {
        SY_CHECK(from_file(command, settings, arguments, shown));
      }
    }
  }
  for (const Flag& flag : flags) {
    const std::string name = long_name(flag);
    const auto origin = arguments.origins.find(name);
    for (const std::string& value : arguments.all(name)) {
      if (flag.value.empty()) continue;
      if (const std::string wrong = fault(flag, value); !wrong.empty())
        return fail(ErrorCode::usage,
                    fmt::format("{} {}", origin == arguments.origins.end() ? "--" + name : origin->second, wrong));
    }
  }
  for (const std::string& path : command.reports ? arguments.all("output") : std::vector<std::string>()) {
    if (report::for_path(path) != nullptr) continue;
    std::vector<std::string_view> endings;
    for (const auto* known : report::all()) endings.push_back(known->extension);
    return fail(ErrorCode::usage, fmt::format("--output {}: its ending names no format; expected one of {}",
                                              text::display(path), fmt::join(endings, ", ")));
  }
  return settings;
}

void forget_file(Settings& settings, Arguments& arguments) {
  for (auto origin = arguments.origins.begin(); origin != arguments.origins.end();) {
    if (origin->second.starts_with("STEELYARD_")) {
      ++origin;
      continue;
    }
    arguments.values.erase(origin->first);
    origin = arguments.origins.erase(origin);
  }
  settings.file.clear();
  settings.ignores.clear();
}

int show(const Command& command, const Settings& settings, const Arguments& arguments) {
  json::Value list = json::Array{};
  for (const Flag& flag : flags_of(command)) {
    const std::string name = long_name(flag);
    if (name == "show-settings") continue;
    const auto origin = arguments.origins.find(name);
    json::Value values = json::Array{};
    for (const std::string& value : arguments.all(name)) values.push(text::to_value(value));
    list.push(json::Value()
                  .set("name", name)
                  .set("values", std::move(values))
                  .set("from", origin != arguments.origins.end() ? origin->second
                               : arguments.has(name)             ? "--" + name
                                                                 : std::string("default")));
  }
  const std::string file = settings.file.string();
  if (arguments.value("format") == "json") {
    fmt::print("{}\n", json::pretty(json::Value()
                                        .set("settings", std::move(list))
                                        .set("file", file.empty() ? json::Value() : text::to_value(file))
                                        .set("ignores", u64{settings.ignores.size()})));
    return kClean;
  }
  for (const json::Value& one : list.array()) {
    std::vector<std::string> values;
    for (const json::Value& value : one["values"].array()) values.push_back(text::display(value.string(), 120));
    fmt::print("{:<18} {:<32} {}\n", one["name"].string(), fmt::format("{}", fmt::join(values, " ")),
               one["from"].string());
  }
  fmt::print("\nsettings file: {} ({} ignores)\n", file.empty() ? "none" : text::display(file),
             settings.ignores.size());
  return kClean;
}

}  // namespace steelyard::cli
