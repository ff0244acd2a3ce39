// LM Studio: models/<publisher>/<model>/<files> in ~/.lmstudio, in the older ~/.cache/lm-studio, or in the
// folder that ~/.lmstudio-home-pointer names. No digests.

#include "io/file.hpp"
#include "stores/detail/layout.hpp"

namespace steelyard::stores {
namespace {

constexpr u64 kLargestPointer = 4096;

std::vector<std::filesystem::path> where(const Environment& environment) {
  const auto base = home(environment);
  if (base.empty()) return {};
  std::vector<std::filesystem::path> out = {base / ".lmstudio/models", base / ".cache/lm-studio/models"};
  if (auto pointer = io::read_text(base / ".lmstudio-home-pointer", kLargestPointer)) {
    pointer->erase(std::min(pointer->find_first_of("\r\n"), pointer->size()));
    if (const auto named = expanded(environment, *pointer); named.is_absolute()) out.push_back(named / "models");
  }
  return out;
}

}  // namespace

extern const Store lmstudio_store;
const Store lmstudio_store{"lmstudio", "LM Studio", where, list_folders};

}  // namespace steelyard::stores
