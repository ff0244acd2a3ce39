#include "identity/repository.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>

#include "base/text.hpp"
#include "formats/detail/python_names.hpp"
#include "formats/detail/text_checks.hpp"

namespace steelyard::identity {
namespace {

constexpr std::size_t kMostReached = 4096;
constexpr std::size_t kMostMissing = 64;
constexpr std::size_t kMostArchives = 64;

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }
std::string without_slash(std::string folder) {
  if (folder.ends_with('/')) folder.pop_back();
  return folder;
}
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

// How much of a file its loader runs.
enum class Runs {
  whole,     // it is imported and its classes are used
  served,    // the same, where starting programs is ordinary: servers, tests
  build,     // whoever installs it runs it, to compile an extension
  imported,  // only what acts when the file is imported counts
};
struct Loader {
  std::string who;
  Runs runs = Runs::whole;
};

// Who runs a file of that name without being told to.
std::optional<Loader> convention(const std::string& path) {
  struct Named {
    std::string_view name;
    std::string_view who;
    Runs runs;
  };
  static constexpr std::array<Named, 9> kNames = {{
      {"handler.py", "inference endpoints", Runs::served},
      {"code/inference.py", "SageMaker", Runs::served},
      {"hubconf.py", "torch.hub", Runs::whole},
      {"setup.py", "pip", Runs::build},
      {"hatch_build.py", "pip", Runs::build},
      {"conftest.py", "pytest", Runs::served},
      {"sitecustomize.py", "every start of Python", Runs::whole},
      {"usercustomize.py", "every start of Python", Runs::whole},
      {"custom_generate/generate.py", "generate of transformers", Runs::whole},
  }};
  for (const auto& [name, who, runs] : kNames) {
    if (path == name ||
        (path.size() > name.size() && path.ends_with(name) && path[path.size() - name.size() - 1] == '/'))
      return Loader{std::string(who), runs};
  }
  if (path.ends_with(".pth")) return Loader{"every start of Python", Runs::whole};
  return std::nullopt;
}

// A class or function that a framework looks for says who loads the file that defines it.
Loader by_hook(const std::string& who) { return {who, who == "datasets" ? Runs::whole : Runs::served}; }

// Fields that name what a server runs.
bool serves(std::string_view field) {
  static constexpr std::array<std::string_view, 6> kFields = {"handler", "modelFile",   "predict",
                                                              "service", "import_path", "loader_module"};
  return std::ranges::find(kFields, field.substr(field.rfind('.') + 1)) != kFields.end();
}

// Functions that give their text to a shell, and programs that are one.
bool by_shell(std::string_view call, std::string_view command) {
  const std::string_view program = name_of(command.substr(0, command.find(' ')));
  const bool shell = (program.ends_with("sh") || program == "cmd") && command.contains(" -c ");
  return shell || call == "os.system" || call.starts_with("os.popen") || call == "subprocess.getoutput" ||
         call == "subprocess.getstatusoutput" || call.starts_with("commands.");
}

// "http://203.0.113.7/x": services have names. Addresses of the own machine and network are somebody's tests.
bool bare_address(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view host = text.substr(scheme + 3, text.find_first_of("/:?", scheme + 3) - scheme - 3);
  const bool number = std::ranges::count(host, '.') == 3 && host.find_first_not_of("0123456789.") == host.npos;
  static constexpr std::array<std::string_view, 5> kOwn = {"127.", "10.", "192.168.", "0.", "169.254."};
  // 172.16.0.0/12 (RFC 1918)
  const bool private_172 = host.size() > 6 && host.starts_with("172.") && host[6] == '.' &&
                           (host[4] == '1' ? host[5] >= '6' : host[4] == '2' || (host[4] == '3' && host[5] <= '1'));
  return number && !private_172 &&
         std::ranges::none_of(kOwn, [&](std::string_view own) { return host.starts_with(own); });
}

// What ordinary packages don't do when they are imported. They ask what their libraries can do, make sessions and
// sockets, and remove what a test left behind.
bool acts_alone(std::string_view kind, std::string_view call) {
  static constexpr std::array<std::string_view, 19> kSends = {"urlopen",
                                                              "urlretrieve",
                                                              "get",
                                                              "post",
                                                              "put",
                                                              "patch",
                                                              "request",
                                                              "download",
                                                              "create_connection",
                                                              "connect",
                                                              "sendall",
                                                              "send",
                                                              "sendto",
                                                              "open_connection",
                                                              "download_url_to_file",
                                                              "FTP",
                                                              "SMTP",
                                                              "Telnet",
                                                              "IMAP4"};
  const std::string_view last = call.substr(call.rfind('.') + 1);
  if (kind == "network") return std::ranges::find(kSends, last) != kSends.end();
  if (kind == "delete") return call == "shutil.rmtree";
  const bool constant = !last.empty() && last[0] >= 'A' && last[0] <= 'Z' && last != "Popen";
  return kind == "process" && !constant && !call.contains("Popen().");
}

// Programs that build an extension.
bool builds(std::string_view command) {
  static constexpr std::array<std::string_view, 9> kTools = {"cmake", "make", "ninja", "git",  "nvcc",
                                                             "gcc",   "g++",  "clang", "hipcc"};
  const std::string_view first = command.substr(0, command.find(' '));
  return std::ranges::find(kTools, name_of(first)) != kTools.end();
}

// The files of one folder, or of one archive.
class Closure {
 public:
  // `archive`: the artifact whose members they are.
  Closure(Examination& found, std::optional<u32> archive) : found_(found), archive_(archive) {
    const std::size_t before = archive ? found.artifacts[*archive].path.size() + 1 : 0;
    for (std::size_t i = 0; i < found_.artifacts.size(); ++i) {
      const Artifact& artifact = found_.artifacts[i];
      if (artifact.parent == archive && artifact.path.size() > before)
        files_.emplace(artifact.path.substr(before), static_cast<u32>(i));
    }
    for (const Fact& fact : found_.facts) {
      if (fact.artifact && *fact.artifact < found_.artifacts.size()) facts_[*fact.artifact].push_back(&fact);
    }
  }

