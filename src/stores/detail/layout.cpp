#include "stores/detail/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/sha256.hpp"
#include "base/shard.hpp"
#include "base/text.hpp"

namespace steelyard::stores {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 1024;

}  // namespace

fs::path home(const Environment& environment) { return environment.variable("HOME").value_or(""); }

fs::path system(const Environment& environment, std::string_view absolute) {
  return environment.root() / fs::path(absolute).relative_path();
}

fs::path expanded(const Environment& environment, const std::string& text) {
  if (text != "~" && !text.starts_with("~/")) return text;
  const fs::path base = home(environment);
  return base.empty() ? fs::path() : base / text.substr(std::min<std::size_t>(2, text.size()));
}

fs::path folder(const Environment& environment, const std::string& variable) {
  return expanded(environment, environment.variable(variable).value_or(""));
}

fs::path xdg(const Environment& environment, const std::string& variable, std::string_view fallback) {
  if (fs::path named = folder(environment, variable); !named.empty()) return named;
  const fs::path base = home(environment);
  return base.empty() ? base : base / fallback;
}

fs::path hub(const Environment& environment) {
  for (const char* variable : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (fs::path named = folder(environment, variable); !named.empty()) return named;
  }
  if (fs::path named = folder(environment, "HF_HOME"); !named.empty()) return named / "hub";
  const fs::path cache = xdg(environment, "XDG_CACHE_HOME", ".cache");
  return cache.empty() ? cache : cache / "huggingface/hub";
}

bool is_hex(std::string_view text, std::size_t length) {
  return text.size() == length && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::optional<std::string> sha256_hex(std::string_view digest) {
  constexpr std::string_view kName = "sha256";
  if (!digest.starts_with(kName) || digest.size() != kName.size() + 1 + 64) return std::nullopt;
  if (digest[kName.size()] != ':' && digest[kName.size()] != '-') return std::nullopt;
  digest.remove_prefix(kName.size() + 1);
  return is_hex(digest, 64) ? std::optional(std::string(digest)) : std::nullopt;
}

std::string counted(std::size_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

bool contained(std::string_view name) {
  if (name.empty() || name.size() > kLongestName || name.find('\0') != std::string_view::npos ||
      name.find('\\') != std::string_view::npos)
    return false;
  while (true) {
    const std::size_t end = std::min(name.find('/'), name.size());
    const std::string_view part = name.substr(0, end);
    if (part.empty() || part == "." || part == "..") return false;
    if (end == name.size()) return true;
    name.remove_prefix(end + 1);
  }
}

File& add_file(io::Tree& tree, Model& model, std::string name, const std::string& path, std::string digest) {
  return add_found(tree, model, std::move(name), tree.find(path), std::move(digest));
}

File& add_found(const io::Tree& tree, Model& model, std::string name, const io::Tree::Found& found,
                std::string digest) {
  using Kind = io::Tree::Kind;
  File file{.name = std::move(name), .path = {}, .stat = {}, .digest = std::move(digest), .rule = {}, .problem = {}};
  switch (found.kind) {
    case Kind::file:
      file.path = tree.absolute(found.path);
      file.stat = found.stat;
      break;
    case Kind::missing:
      file.rule = "STO003";
      file.problem = "the store names it, but it is not there";
      break;
    case Kind::outside:
      file.rule = "STO002";
      file.problem = "a link out of the store, not followed";
      file.data.set("to", text::to_value(found.path));
      break;
    case Kind::unreadable:
      file.rule = "LIM004";
      file.problem = "the way to it can't be read";
      break;
    default:
      file.rule = "LIM004";
      file.problem = std::string(io::describe(found.kind)) + ", not a regular file";
  }
  model.files.push_back(std::move(file));
  return model.files.back();
}

void add_lost(Model& model, std::string name, std::string rule, std::string why, json::Value data) {
  model.files.push_back({.name = std::move(name),
                         .path = {},
                         .stat = {},
                         .digest = {},
                         .rule = std::move(rule),
                         .problem = std::move(why),
                         .data = std::move(data)});
}

void add_fact(Model& model, std::string key, json::Value value) {
  model.facts.push_back({std::move(key), std::move(value), std::nullopt, std::nullopt, Assurance::claimed});
}

void add_finding(Model& model, std::string rule, json::Value data) {
  model.findings.push_back({std::move(rule), Severity::medium, std::nullopt, std::nullopt, std::move(data)});
}

void add_misplaced(Model& model, std::string_view what, std::string_view name) {
  constexpr std::size_t kShown = 256;
  add_finding(
      model, "STO004",
      json::Value().set("what", what).set("name", text::to_value(name.substr(0, std::min(kShown, name.size())))));
}

void note_unheld(Model& model) {
  std::size_t files = 0;
  std::size_t unheld = 0;
  for (const File& file : model.files) {
    if (file.path.empty()) continue;
    ++files;
    if (file.digest.empty()) ++unheld;
  }
  if (unheld > 0 && unheld < files)
    add_finding(model, "STO006", json::Value().set("count", u64{unheld}).set("of", u64{files}));
}

Result<bool> list_folders(io::Tree& tree, Listing& out) {
  struct Entry {
    std::string path;
    std::string problem;
  };
  // By the folder of a model, or by what the parts of a set share.
  std::map<std::string, std::vector<Entry>> models;
  const auto add = [&](std::string path, std::string problem) {
    const std::size_t first = path.find('/');
    const std::size_t second = first == std::string::npos ? first : path.find('/', first + 1);
    if (first == std::string::npos && path.starts_with('.')) return;  // the file manager's
    std::string name = path.substr(0, second);
    if (second == std::string::npos) {
      if (const auto set = ShardName::of(path)) name = set->before + "00001" + set->after;
    }
    models[std::move(name)].push_back({std::move(path), std::move(problem)});
  };
  SY_TRY(std::vector<io::Tree::Entry> entries, tree.walk("", add));
  for (io::Tree::Entry& entry : entries) add(std::move(entry.name), {});
  for (const auto& [name, parts] : models) {
    Model model;
    model.names = {name};
    for (const auto& [path, problem] : parts) {
      const bool inside = path.starts_with(name + "/");
      std::string short_name = path.substr(inside ? name.size() + 1 : path.rfind('/') + 1);
      if (problem.empty()) {
        add_file(tree, model, std::move(short_name), path, "");
      } else {
        add_lost(model, std::move(short_name), "LIM004", problem);
      }
    }
    add_fact(model, "source.model", text::to_value(name));
    out.models.push_back(std::move(model));
  }
  return true;
}

}  // namespace steelyard::stores
