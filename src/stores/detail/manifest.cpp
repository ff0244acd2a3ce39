// Manifests in the manner of OCI images: Ollama, Docker Model Runner, OCI image layout 1.1.

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "stores/detail/layout.hpp"

namespace steelyard::stores {
namespace {

// What layers are called when the manifest doesn't say, by the end of their media type.
struct Role {
  std::string_view media_type;
  std::string_view name;
};
constexpr std::array<Role, 17> kRoles = {{
    {"vnd.ollama.image.model", "model.gguf"},
    {"vnd.ollama.image.adapter", "adapter.gguf"},
    {"vnd.ollama.image.projector", "projector.gguf"},
    {"vnd.ollama.image.draft", "draft.gguf"},
    {"vnd.docker.ai.gguf.v3", "model.gguf"},
    {"vnd.docker.ai.model.file.v1+gguf", "model.gguf"},
    {"vnd.docker.ai.safetensors", "model.safetensors"},
    {"vnd.docker.ai.mmproj", "projector.gguf"},
    {"vnd.docker.ai.license", "license"},
    {"vnd.docker.ai.chat.template.jinja", "chat_template.jinja"},
    {"vnd.docker.ai.vllm.config.tar", "config.tar"},
    {"vnd.docker.ai.dir.tar", "files.tar"},
    {"vnd.docker.ai.dduf", "model.dduf"},
    {"vnd.cncf.model.weight.v1.gguf", "model.gguf"},
    {"vnd.cncf.model.weight.v1.safetensors", "model.safetensors"},
    {"vnd.oci.image.layer.v1.tar", "layer.tar"},
    {"vnd.oci.image.layer.v1.tar+gzip", "layer.tar.gz"},
}};
constexpr std::string_view kOllama = "application/vnd.ollama.image.";

// "application/vnd.ollama.image.template" -> "template"
std::string role(std::string_view media_type) {
  media_type = media_type.substr(0, media_type.find(';'));
  for (const Role& known : kRoles) {
    if (media_type.ends_with(known.media_type)) return std::string(known.name);
  }
  if (media_type.starts_with(kOllama)) {
    std::string name(media_type.substr(kOllama.size()));
    if (contained(name) && name.find('/') == std::string::npos) return name;
  }
  return "layer";
}

// "model.gguf" -> "model-2.gguf"
std::string numbered(const std::string& name, std::size_t number) {
  const std::size_t slash = name.rfind('/') + 1;
  std::size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot <= slash) dot = name.size();
  return name.substr(0, dot) + "-" + std::to_string(number) + name.substr(dot);
}

Descriptor descriptor(const json::Value& value) {
  const json::Value& notes = value["annotations"];
  Descriptor out;
  out.media_type = value["mediaType"].string();
  out.digest = value["digest"].string();
  out.tag = notes["org.opencontainers.image.ref.name"].string();
  for (const std::string& title : {notes["org.cncf.model.filepath"].string(),
                                   notes["org.opencontainers.image.title"].string(), value["name"].string()}) {
    if (!title.empty() && out.title.empty()) out.title = title;
  }
  return out;
}

Result<std::vector<Descriptor>> descriptors(const json::Value& list) {
  if (list.array().size() > kMostLayers)
    return fail(ErrorCode::resource, "more than " + std::to_string(kMostLayers) + " layers");
  std::vector<Descriptor> out;
  for (const json::Value& item : list.array()) out.push_back(descriptor(item));
  return out;
}

}  // namespace

Result<json::Value> read_json(io::Tree& tree, const std::string& path, std::string* digest) {
  SY_TRY(const std::string content, tree.read(path, kLargestManifest));
  if (digest != nullptr) *digest = sha256(content);
  return json::parse(content, {.most_bytes = kLargestManifest, .decimals = true, .duplicates = false});
}

Result<Manifest> read_manifest(io::Tree& tree, const std::string& path) {
  Manifest out;
  SY_TRY(const json::Value document, read_json(tree, path, &out.digest));
  if (!document.is_object()) return fail(ErrorCode::usage, "not a JSON object");
  if (document["config"].is_object()) out.config = descriptor(document["config"]);
  SY_TRY(out.layers, descriptors(document["layers"]));
  SY_TRY(out.manifests, descriptors(document["manifests"]));
  return out;
}

void add_unread(io::Tree& tree, Model& model, std::string name, const std::string& path, std::string why) {
  if (tree.find(path).kind == io::Tree::Kind::outside) {
    add_file(tree, model, std::move(name), path, "");
  } else {
    add_lost(model, std::move(name), "STO007", std::move(why));
  }
}

std::optional<Manifest> manifest_of(io::Tree& tree, Model& model, const std::string& path, const std::string& hex) {
  auto manifest = read_manifest(tree, path);
  if (!manifest) {
    add_unread(tree, model, "manifest", path, std::move(manifest.error().message));
    return std::nullopt;
  }
  if (!hex.empty() && manifest->digest != hex)
    add_finding(model, "STO001",
                json::Value()
                    .set("what", "manifest")
                    .set("expected", "sha256:" + hex)
                    .set("found", "sha256:" + manifest->digest));
  add_fact(model, "source.manifest", "sha256:" + manifest->digest);
  return std::move(*manifest);
}

void add_layers(io::Tree& tree, Model& model, const Manifest& manifest,
                const std::function<std::string(const std::string&)>& blob) {
  std::set<std::string> taken;
  std::map<std::string, std::size_t> numbers;
  const auto add = [&](const Descriptor& layer, std::string fallback) {
    std::string name = std::move(fallback);
    if (contained(layer.title)) {
      name = layer.title;
      if (taken.contains(name)) add_misplaced(model, "one file twice", name);
    } else if (!layer.title.empty()) {
      add_misplaced(model, "a file outside the model", layer.title);
    }
    if (!taken.insert(name).second) {
      std::size_t& number = numbers.try_emplace(name, 1).first->second;
      std::string other;
      do other = numbered(name, ++number);
      while (!taken.insert(other).second);
      name = std::move(other);
    }
    const auto hex = sha256_hex(layer.digest);
    if (!hex) {
      add_misplaced(model, "a digest that is none", layer.digest);
      add_lost(model, std::move(name), "STO003", "its digest names no file");
      return;
    }
    add_file(tree, model, std::move(name), blob(*hex), "sha256:" + *hex);
  };
  for (const Descriptor& layer : manifest.layers) add(layer, role(layer.media_type));
  // An artifact without configuration names the two bytes "{}", which many stores don't keep.
  if (manifest.config && !manifest.config->media_type.ends_with("vnd.oci.empty.v1+json"))
    add(*manifest.config, "config");
}

}  // namespace steelyard::stores