  // Adds to `loaded` which code is reached, and by whom.
  void run(json::Value& loaded) {
    if (!archive_) {
      if (files_.size() < 2) return;
      names();
      second_weights();
      vocabularies();
      added_words();
    }
    for (const auto& [path, artifact] : files_) {
      if (format(artifact) != "python_source") continue;
      if (const auto loader = named(path, artifact)) reach(path, *loader);
    }
    for (const auto& [path, artifact] : files_) references(path, artifact);
    drain();
    for (const auto& [folder, document] : code_) {
      for (auto file = files_.lower_bound(folder); file != files_.end() && file->first.starts_with(folder); ++file) {
        if (format(file->second) == "python_source")
          reach(file->first, {fmt::format("what {} loads", document), Runs::imported});
      }
    }
    for (const auto& [path, artifact] : files_) {
      if (format(artifact) != "python_source") continue;
      if (const std::string module = importable(path); !module.empty())
        reach(path, {fmt::format("any import of {}", module), Runs::imported});
    }
    drain();
    for (Finding& finding : added_) found_.findings.push_back(std::move(finding));
    for (const auto& [path, loader] : reached_) {
      if (loader.runs == Runs::imported || loaded.array().size() >= 256) continue;
      loaded.push(json::Value()
                      .set("file", text::display(found_.artifacts[files_.at(path)].path, 256))
                      .set("loaded_by", text::display(loader.who, 120)));
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

  std::optional<Loader> named(const std::string& path, u32 artifact) const {
    if (auto loader = convention(path)) return loader;
    if (const Fact* hook = fact(artifact, "python.hook")) return by_hook(hook->value.string());
    // Beside model_index.json it is what custom_pipeline of diffusers asks for.
    if (name_of(path) == "pipeline.py" && files_.contains(folder_of(path) + "model_index.json"))
      return Loader{"a pipeline of diffusers", Runs::whole};
    // <model>/config.pbtxt beside <model>/<version>/model.py, or another name that the configuration gives.
    if (path.ends_with(".py")) {
      const std::string version = without_slash(folder_of(path));
      const std::string_view number = name_of(version);
      if (!number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos &&
          files_.contains(folder_of(version) + "config.pbtxt"))
        return Loader{"Triton", Runs::served};
    }
    return std::nullopt;
  }

  // The name by which importing anything may run the file: a package's own, or that of a module which it
  // hides. Inside a package nothing is hidden.
  std::string importable(const std::string& path) const {
    const std::string folder = folder_of(path);
    if (name_of(path) == "__init__.py") {
      const std::string package = without_slash(folder);
      return package.empty() ? "the folder" : std::string(name_of(package));
    }
    const std::string_view name = name_of(path);
    const std::string module(name.substr(0, name.rfind('.')));
    const bool hides = formats::known_library(module) || formats::standard_module(module);
    return hides && !files_.contains(folder + "__init__.py") ? module : std::string();
  }

  void drain() {
    while (!queue_.empty()) {
      const std::string path = std::move(queue_.front());
      queue_.pop_front();
      follow(path, reached_.at(path));
    }
  }

  void reach(const std::string& path, const Loader& loader) {
    if (reached_.size() < kMostReached && reached_.emplace(path, loader).second) queue_.push_back(path);
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

  // The folder or file that a reference names, or "".
  std::string place(const std::string& folder, const std::string& target) const {
    const auto whole = normal(folder + target);
    if (!whole) return {};
    if (whole->empty()) return "./";
    const auto first = files_.lower_bound(*whole);
    if (first != files_.end() && first->first == *whole) return *whole;
    // A folder is there when a file in it is.
    const auto inside = files_.lower_bound(*whole + "/");
    return inside != files_.end() && inside->first.starts_with(*whole + "/") ? *whole + "/" : std::string();
  }

  // A dotted name whose beginning may be a module of one of the folders.
  std::string imported_file(const std::vector<std::string>& folders, std::string name) const {
    for (; !name.empty(); name.erase(name.contains('.') ? name.rfind('.') : 0)) {
      for (const std::string& folder : folders) {
        if (std::string file = module_file(folder, name); !file.empty()) return file;
      }
    }
    return {};
  }

  void references(const std::string& path, u32 artifact) {
    const Fact* list = fact(artifact, "repo.references");
    if (list == nullptr || format(artifact) == "python_source") return;
    const std::string folder = folder_of(path);
    // A loader that is given folders of code looks for modules there, too.
    std::vector<std::string> folders = {folder};
    for (const json::Value& reference : list->value.array()) {
      if (reference["kind"].string() != "file") continue;
      const std::string there = place(folder, reference["target"].string());
      if (there.ends_with('/') && folders.size() < 16) folders.push_back(there);
    }
    for (const json::Value& reference : list->value.array()) {
      const std::string& kind = reference["kind"].string();
      const std::string& target = reference["target"].string();
      std::string file;
      if (kind == "module") {
        file = module_file(folder, target);
      } else if (kind == "import") {
        file = imported_file(folders, target);
      } else if (kind == "file") {
        file = place(folder, target);
      } else {
        continue;
      }
      const std::string& field = reference["field"].string();
      if (kind == "file" && field.ends_with(".code") && file.ends_with('/')) code_.emplace_back(file, path);
      const Runs runs = format(artifact) == "requirements" ? Runs::build : serves(field) ? Runs::served : Runs::whole;
      if (file.ends_with(".py")) reach(file, {fmt::format("{} of {}", field, path), runs});
      if (file.empty() && kind != "import" && missing_ < kMostMissing && normal(folder + target)) {
        ++missing_;
        add("REP002", artifact, list->at, json::Value().set("field", reference["field"]).set("target", target));
      }
    }
  }

  void follow(const std::string& path, const Loader& loader) {
    const u32 artifact = files_.at(path);
    effects(artifact, loader);
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
        if (!file.empty()) reach(file, loader);
      }
    }
    if (const Fact* list = fact(artifact, "repo.references")) {
      for (const json::Value& reference : list->value.array()) {
        const auto whole = normal(folder + reference["target"].string());
        if (whole && whole->ends_with(".py") && files_.contains(*whole)) reach(*whole, loader);
      }
    }
  }

  // Whether an effect is one that code has no business to have where it is loaded so. Nothing: it doesn't count.
  static std::optional<bool> alarming(const json::Value& effect, Runs runs) {
    const std::string& kind = effect["effect"].string();
    const std::string& call = effect["call"].string();
    const std::string& argument = effect["argument"].string();
    const std::string& when = effect["when"].string();
    const bool import = when == "import";
    if (when == "main" || kind == "files") return std::nullopt;
    if (runs == Runs::imported) return import && acts_alone(kind, call) ? std::optional(true) : std::nullopt;
    if (kind == "delete") return import ? std::optional(true) : std::nullopt;
    if (kind == "process") {
      if (runs == Runs::build && builds(argument)) return std::nullopt;
      return import || runs != Runs::served || effect["shell"].boolean() || by_shell(call, argument);
    }
    // Setup scripts run the file that holds their version. What was fetched or decoded is found by itself (PYC001).
    if (runs == Runs::build && kind == "execute") return std::nullopt;
    // A server is sent what it evaluates.
    const bool sent = runs == Runs::served && (call == "eval" || call == "exec");
    const bool high = (kind == "execute" || kind == "network") &&
                      (import || sent || call.starts_with("socket.") || bare_address(argument));
    return high || runs != Runs::build ? std::optional(high) : std::nullopt;
  }

  // What code does counts by who runs it and when.
  void effects(u32 artifact, const Loader& loader) {
    const Fact* list = fact(artifact, "python.effects");
    if (list == nullptr) return;
    std::set<std::string> said;
    for (const json::Value& effect : list->value.array()) {
      const auto high = alarming(effect, loader.runs);
      const std::string& call = effect["call"].string();
      if (!high || !said.insert(call + (*high ? "!" : "")).second) continue;
      add(*high ? "REP003" : "REP004", artifact, list->at,
          json::Value()
              .set("call", call)
              .set("says", effect["says"])
              .set("why", text::display(loader.who, 160))
              .set("when", effect["when"].string() == "import" ? "as soon as it is loaded" : "when it is used"));
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

  // Words that a configuration adds under numbers which tokenizer.json gives to others.
  void added_words() {
    for (const auto& [path, artifact] : files_) {
      if (name_of(path) == "tokenizer.json") continue;
      const Fact* added = fact(artifact, "tokenizer.numbers");
      const auto tokenizer = files_.find(folder_of(path) + "tokenizer.json");
      if (added == nullptr || tokenizer == files_.end()) continue;
      const Fact* numbers = fact(tokenizer->second, "tokenizer.numbers");
      if (numbers == nullptr) continue;
      const bool other = std::ranges::any_of(added->value.object(), [&](const auto& entry) {
        const json::Value& known = numbers->value[entry.first];
        return known.is_string() && known.string() != entry.second.string();
      });
      if (other)
        add("REP008", artifact, std::nullopt,
            json::Value().set("name", text::display(path, 120)).set("other", text::display(tokenizer->first, 120)));
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
  std::optional<u32> archive_;
  std::map<std::string, u32> files_;
  std::map<u32, std::vector<const Fact*>> facts_;
  std::map<std::string, Loader> reached_;
  std::deque<std::string> queue_;
  std::vector<std::pair<std::string, std::string>> code_;  // folders from which objects import, and who names them
  std::vector<Finding> added_;
  std::size_t missing_ = 0;
};

}  // namespace

void close_references(Examination& found) {
  json::Value loaded = json::Array{};
  Closure(found, std::nullopt).run(loaded);
  std::set<u32> archives;
  for (const Artifact& artifact : found.artifacts) {
    if (artifact.parent && artifact.format == "python_source") archives.insert(*artifact.parent);
  }
  std::size_t left = kMostArchives;
  for (const u32 archive : archives) {
    const Artifact& artifact = found.artifacts[archive];
    if (artifact.format != "zip" && artifact.format != "tar") continue;
    if (left > 0) {
      --left;
      Closure(found, archive).run(loaded);
      continue;
    }
    for (Coverage& coverage : found.coverage) {
      if (coverage.artifact == archive)
        coverage.gaps.push_back({{0, artifact.bytes}, "one of too many archives: who loads its code isn't followed"});
    }
  }
  if (!loaded.array().empty())
    found.facts.push_back({"repo.loaded_code", std::move(loaded), std::nullopt, std::nullopt, Assurance::verified});
}

}  // namespace steelyard::identity
