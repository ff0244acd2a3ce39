// Ollama: manifests/<host>/<namespace>/<model>/<tag> and blobs/sha256-<hex>, in $OLLAMA_MODELS or
// ~/.ollama/models, and in the home of the system service, which others usually can't read.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "stores/detail/layout.hpp"

namespace steelyard::stores {
namespace {

std::vector<std::filesystem::path> where(const Environment& environment) {
  std::vector<std::filesystem::path> out;
  if (const auto named = folder(environment, "OLLAMA_MODELS"); !named.empty()) {
    out.push_back(named);
  } else if (const auto base = home(environment); !base.empty()) {
    out.push_back(base / ".ollama/models");
  }
  out.push_back(system(environment, "/usr/share/ollama/.ollama/models"));
  return out;
}

// "host/library/llama3/latest" -> "llama3:latest", "llama3", …, "host/library/llama3:latest".
// Only the default host of Ollama has a namespace "library", so names of other hosts stay whole.
std::vector<std::string> names_of(const std::string& manifest, const std::set<std::string>& hosts) {
  const std::size_t slash = manifest.rfind('/');
  std::string full = manifest;
  if (slash == std::string::npos) return {std::move(full)};
  full[slash] = ':';
  const std::string model = manifest.substr(0, slash);
  const bool latest = manifest.substr(slash + 1) == "latest";
  std::vector<std::string> out;
  const auto add = [&](const std::string& prefix) {
    out.push_back(full.substr(prefix.size()));
    if (latest) out.push_back(model.substr(prefix.size()));
  };
  const std::size_t first = manifest.find('/');
  const std::string host = manifest.substr(0, first);
  const std::string library = host + "/library/";
  if (manifest.starts_with(library) && slash > library.size()) add(library);
  if (hosts.contains(host) && first < slash) add(host + "/");
  if (latest) out.push_back(model);
  out.push_back(std::move(full));
  return out;
}

Result<bool> list(io::Tree& tree, Listing& out) {
  if (tree.find("manifests").kind == io::Tree::Kind::missing) return true;
  std::vector<Model> broken;
  SY_TRY(const std::vector<io::Tree::Entry> entries,
         tree.walk("manifests", [&](std::string path, const std::string& why) {
           Model model;
           add_lost(model, "manifest", "LIM004", why);
           model.names = {std::move(path)};
           broken.push_back(std::move(model));
         }));
  std::set<std::string> hosts;
  for (const auto& entry : entries) {
    const std::size_t first = entry.name.find('/');
    if (first != std::string::npos && entry.name.compare(first, 9, "/library/") == 0)
      hosts.insert(entry.name.substr(0, first));
  }
  std::set<std::string> used;
  for (const auto& entry : entries) {
    Model model;
    model.names = names_of(entry.name, hosts);
    if (const auto manifest = manifest_of(tree, model, "manifests/" + entry.name, "")) {
      add_layers(tree, model, *manifest, [&](const std::string& hex) {
        std::string blob = "blobs/sha256-" + hex;
        if (tree.find(blob).kind == io::Tree::Kind::missing) {
          // As written before version 0.1.30.
          if (std::string old = "blobs/sha256:" + hex; tree.find(old).kind != io::Tree::Kind::missing) blob = old;
        }
        used.insert(blob);
        return blob;
      });
    }
    add_fact(model, "source.model", text::to_value(model.names.back()));
    out.models.push_back(std::move(model));
  }
  for (Model& model : broken) out.models.push_back(std::move(model));

  const auto blobs = tree.list("blobs");
  std::size_t unused = 0;
  std::size_t partial = 0;
  for (const auto& entry : blobs ? *blobs : std::vector<io::Tree::Entry>()) {
    if (entry.name.find("-partial") != std::string::npos) {
      ++partial;
    } else if (!used.contains("blobs/" + entry.name)) {
      ++unused;
    }
  }
  const std::string shown = text::display(tree.absolute("blobs").string());
  if (unused > 0) out.notes.push_back(fmt::format("{}: {} of no model, not examined", shown, counted(unused, "blob")));
  if (partial > 0) out.notes.push_back(fmt::format("{}: {} of unfinished downloads", shown, counted(partial, "part")));
  return true;
}

}  // namespace

extern const Store ollama_store;
const Store ollama_store{"ollama", "Ollama", where, list};

}  // namespace steelyard::stores
