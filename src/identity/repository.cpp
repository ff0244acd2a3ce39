#include "identity/repository.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>

#include "base/text.hpp"
#include "formats/detail/text_checks.hpp"

namespace steelyard::identity {
namespace {

constexpr std::size_t kMostReached = 4096;
constexpr std::size_t kMostMissing = 64;

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }
std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "a/b/../c" -> "a/c"; nothing when it leaves the root.
std::optional<std::string> normal(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(std::min(path.size(), end + 1));
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (parts.empty()) return std::nullopt;
      parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  return fmt::format("{}", fmt::join(parts, "/"));
}

// Who runs a file of that name without being told to, or "".
std::string_view convention(const std::string& path) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNames = {{
      {"handler.py", "inference endpoints"},
      {"hubconf.py", "torch.hub"},
      {"setup.py", "pip"},
      {"conftest.py", "pytest"},
      {"sitecustomize.py", "every start of Python"},
      {"usercustomize.py", "every start of Python"},
      {"custom_generate/generate.py", "generate of transformers"},
  }};
  for (const auto& [name, who] : kNames) {
    if (path == name ||
        (path.size() > name.size() && path.ends_with(name) && path[path.size() - name.size() - 1] == '/'))
      return who;
  }
  return path.ends_with(".pth") ? std::string_view("every start of Python") : std::string_view();
}

// Programs that build an extension.
bool builds(std::string_view command) {
  static constexpr std::array<std::string_view, 9> kTools = {"cmake", "make", "ninja", "git",  "nvcc",
                                                             "gcc",   "g++",  "clang", "hipcc"};
  const std::string_view first = command.substr(0, command.find(' '));
  return std::ranges::find(kTools, name_of(first)) != kTools.end();
}

class Closure {
 public:
  explicit Closure(Examination& found) : found_(found) {
    for (std::size_t i = 0; i < found_.artifacts.size(); ++i) {
      const Artifact& artifact = found_.artifacts[i];
      if (!artifact.parent) files_.emplace(artifact.path, static_cast<u32>(i));
    }
    for (const Fact& fact : found_.facts) {
      if (fact.artifact && *fact.artifact < found_.artifacts.size()) facts_[*fact.artifact].push_back(&fact);
    }
  }

  void run() {
    if (files_.size() < 2) return;
    names();
    second_weights();
    vocabularies();
    for (const auto& [path, artifact] : files_) {
      if (const std::string_view who = convention(path); !who.empty() && format(artifact) == "python_source")
        reach(path, std::string(who));
    }
    for (const auto& [path, artifact] : files_) references(path, artifact);
    while (!queue_.empty()) {
      const auto [path, why] = queue_.front();
      queue_.pop_front();
      follow(path, why);
    }
    for (Finding& finding : added_) found_.findings.push_back(std::move(finding));
    if (!reached_.empty()) {
      json::Value list = json::Array{};
      for (const auto& [path, why] : reached_) {
        if (list.array().size() < 256)
          list.push(json::Value().set("file", text::display(path, 256)).set("loaded_by", text::display(why, 120)));
      }
      found_.facts.push_back({"repo.loaded_code", std::move(list), std::nullopt, std::nullopt, Assurance::verified});
    }
  }

 private:
  const std::string& format(u32 artifact) const { return found_.artifacts[artifact].format; }

  void add(std::string rule, u32 artifact, std::optional<Range> at, json::Value data) {
    added_.push_back({std::move(rule), Severity::info, artifact, at, std::move(data)});
  }

  const Fact* fact(u32 artifact, std::string_view key) const {
    const auto found = facts_.find(artifact);
    if (found == facts_.end()) return nullptr;
    const auto one = std::ranges::find(found->second, key, [](const Fact* f) -> std::string_view { return f->key; });
    return one == found->second.end() ? nullptr : *one;
  }

  void reach(const std::string& path, const std::string& why) {
    if (reached_.size() < kMostReached && reached_.emplace(path, why).second) queue_.emplace_back(path, why);
  }

  // The file of a module below `folder`, or "".
  std::string module_file(const std::string& folder, std::string module) const {
    std::ranges::replace(module, '.', '/');
    for (const std::string_view ending : {".py", "/__init__.py"}) {
      const auto path = normal(folder + module + std::string(ending));
      if (path && files_.contains(*path)) return *path;
    }
    return {};
  }

  void references(const std::string& path, u32 artifact) {
    const Fact* list = fact(artifact, "repo.references");
    if (list == nullptr) return;
    const std::string folder = folder_of(path);
    const bool code = format(artifact) == "python_source";
    for (const json::Value& reference : list->value.array()) {
      const std::string& kind = reference["kind"].string();
      const std::string& target = reference["target"].string();
      std::string file;
      if (kind == "module") {
        file = module_file(folder, target);
        if (!file.empty()) reach(file, fmt::format("{} of {}", reference["field"].string(), path));
      } else if (kind == "file" && !code) {
        const auto whole = normal(folder + target);
        if (!whole) continue;
        const auto first = files_.lower_bound(*whole);
        // A folder is there when a file in it is.
        const bool there = first != files_.end() && (first->first == *whole || first->first.starts_with(*whole + "/"));
        if (there || whole->empty()) file = *whole + "/";
      } else {
        continue;
      }
      if (file.empty() && missing_ < kMostMissing && !code) {
        ++missing_;
        add("REP002", artifact, list->at, json::Value().set("field", reference["field"]).set("target", target));
      }
    }
  }

