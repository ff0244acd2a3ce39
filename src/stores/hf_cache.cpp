// The cache of huggingface_hub: $HF_HUB_CACHE, $HUGGINGFACE_HUB_CACHE, $HF_HOME/hub,
// $XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub.

#include "stores/detail/layout.hpp"

namespace steelyard::stores {
namespace {

std::vector<std::filesystem::path> where(const Environment& environment) { return {hub(environment)}; }

}  // namespace

extern const Store hf_cache_store;
const Store hf_cache_store{"hf", "Hugging Face hub cache", where, list_hub};

}  // namespace steelyard::stores
