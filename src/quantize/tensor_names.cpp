// What llama.cpp calls the tensors of transformers. Oracle: tensor_mapping.py of gguf-py. Tested by
// tests/cli/convert_test.py.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "quantize/hugging_face.hpp"

namespace steelyard::quantize {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr std::array<Pair, 3> kWhole = {
    {{"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}}};
constexpr std::array<Pair, 11> kLayer = {{{"input_layernorm", "attn_norm"},
                                          {"self_attn.q_proj", "attn_q"},
                                          {"self_attn.k_proj", "attn_k"},
                                          {"self_attn.v_proj", "attn_v"},
                                          {"self_attn.o_proj", "attn_output"},
                                          {"self_attn.q_norm", "attn_q_norm"},
                                          {"self_attn.k_norm", "attn_k_norm"},
                                          {"post_attention_layernorm", "ffn_norm"},
                                          {"mlp.gate_proj", "ffn_gate"},
                                          {"mlp.up_proj", "ffn_up"},
                                          {"mlp.down_proj", "ffn_down"}}};
constexpr std::array<Pair, 3> kGemmaLayer = {{{"post_attention_layernorm", "post_attention_norm"},
                                              {"pre_feedforward_layernorm", "ffn_norm"},
                                              {"post_feedforward_layernorm", "post_ffw_norm"}}};
constexpr std::array<Pair, 2> kRouter = {{{"mlp.gate", "ffn_gate_inp"}, {"block_sparse_moe.gate", "ffn_gate_inp"}}};
constexpr std::array<std::string_view, 2> kExperts = {"mlp.experts.", "block_sparse_moe.experts."};
constexpr std::array<Pair, 6> kExpert = {{{"gate_proj", "ffn_gate_exps"},
                                          {"up_proj", "ffn_up_exps"},
                                          {"down_proj", "ffn_down_exps"},
                                          {"w1", "ffn_gate_exps"},
                                          {"w3", "ffn_up_exps"},
                                          {"w2", "ffn_down_exps"}}};

template <std::size_t N>
std::string_view among(const std::array<Pair, N>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name, &Pair::first);
  return found == names.end() ? std::string_view() : found->second;
}

// The number at the beginning, and cuts it off with the dot behind it; as Python writes it.
std::optional<u64> number(std::string_view& text) {
  const std::size_t dot = text.find('.');
  const std::string_view digits = text.substr(0, dot);
  u64 out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (dot == std::string_view::npos || error != std::errc() || end != digits.data() + digits.size() ||
      digits.size() > 5 || (digits.size() > 1 && digits[0] == '0'))
    return std::nullopt;
  text.remove_prefix(dot + 1);
  return out;
}

}  // namespace

TensorName renamed(const std::string& name, const Hyperparameters& of) {
  const std::size_t dot = name.rfind('.');
  const std::string_view ending = dot == std::string::npos ? "" : std::string_view(name).substr(dot);
  if (ending != ".weight" && ending != ".bias") return {};
  std::string_view stem = std::string_view(name).substr(0, dot);
  if (const auto found = among(kWhole, stem); !found.empty()) return {fmt::format("{}{}", found, ending), {}};
  constexpr std::string_view kLayers = "model.layers.";
  if (!stem.starts_with(kLayers)) return {};
  stem.remove_prefix(kLayers.size());
  const auto layer = number(stem);
  if (!layer || *layer >= of.layers) return {};
  const auto in_layer = [&](std::string_view found, std::optional<u64> expert = {}) -> TensorName {
    if (found.empty()) return {};
    return {fmt::format("blk.{}.{}{}", *layer, found, ending), expert};
  };
  if (of.experts > 0) {
    if (const auto found = among(kRouter, stem); !found.empty()) return in_layer(found);
    for (const std::string_view begin : kExperts) {
      if (!stem.starts_with(begin)) continue;
      stem.remove_prefix(begin.size());
      const auto expert = number(stem);
      return expert ? in_layer(among(kExpert, stem), expert) : TensorName();
    }
  }
  if (of.architecture->shifted) {
    if (const auto found = among(kGemmaLayer, stem); !found.empty()) return in_layer(found);
  }
  return in_layer(among(kLayer, stem));
}

}  // namespace steelyard::quantize