  void follow(const std::string& path, const std::string& why) {
    const u32 artifact = files_.at(path);
    effects(path, artifact, why);
    const std::string folder = folder_of(path);
    if (const Fact* imports = fact(artifact, "python.imports")) {
      for (const json::Value& import : imports->value.array()) {
        std::string module = import.string();
        const std::size_t dots = std::min(module.find_first_not_of('.'), module.size());
        std::string base = folder;
        for (std::size_t i = 1; i < dots; ++i) base += "../";
        module.erase(0, dots);
        // "a.b" names a module, or something in the module a.
        std::string file = module_file(base, module);
        if (file.empty() && module.contains('.')) file = module_file(base, module.substr(0, module.rfind('.')));
        if (!file.empty()) reach(file, why);
      }
    }
    if (const Fact* list = fact(artifact, "repo.references")) {
      for (const json::Value& reference : list->value.array()) {
        const auto whole = normal(folder + reference["target"].string());
        if (whole && whole->ends_with(".py") && files_.contains(*whole)) reach(*whole, why);
      }
    }
  }

  // What code does counts by who runs it and when.
  void effects(const std::string& path, u32 artifact, const std::string& why) {
    const Fact* list = fact(artifact, "python.effects");
    if (list == nullptr) return;
    const bool setup = name_of(path) == "setup.py";
    const bool served = name_of(path) == "handler.py";
    std::set<std::string> said;
    for (const json::Value& effect : list->value.array()) {
      const std::string& kind = effect["effect"].string();
      const std::string& when = effect["when"].string();
      const std::string& call = effect["call"].string();
      if (when == "main" || kind == "files") continue;
      const bool import = when == "import";
      bool high = false;
      if (kind == "process") {
        if (setup && builds(effect["argument"].string())) continue;
        high = import || !served;
      } else if (kind == "execute" || kind == "network") {
        high = import || call.starts_with("socket.");
      }
      if (setup && !high) continue;
      if (!said.insert(call + (high ? "!" : "")).second) continue;
      add(high ? "REP003" : "REP004", artifact, list->at,
          json::Value()
              .set("call", call)
              .set("says", effect["says"])
              .set("why", text::display(why, 160))
              .set("when", import ? "as soon as it is loaded" : "when it is used"));
    }
  }

  // Vocabularies of one folder with as many tokens each, but other numbers.
  void vocabularies() {
    std::map<std::string, std::pair<std::string, const json::Value*>> first;
    for (const auto& [path, artifact] : files_) {
      const Fact* mapping = fact(artifact, "tokenizer.mapping");
      if (mapping == nullptr) continue;
      const auto [other, fresh] = first.emplace(folder_of(path), std::pair(path, &mapping->value));
      const json::Value& known = *other->second.second;
      if (!fresh && known["tokens"] == mapping->value["tokens"] && known["digest"] != mapping->value["digest"])
        add("REP008", artifact, std::nullopt,
            json::Value().set("name", text::display(path, 120)).set("other", text::display(other->second.first, 120)));
    }
  }

  void second_weights() {
    static constexpr std::array<std::string_view, 5> kOthers = {
        "pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack", "adapter_model.bin"};
    for (const auto& [path, artifact] : files_) {
      if (std::ranges::find(kOthers, name_of(path)) == kOthers.end()) continue;
      const std::string folder = folder_of(path);
      for (const std::string_view safe :
           {"model.safetensors", "model.safetensors.index.json", "adapter_model.safetensors"}) {
        if (files_.contains(folder + std::string(safe))) {
          add("REP005", artifact, std::nullopt, json::Value().set("name", text::display(path, 120)).set("other", safe));
          break;
        }
      }
    }
  }

  void names() {
    std::map<std::string, std::string> seen;
    for (const auto& [path, artifact] : files_) {
      std::string folded = text::lower(path);
      while (!folded.empty() && (folded.back() == '.' || folded.back() == ' ')) folded.pop_back();
      const auto [other, fresh] = seen.emplace(folded, path);
      if (!fresh)
        add("REP006", artifact, std::nullopt,
            json::Value().set("name", text::display(path, 160)).set("other", text::display(other->second, 160)));
      if (!formats::hidden_text(path).empty())
        add("REP007", artifact, std::nullopt, json::Value().set("name", text::display(path, 160)));
    }
  }

  Examination& found_;
  std::map<std::string, u32> files_;
  std::map<u32, std::vector<const Fact*>> facts_;
  std::map<std::string, std::string> reached_;
  std::deque<std::pair<std::string, std::string>> queue_;
  std::vector<Finding> added_;
  std::size_t missing_ = 0;
};

}  // namespace

void close_references(Examination& found) { Closure(found).run(); }

}  // namespace steelyard::identity
