// RamaLama: store/<transport>/<organization>/<model>/{refs/<tag>.json, snapshots/<hash>/<file> ->
// ../../blobs/<hash>, blobs} in $RAMALAMA_STORE, `store` of ramalama.conf, ~/.local/share/ramalama, and
// root's /var/lib/ramalama. A blob's hash is that of its content, or, where the transport knows none, of
// the file's name.

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "stores/detail/config.hpp"
#include "stores/detail/layout.hpp"

namespace steelyard::stores {
namespace {

constexpr std::string_view kRefs = "/refs/";

std::vector<std::filesystem::path> where(const Environment& environment) {
  std::filesystem::path own = folder(environment, "RAMALAMA_STORE");
  const auto config = xdg(environment, "XDG_CONFIG_HOME", ".config");
  for (const auto& file : {config / "ramalama/ramalama.conf", system(environment, "/etc/ramalama/ramalama.conf"),
                           system(environment, "/usr/share/ramalama/ramalama.conf")}) {
    if (own.empty()) own = expanded(environment, toml_text(file, {"ramalama", "store"}));
  }
  if (own.empty()) {
    const auto data = xdg(environment, "XDG_DATA_HOME", ".local/share");
    if (!data.empty()) own = data / "ramalama";
  }
  std::vector<std::filesystem::path> out;
  if (!own.empty()) out.push_back(own);
  out.push_back(system(environment, "/var/lib/ramalama"));
  return out;
}

struct Reference {
  std::string snapshot;
  std::vector<std::pair<std::string, std::string>> files;  // name, hash (unknown in the older form)
};

// JSON, or in the older form lines: the hash, then "<name>---<role>" for each file.
Result<Reference> read_reference(io::Tree& tree, const std::string& path) {
  Reference out;
  if (path.ends_with(".json")) {
    SY_TRY(const json::Value document, read_json(tree, path));
    out.snapshot = document["hash"].string();
    if (document["files"].array().size() > kMostLayers) return fail(ErrorCode::resource, "too many files");
    for (const json::Value& file : document["files"].array())
      out.files.emplace_back(file["name"].string(), file["hash"].string());
  } else {
    SY_TRY(std::string content, tree.read(path, kLargestManifest));
    std::istringstream lines(std::move(content));
    std::getline(lines, out.snapshot);
    for (std::string line; std::getline(lines, line);) {
      if (out.files.size() > kMostLayers) return fail(ErrorCode::resource, "too many files");
      if (!line.empty()) out.files.emplace_back(line.substr(0, line.find("---")), "");
    }
  }
  std::ranges::replace(out.snapshot, ':', '-');
  if (!contained(out.snapshot) || out.snapshot.find('/') != std::string::npos)
    return fail(ErrorCode::usage, "its hash names no folder");
  return out;
}

// `blob`: where the snapshot's link leads.
std::string digest_of(const std::string& blob, const std::string& name) {
  const auto hex = sha256_hex(blob.substr(blob.rfind('/') + 1));
  if (!hex || *hex == sha256(name.substr(name.rfind('/') + 1)) || *hex == sha256(name)) return {};
  return "sha256:" + *hex;
}

void add_model(io::Tree& tree, const std::string& path, Listing& out) {
  const std::size_t refs = path.rfind(kRefs);
  const std::string folder = "store/" + path.substr(0, refs);
  std::string tag = path.substr(refs + kRefs.size());
  if (tag.ends_with(".json")) tag.resize(tag.size() - 5);
  Model model;
  const std::string name = path.substr(0, refs);
  const std::string transport = name.substr(0, name.find('/'));
  const std::string rest = name.size() > transport.size() ? name.substr(transport.size() + 1) : "";
  for (const std::string& spelled : {name, fmt::format("{}://{}", transport, rest), rest}) {
    model.names.push_back(fmt::format("{}:{}", spelled, tag));
    if (tag == "latest") model.names.push_back(spelled);
  }
  model.names.push_back(fmt::format("{}:{}", name, tag));
  const auto reference = read_reference(tree, "store/" + path);
  if (!reference) {
    add_unread(tree, model, "reference", "store/" + path, reference.error().message);
  } else {
    for (auto [file, hash] : reference->files) {
      if (!contained(file)) {
        add_misplaced(model, "a file outside the model", file);
        continue;
      }
      const auto found = tree.find(fmt::format("{}/snapshots/{}/{}", folder, reference->snapshot, file));
      const std::string blob = found.kind == io::Tree::Kind::file ? found.path : "";
      add_found(tree, model, file, found, blob.empty() ? "" : digest_of(blob, file));
      // Programs take the one or the other.
      std::ranges::replace(hash, ':', '-');
      if (!blob.empty() && !hash.empty() && blob != fmt::format("{}/blobs/{}", folder, hash))
        add_misplaced(model, "another blob than its snapshot's", hash);
    }
    add_fact(model, "source.revision", text::to_value(reference->snapshot));
  }
  add_fact(model, "source.model", text::to_value(rest));
  add_fact(model, "source.transport", text::to_value(transport));
  add_fact(model, "source.reference", text::to_value(tag));
  out.models.push_back(std::move(model));
}

Result<bool> list(io::Tree& tree, Listing& out) {
  if (tree.find("store").kind == io::Tree::Kind::missing) return true;
  const auto lost = [&](std::string path, const std::string& why) {
    Model model;
    add_lost(model, "reference", "LIM004", why);
    model.names = {std::move(path)};
    out.models.push_back(std::move(model));
  };
  SY_TRY(const std::vector<io::Tree::Entry> entries, tree.walk("store", lost));
  std::size_t partial = 0;
  for (const auto& entry : entries) {
    if (entry.name.ends_with(".partial")) ++partial;
    const std::size_t refs = entry.name.rfind(kRefs);
    if (refs != std::string::npos && entry.name.find('/', refs + kRefs.size()) == std::string::npos)
      add_model(tree, entry.name, out);
  }
  if (partial > 0)
    out.notes.push_back(
        fmt::format("{}: {}", text::display(tree.root().string()), counted(partial, "unfinished download")));
  return true;
}

}  // namespace

extern const Store ramalama_store;
const Store ramalama_store{"ramalama", "RamaLama", where, list};

}  // namespace steelyard::stores
