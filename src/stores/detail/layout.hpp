// What the stores' layouts share: where homes are, digests as names, files of a model, manifests.
//
// Attack resisted: digests and names in manifests that are paths ("sha256:../../etc/passwd"), files
// named twice, manifests too large or nested too deep to read, equal keys that two readers take
// differently. Tested by tests/unit/stores_test.cpp.
#pragma once

#include "stores/store.hpp"

namespace steelyard::stores {

// $HOME, or nothing. `system` is below Environment::root().
std::filesystem::path home(const Environment& environment);
std::filesystem::path system(const Environment& environment, std::string_view absolute);
// A variable that names a folder, with a leading ~ as shells read it; empty when unset.
std::filesystem::path folder(const Environment& environment, const std::string& variable);
std::filesystem::path expanded(const Environment& environment, const std::string& text);
// $XDG_CACHE_HOME or ~/.cache, and the like; empty without a home.
std::filesystem::path xdg(const Environment& environment, const std::string& variable, std::string_view fallback);
// Where huggingface_hub keeps its cache: one folder, or nothing without a home.
std::filesystem::path hub(const Environment& environment);

// The 64 hex digits of "sha256:…" or "sha256-…"; nothing for anything else.
std::optional<std::string> sha256_hex(std::string_view digest);
bool is_hex(std::string_view text, std::size_t length);
// "1 blob", "2 blobs".
std::string counted(std::size_t number, std::string_view noun);
// Whether `name` is a relative path that stays where it begins.
bool contained(std::string_view name);

// Adds what `path` (in the store) holds under `name`, or why it can't be had.
File& add_file(io::Tree& tree, Model& model, std::string name, const std::string& path, std::string digest);
File& add_found(const io::Tree& tree, Model& model, std::string name, const io::Tree::Found& found, std::string digest);
// Adds an entry that stands for something that can't be examined.
void add_lost(Model& model, std::string name, std::string rule, std::string why, json::Value data = json::Object{});
void add_fact(Model& model, std::string key, json::Value value);
void add_finding(Model& model, std::string rule, json::Value data);
// STO004: the store names something that isn't what it should be.
void add_misplaced(Model& model, std::string_view what, std::string_view name);
// STO006, when the store holds some of the model's files by digest, but not all.
void note_unheld(Model& model);

inline constexpr u64 kLargestManifest = u64{1} << 20;
inline constexpr std::size_t kMostLayers = 4096;

struct Descriptor {
  std::string media_type;
  std::string digest;  // as written
  std::string title;   // what the manifest calls it; may be anything
  std::string tag;
};

struct Manifest {
  std::string digest;  // of the manifest itself: 64 hex digits
  std::optional<Descriptor> config;
  std::vector<Descriptor> layers;     // of an image
  std::vector<Descriptor> manifests;  // of an index
};

// An Error says why it couldn't be read: absent, too large, not JSON, too many layers.
Result<json::Value> read_json(io::Tree& tree, const std::string& path, std::string* sha256 = nullptr);
Result<Manifest> read_manifest(io::Tree& tree, const std::string& path);
// That of a model, at a path named by `hex` (empty: by no digest). What is wrong with it goes into the
// model: STO001, STO002 or STO007.
std::optional<Manifest> manifest_of(io::Tree& tree, Model& model, const std::string& path, const std::string& hex);
// Adds an entry for a file of the store itself that couldn't be read.
void add_unread(io::Tree& tree, Model& model, std::string name, const std::string& path, std::string why);
// Adds the config and the layers, those of one name numbered: `blob` says where the content of 64 hex digits is.
void add_layers(io::Tree& tree, Model& model, const Manifest& manifest,
                const std::function<std::string(const std::string& hex)>& blob);

// Every folder <publisher>/<model> is a model, and so is every set of files that lies higher.
Result<bool> list_folders(io::Tree& tree, Listing& out);
// The layout of huggingface_hub's cache.
Result<bool> list_hub(io::Tree& tree, Listing& out);

}  // namespace steelyard::stores
