// llama.cpp's downloads: $LLAMA_CACHE, or llama.cpp/ in $XDG_CACHE_HOME or ~/.cache. Since it shares the
// hub's layout, a folder named by $LLAMA_CACHE may hold either; before, it held files side by side.

#include <fmt/format.h>

#include <map>

#include "base/shard.hpp"
#include "base/text.hpp"
#include "stores/detail/layout.hpp"

namespace steelyard::stores {
namespace {

std::vector<std::filesystem::path> where(const Environment& environment) {
  if (const auto named = folder(environment, "LLAMA_CACHE"); !named.empty()) return {named, named / "llama.cpp"};
  const auto cache = xdg(environment, "XDG_CACHE_HOME", ".cache");
  if (cache.empty()) return {};
  return {cache / "llama.cpp"};
}

Result<bool> list(io::Tree& tree, Listing& out) {
  SY_CHECK(list_hub(tree, out));
  SY_TRY(const std::vector<io::Tree::Entry> entries, tree.list(""));
  std::map<std::string, std::vector<std::string>> models;
  std::size_t incomplete = 0;
  for (const auto& entry : entries) {
    if (entry.name.ends_with(".downloadInProgress")) ++incomplete;
    if (!entry.name.ends_with(".gguf")) continue;  // beside them: what the server said about them
    const auto set = ShardName::of(entry.name);
    models[set ? set->before + "00001" + set->after : entry.name].push_back(entry.name);
  }
  for (const auto& [name, files] : models) {
    Model model;
    model.names = {name};
    for (const std::string& file : files) add_file(tree, model, file, file, "");
    add_fact(model, "source.model", text::to_value(name));
    out.models.push_back(std::move(model));
  }
  if (incomplete > 0)
    out.notes.push_back(
        fmt::format("{}: {}", text::display(tree.root().string()), counted(incomplete, "unfinished download")));
  return true;
}

}  // namespace

extern const Store llama_cache_store;
const Store llama_cache_store{"llama", "llama.cpp cache", where, list};

}  // namespace steelyard::stores
