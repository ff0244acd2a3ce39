// Docker Model Runner: models.json, manifests/sha256/<hex> and blobs/sha256/<hex> in $MODELS_PATH or
// ~/.docker/models. What a model loads from is bundles/sha256/<hex>, made once out of the blobs and
// never compared with them again.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "stores/detail/layout.hpp"

namespace steelyard::stores {
namespace {

constexpr std::size_t kMostModels = 4096;

std::vector<std::filesystem::path> where(const Environment& environment) {
  if (const auto named = folder(environment, "MODELS_PATH"); !named.empty()) return {named};
  const auto base = home(environment);
  if (base.empty()) return {};
  return {base / ".docker/models"};
}

// "host/ai/smollm2:latest" may be asked for without its host and its tag.
void add_names(Model& model, const std::string& tag) {
  const std::size_t slash = tag.find('/');
  const std::string first = tag.substr(0, slash);
  const bool host = slash != std::string::npos && (first.find('.') != std::string::npos ||
                                                   first.find(':') != std::string::npos || first == "localhost");
  std::vector<std::string> spelled = {tag};
  if (host) spelled.push_back(tag.substr(slash + 1));
  for (const std::string& name : spelled) {
    model.names.push_back(name);
    const std::size_t colon = name.rfind(':');
    if (name.ends_with(":latest")) model.names.push_back(name.substr(0, colon));
    if (colon == std::string::npos || name.find('/', colon) != std::string::npos)
      model.names.push_back(name + ":latest");
  }
}

// Files of the bundle that aren't the blobs themselves.
void add_bundle(io::Tree& tree, Model& model, const std::string& hex) {
  const std::string folder = "bundles/sha256/" + hex;
  if (tree.find(folder).kind == io::Tree::Kind::missing) return;
  const auto lost = [&](const std::string& path, const std::string& why) {
    add_lost(model, "bundle/" + path, "LIM004", why);
  };
  const auto entries = tree.walk(folder, lost);
  if (!entries) {
    lost("", entries.error().message);
    return;
  }
  std::set<std::pair<u64, u64>> blobs;
  for (const File& file : model.files) blobs.insert({file.stat.device, file.stat.inode});
  for (const auto& entry : *entries) {
    const std::string path = folder + "/" + entry.name;
    const auto found = tree.find(path);
    if (found.kind == io::Tree::Kind::file && blobs.contains({found.stat.device, found.stat.inode})) continue;
    add_found(tree, model, "bundle/" + entry.name, found, "");
  }
}

Result<bool> list(io::Tree& tree, Listing& out) {
  if (tree.find("models.json").kind == io::Tree::Kind::missing) return true;
  SY_TRY(const json::Value index, read_json(tree, "models.json"));
  const json::Array& models = index["models"].array();
  if (models.size() > kMostModels) return fail(ErrorCode::resource, fmt::format("more than {} models", kMostModels));
  std::set<std::string> known;
  for (const json::Value& entry : models) {
    Model model;
    const std::string& id = entry["id"].string();
    for (const json::Value& tag : entry["tags"].array()) {
      if (!tag.string().empty()) add_names(model, tag.string());
    }
    model.names.push_back(id);
    const auto hex = sha256_hex(id);
    if (hex) {
      known.insert(*hex);
      if (const auto manifest = manifest_of(tree, model, "manifests/sha256/" + *hex, *hex))
        add_layers(tree, model, *manifest, [](const std::string& digest) { return "blobs/sha256/" + digest; });
      add_bundle(tree, model, *hex);
      note_unheld(model);
    } else {
      add_misplaced(model, "a digest that is none", id);
      add_lost(model, "manifest", "STO007", "its digest names no file");
      if (model.names.size() == 1) model.names = {text::display(id, 80)};
    }
    add_fact(model, "source.model", text::to_value(model.names.front()));
    out.models.push_back(std::move(model));
  }
  const auto manifests = tree.list("manifests/sha256");
  const auto others =
      manifests ? std::ranges::count_if(*manifests, [&](const auto& m) { return !known.contains(m.name); }) : 0;
  if (others > 0)
    out.notes.push_back(fmt::format("{}: {} that models.json doesn't name, not examined",
                                    text::display(tree.absolute("manifests").string()),
                                    counted(static_cast<std::size_t>(others), "manifest")));
  return true;
}

}  // namespace

extern const Store docker_models_store;
const Store docker_models_store{"docker", "Docker Model Runner", where, list};

}  // namespace steelyard::stores
