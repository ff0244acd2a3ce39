// Anaconda: ~/.anaconda/ai/models (or models_path of ~/.anaconda/config.toml), and the folders into which
// AI Navigator and Anaconda Desktop download, as their config.json says. No digests.

#include "base/json.hpp"
#include "io/file.hpp"
#include "stores/detail/config.hpp"
#include "stores/detail/layout.hpp"

namespace steelyard::stores {
namespace {

std::vector<std::filesystem::path> where(const Environment& environment) {
  const auto base = home(environment);
  if (base.empty()) return {};
  std::vector<std::filesystem::path> out = {base / ".anaconda/ai/models"};
  const std::string named =
      toml_text(base / ".anaconda/config.toml", {"plugin", "ai", "backends", "ai_catalyst", "models_path"});
  if (!named.empty()) out.push_back(expanded(environment, named));
  const auto data = xdg(environment, "XDG_DATA_HOME", ".local/share");
  for (const char* program : {"ai-navigator", "anaconda-desktop"}) {
    const auto text = io::read_text(data / program / "config.json", kLargestManifest);
    const auto config =
        text ? json::parse(*text, {.decimals = true, .duplicates = true}) : std::unexpected(text.error());
    if (config && !(*config)["downloadLocation"].string().empty())
      out.push_back(expanded(environment, (*config)["downloadLocation"].string()));
  }
  return out;
}

}  // namespace

extern const Store anaconda_store;
const Store anaconda_store{"anaconda", "Anaconda", where, list_folders};

}  // namespace steelyard::stores
