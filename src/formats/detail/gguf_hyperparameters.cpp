#include "formats/detail/gguf_hyperparameters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace steelyard::formats {
namespace {

constexpr u64 kMostLayers = 512;            // LLAMA_MAX_LAYERS
constexpr u64 kMostContext = u64{1} << 28;  // the longest published is 10 million

}  // namespace

void check_hyperparameters(const GgufHyperparameters& model, Reporter& report) {
  if (model.architecture.empty()) return;
  const std::string prefix = model.architecture + ".";
  const auto number = [&](std::string_view name) -> const GgufNumber* {
    const auto found = model.numbers.find(prefix + std::string(name));
    return found == model.numbers.end() ? nullptr : &found->second;
  };
  const auto refuse = [&](std::string_view name, const GgufNumber& at, std::string why) {
    report.add("GGF037", at.at,
               json::Value()
                   .set("key", prefix + std::string(name))
                   .set("value", at.integer ? fmt::format("{}", at.whole) : fmt::format("{:g}", at.real))
                   .set("why", std::move(why)));
  };

  // State-space models have layers without attention.
  const bool attention = std::ranges::none_of(
      model.numbers, [](const auto& entry) { return entry.first.contains(".ssm.") || entry.first.contains(".wkv."); });
  if (const auto* heads = number("attention.head_count"); heads && heads->integer && heads->whole == 0 && attention)
    refuse("attention.head_count", *heads, "loaders divide by it");
  if (const auto* layers = number("block_count"); layers && layers->integer && (layers->whole > kMostLayers))
    refuse("block_count", *layers, fmt::format("llama.cpp has room for {} layers", kMostLayers));
  if (const auto* context = number("context_length"); context && context->integer && context->whole > kMostContext)
    refuse("context_length", *context, "no model has so long a context");
  const auto* experts = number("expert_count");
  const auto* used = number("expert_used_count");
  if (experts && used && experts->integer && used->integer && used->whole > experts->whole)
    refuse("expert_used_count", *used, fmt::format("there are {} experts", experts->whole));
  const auto* embedding = number("embedding_length");
  if (embedding && embedding->integer && model.embedding_row != 0 && embedding->whole != model.embedding_row)
    refuse("embedding_length", *embedding,
           fmt::format("a row of token_embd.weight has {} elements", model.embedding_row));
  for (const auto& [key, value] : model.numbers) {
    if (value.integer || !key.starts_with(prefix)) continue;
    const std::string_view name = std::string_view(key).substr(prefix.size());
    if (!std::isfinite(value.real)) {
      refuse(name, value, "it is no finite number");
    } else if ((name.ends_with("epsilon") && value.real < 0) || (name == "rope.freq_base" && value.real <= 0)) {
      refuse(name, value, "it must be positive");
    }
  }
}

}  // namespace steelyard::formats
