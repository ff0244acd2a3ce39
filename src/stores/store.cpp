#include "stores/store.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace steelyard::stores {
namespace {

// Two models that would be shown under one name are shown under their fullest.
void tell_apart(std::vector<Model>& models) {
  std::map<std::string, int> uses;
  for (const Model& model : models) ++uses[model.target()];
  for (Model& model : models) {
    if (uses[model.target()] > 1) std::swap(model.names.front(), model.names.back());
  }
}

bool absent(const std::filesystem::path& root) {
  std::error_code error;
  return std::filesystem::symlink_status(root, error).type() == std::filesystem::file_type::not_found;
}

void add(const Store& store, const std::filesystem::path& root, Listing& out, std::set<std::filesystem::path>& seen) {
  auto tree = io::Tree::open(root);
  if (!tree) {
    if (!absent(root)) out.places.push_back({std::string(store.id), root, 0, tree.error().message});
    return;
  }
  if (!seen.insert(tree->root()).second) return;
  const std::size_t before = out.models.size();
  out.places.push_back({std::string(store.id), tree->root(), 0, {}});
  const std::size_t place = out.places.size() - 1;
  const auto listed = store.list(*tree, out);
  if (!listed) out.places[place].problem = listed.error().message;
  for (std::size_t i = before; i < out.models.size(); ++i) {
    out.models[i].store = store.id;
    std::ranges::sort(out.models[i].files, {}, &File::name);
  }
  std::ranges::sort(out.models.begin() + static_cast<std::ptrdiff_t>(before), out.models.end(), {},
                    [](const Model& model) { return model.names.front(); });
  out.places[place].models = out.models.size() - before;
}

}  // namespace

u64 Model::bytes() const {
  u64 sum = 0;
  std::set<std::pair<u64, u64>> seen;
  for (const File& file : files) {
    if (!file.path.empty() && seen.insert({file.stat.device, file.stat.inode}).second) sum += file.stat.bytes;
  }
  return sum;
}

const Store* find(std::string_view id) {
  const auto stores = all();
  const auto found = std::ranges::find(stores, id, &Store::id);
  return found == stores.end() ? nullptr : *found;
}

Listing list(const Environment& environment, const Store* store) {
  Listing out;
  for (const Store* each : all()) {
    if (each->where == nullptr || (store != nullptr && each != store)) continue;
    std::set<std::filesystem::path> seen;
    for (const auto& root : each->where(environment)) add(*each, root, out, seen);
  }
  tell_apart(out.models);
  return out;
}

Listing list_at(const Store& store, const std::filesystem::path& root) {
  Listing out;
  std::set<std::filesystem::path> seen;
  add(store, root, out, seen);
  tell_apart(out.models);
  return out;
}

}  // namespace steelyard::stores
