#include "host/runtimes.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <tuple>

#include "base/embedded.hpp"
#include "base/text.hpp"
#include "host/system.hpp"
#include "wire/toml.hpp"

namespace steelyard::host {
namespace {

std::vector<std::string> table(const std::string& key) {
  const auto document =
      toml::Document::parse(std::string(embedded::find("host/runtimes.toml")), "data/host/runtimes.toml");
  if (!document) throw std::logic_error(document.error().message);
  return toml::Table(**document, (*document)->root(), "runtimes").texts(key);
}

// Folders matching `parent`/`prefix`*, each with `rest` appended.
std::vector<fs::path> matching(const fs::path& parent, std::string_view prefix, const fs::path& rest) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator it(parent, error); !error && it != fs::directory_iterator(); it.increment(error)) {
    if (it->path().filename().string().starts_with(prefix)) out.push_back(it->path() / rest);
  }
  return out;
}

fs::path under(const fs::path& root, const fs::path& path) { return root / path.relative_path(); }

}  // namespace

json::Value runtimes(const Environment& environment) {
  const fs::path root = environment.root();
  const auto home = environment.variable("HOME");
  std::set<std::tuple<std::string, std::string, std::string>> found;
  const auto shown = [&](const fs::path& path) {
    return text::display(root == "/" ? path.string() : "/" + path.lexically_relative(root).string());
  };

  std::set<fs::path> folders;
  for (const char* folder : {"/usr/bin", "/usr/local/bin", "/opt/llama.cpp/bin", "/opt/llama.cpp/build/bin"})
    folders.insert(under(root, folder));
  if (home) {
    folders.insert(under(root, fs::path(*home) / ".local/bin"));
    folders.insert(under(root, fs::path(*home) / "llama.cpp/build/bin"));
  }
  std::string path = environment.variable("PATH").value_or("");
  while (!path.empty()) {
    const std::size_t colon = std::min(path.find(':'), path.size());
    if (path.starts_with('/')) folders.insert(under(root, path.substr(0, colon)));
    path.erase(0, std::min(colon + 1, path.size()));
  }
  for (const fs::path& folder : folders) {
    for (const std::string& program : table("programs")) {
      std::error_code error;
      if (fs::is_regular_file(folder / program, error)) found.insert({program, "unknown", shown(folder / program)});
    }
  }

  std::vector<fs::path> sites = {root / "usr/lib/python3/dist-packages"};
  const auto add = [&](const fs::path& parent, std::string_view prefix, const fs::path& rest) {
    const auto more = matching(parent, prefix, rest);
    sites.insert(sites.end(), more.begin(), more.end());
  };
  add(root / "usr/local/lib", "python3", "dist-packages");
  add(root / "usr/local/lib", "python3", "site-packages");
  if (home) {
    add(under(root, fs::path(*home) / ".local/lib"), "python3", "site-packages");
    for (const fs::path& version : matching(under(root, fs::path(*home) / ".pyenv/versions"), "", "lib"))
      add(version, "python3", "site-packages");
  }
  if (const auto venv = environment.variable("VIRTUAL_ENV"))
    add(under(root, fs::path(*venv) / "lib"), "python3", "site-packages");
  const auto packages = table("packages");
  for (const fs::path& site : sites) {
    for (const fs::path& entry : matching(site, "", "")) {
      const std::string folder = entry.parent_path().filename().string();
      if (!folder.ends_with(".dist-info")) continue;
      std::string name = text::lower(folder.substr(0, folder.find('-')));
      if (std::ranges::find(packages, name) == packages.end()) continue;
      const std::string version = status_field(read(entry.parent_path() / "METADATA").text, "Version");
      found.insert({name, version.empty() ? "unknown" : text::display(version, 64), shown(entry.parent_path())});
    }
  }
  json::Value list = json::Array{};
  for (const auto& [name, version, place] : found)
    list.push(json::Value().set("name", name).set("version", version).set("path", place));
  return list;
}

}  // namespace steelyard::host
