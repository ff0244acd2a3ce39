#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <numbers>

#include "base/text.hpp"
#include "quantize/hugging_face.hpp"

namespace steelyard::quantize {
namespace {

constexpr std::array kArchitectures = {Architecture{"LlamaForCausalLM", "llama", true},
                                       Architecture{"MistralForCausalLM", "llama", true},
                                       Architecture{"MixtralForCausalLM", "llama", true},
                                       Architecture{"Qwen3MoeForCausalLM", "qwen3moe"},
                                       Architecture{"Qwen2ForCausalLM", "qwen2"},
                                       Architecture{"Qwen3ForCausalLM", "qwen3"},
                                       Architecture{"Gemma2ForCausalLM", "gemma2", false, true},
                                       Architecture{"Gemma3ForCausalLM", "gemma3", false, true}};

constexpr u64 kMostExperts = 1'024;
constexpr double kTheta = 10'000;           // transformers' default
constexpr double kGemma3Theta = 1'000'000;  // of layers that attend to everything

std::unexpected<Error> no(std::string why) { return fail(ErrorCode::usage, "config.json: " + std::move(why)); }

// The first member that is there and not null, or null.
const json::Value& first(const json::Value& in, std::initializer_list<std::string_view> keys) {
  static const json::Value none;
  for (const std::string_view key : keys) {
    if (const json::Value* found = in.find(key); found != nullptr && !found->is_null()) return *found;
  }
  return none;
}

Result<u32> whole(const json::Value& in, std::initializer_list<std::string_view> keys) {
  const json::Value& value = first(in, keys);
  if (value.is_integer() && value.integer() > 0 && value.integer() <= INT32_MAX)
    return static_cast<u32>(value.integer());
  return no(fmt::format("{} is {}; expected a number above 0", *keys.begin(), json::compact(value)));
}

Result<double> decimal(const json::Value& value, std::string_view key) {
  if (value.is_integer()) return static_cast<double>(value.integer());
  const std::string& text = value.string();  // as json::parse keeps decimals
  double out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (value.is_string() && error == std::errc() && end == text.data() + text.size() && std::isfinite(out)) return out;
  return no(fmt::format("{} is {}; expected a number", key, json::compact(value)));
}

struct Rope {
  std::string type;
  const json::Value* in = nullptr;
  double theta = kTheta;
  std::optional<double> local;  // theta of layers that attend to a window
};

Result<Rope> rope_of(const json::Value& config, const Architecture& of) {
  static const json::Value none = json::Object{};
  const bool gemma3 = of.name == "gemma3";
  Rope out{.type = {}, .in = &first(config, {"rope_parameters", "rope_scaling"}), .local = {}};
  if (out.in->is_null()) out.in = &none;
  if (gemma3) {
    out.theta = kGemma3Theta;
    const json::Value& window = first(first(*out.in, {"sliding_attention"}), {"rope_theta"});
    const json::Value& local = window.is_null() ? first(config, {"rope_local_base_freq"}) : window;
    out.local = kTheta;
    if (!local.is_null()) {
      SY_TRY(out.local, decimal(local, "rope_local_base_freq"));
    }
    if (const json::Value& all = first(*out.in, {"full_attention"}); !all.is_null()) out.in = &all;
  }
  if (!out.in->is_object() || out.in->find("full_attention") != nullptr ||
      (!gemma3 && out.in->find("sliding_attention") != nullptr))
    return no("rope parameters of several kinds of layers aren't supported");
  out.type = first(*out.in, {"rope_type", "type"}).string();
  constexpr std::array kTypes = {"", "default", "linear", "yarn", "llama3"};
  if (std::ranges::find(kTypes, out.type) == kTypes.end())
    return no(fmt::format("the rope type \"{}\" isn't supported; expected one of default, linear, yarn, llama3",
                          text::display(out.type, 40)));
  const json::Value& inner = first(*out.in, {"rope_theta"});
  const json::Value& theta = inner.is_null() ? first(config, {"rope_theta"}) : inner;
  if (!theta.is_null()) {
    SY_TRY(out.theta, decimal(theta, "rope_theta"));
  }
  const json::Value& part = first(*out.in, {"partial_rotary_factor"});
  for (const json::Value* one : {&part, &first(config, {"partial_rotary_factor"})}) {
    if (one->is_null()) continue;
    SY_TRY(const double factor, decimal(*one, "partial_rotary_factor"));
    if (factor != 1.0) return no("a partial_rotary_factor isn't supported");
  }
  return out;
}

Result<double> in_rope(const Rope& rope, std::string_view key, double otherwise) {
  const json::Value& value = first(*rope.in, {key});
  return value.is_null() ? otherwise : decimal(value, key);
}

Result<u64> head_size(const json::Value& config, u64 heads) {
  if (!first(config, {"head_dim"}).is_null()) return whole(config, {"head_dim"});
  SY_TRY(const u64 width, whole(config, {"hidden_size"}));
  return width / heads;
}

// As transformers' llama3 scaling, in the arithmetic of convert_hf_to_gguf.py: 32 bits.
Result<std::vector<float>> llama3_factors(const json::Value& config, const Rope& rope, u64 heads) {
  SY_TRY(const u64 size, head_size(config, heads));
  SY_TRY(const double factor, in_rope(rope, "factor", 8));
  SY_TRY(const double low, in_rope(rope, "low_freq_factor", 1));
  SY_TRY(const double high, in_rope(rope, "high_freq_factor", 4));
  SY_TRY(const double before, in_rope(rope, "original_max_position_embeddings", 8192));
  if (size > 65'536 || low <= 0 || high <= low) return no("its llama3 rope parameters make no sense");
  const auto base = static_cast<float>(rope.theta);
  std::vector<float> out;
  for (u64 i = 0; i < size; i += 2) {
    const float frequency = 1.0F / std::pow(base, static_cast<float>(i) / static_cast<float>(size));
    const float length = static_cast<float>(2 * std::numbers::pi) / frequency;
    if (length < static_cast<float>(before / high)) {
      out.push_back(1);
    } else if (length > static_cast<float>(before / low)) {
      out.push_back(static_cast<float>(factor));
    } else {
      const float smooth =
          (static_cast<float>(before) / length - static_cast<float>(low)) / static_cast<float>(high - low);
      out.push_back(1 / ((1 - smooth) / static_cast<float>(factor) + smooth));
    }
  }
  return out;
}

// How many experts; 0: a dense model. Every layer has them, and the shares of those that are used add up to 1.
Result<u64> experts_of(const json::Value& config, const std::string& name) {
  const json::Value& count = first(config, {"num_local_experts", "num_experts"});
  const bool mixtral = name == "MixtralForCausalLM", qwen = name == "Qwen3MoeForCausalLM";
  if (!mixtral && !qwen) {
    if (count.is_null()) return u64{0};
    return no("a model with experts isn't supported for this architecture; expected a dense one");
  }
  SY_TRY(const u64 experts, whole(config, {mixtral ? "num_local_experts" : "num_experts"}));
  SY_TRY(const u32 used, whole(config, {"num_experts_per_tok"}));
  if (used > experts) return no(fmt::format("num_experts_per_tok is {}; expected at most {}", used, experts));
  if (experts > kMostExperts) return no(fmt::format("{} experts; expected at most {}", experts, kMostExperts));
  const json::Value& step = first(config, {"decoder_sparse_step"});
  if (!config["mlp_only_layers"].array().empty() || (!step.is_null() && step.unsigned_integer() != 1))
    return no("layers without experts aren't supported");
  if (qwen && !config["norm_topk_prob"].boolean()) return no("norm_topk_prob isn't true, as is expected");
  return experts;
}

// What llama.cpp takes for granted about Gemma.
Result<bool> check_gemma(const json::Value& config, const Hyperparameters& of, const Rope& rope) {
  const bool third = of.architecture->name == "gemma3";
  const u64 layers = of.layers;
  SY_TRY(const u64 width, whole(config, {"hidden_size"}));
  const u64 largest = third ? 62 : 46;  // layers of the 27B models, whose attention is scaled otherwise
  const u64 scale = layers == largest ? width / of.heads : of.head_size;
  const json::Value& scaled = first(config, {"query_pre_attn_scalar"});
  double found = 256;  // transformers' default
  if (!scaled.is_null()) {
    SY_TRY(found, decimal(scaled, "query_pre_attn_scalar"));
  }
  if (found != static_cast<double>(scale))
    return no(fmt::format("query_pre_attn_scalar is {}; expected {}",
                          scaled.is_null() ? "256, as it isn't there" : json::compact(scaled), scale));
  for (const std::string_view key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    // llama.cpp's own caps would take the place of none.
    if (!third && first(config, {key}).is_null())
      return no(fmt::format("{} is null or isn't there; expected a number", key));
  }
  const u64 period = third ? 6 : 2;  // every so many layers one that attends to everything
  const json::Value& pattern = first(config, {"sliding_window_pattern", "_sliding_window_pattern"});
  if (!pattern.is_null() && pattern.unsigned_integer() != period)
    return no(fmt::format("sliding_window_pattern is {}; expected {}", json::compact(pattern), period));
  const json::Array& kinds = config["layer_types"].array();
  for (u64 i = 0; i < kinds.size(); ++i) {
    const std::string_view wanted = (i + 1) % period == 0 ? "full_attention" : "sliding_attention";
    if (kinds[i].string() != wanted) return no(fmt::format("layer_types[{}] isn't {}", i, wanted));
  }
  if (config["use_bidirectional_attention"].boolean()) return no("only causal models are supported");
  if (third && !first(config, {"attn_logit_softcapping"}).is_null())
    return no("attn_logit_softcapping isn't supported for this architecture");
  if (!third && (rope.theta != kTheta || (!rope.type.empty() && rope.type != "default")))
    return no("rope parameters other than a rope_theta of 10000 aren't supported for this architecture");
  return true;
}

}  // namespace

Result<Hyperparameters> read_hyperparameters(const json::Value& config) {
  Hyperparameters out;
  const json::Array& declared = config["architectures"].array();
  const std::string name = declared.size() == 1 ? declared.front().string() : json::compact(config["architectures"]);
  std::vector<std::string_view> known;
  for (const Architecture& one : kArchitectures) {
    known.push_back(one.declared);
    if (one.declared == name) out.architecture = &one;
  }
  if (out.architecture == nullptr)
    return no(fmt::format("the architecture {} isn't supported; expected one of {}", text::display(name, 80),
                          fmt::join(known, ", ")));
  SY_TRY(out.experts, experts_of(config, name));
  for (const std::string_view key :
       {"quantization_config", "text_config", "n_routed_experts", "draft_vocab_size", "transformer_layer_config"}) {
    if (!first(config, {key}).is_null())
      return no(fmt::format("a model with \"{}\" isn't supported; expected a text model that isn't quantized", key));
  }
  if (config["is_causal"].is_bool() && !config["is_causal"].boolean()) return no("only causal models are supported");
  SY_TRY(out.heads, whole(config, {"num_attention_heads"}));
  // What transformers fills in for Llama; its other defaults are numbers of a model, not of a family.
  out.key_heads = out.heads;
  if (!first(config, {"num_key_value_heads"}).is_null() || name != "LlamaForCausalLM") {
    SY_TRY(out.key_heads, whole(config, {"num_key_value_heads"}));
  }
  if (!first(config, {"head_dim"}).is_null() || name == "Qwen3ForCausalLM" || name == "Qwen3MoeForCausalLM" ||
      out.architecture->shifted) {
    SY_TRY(out.head_size, whole(config, {"head_dim"}));
  } else if (name == "LlamaForCausalLM" || name == "MistralForCausalLM") {
    SY_TRY(const u64 size, head_size(config, out.heads));
    out.head_size = static_cast<u32>(size);
  }
  SY_TRY(out.vocabulary, whole(config, {"vocab_size"}));
  SY_TRY(out.layers, whole(config, {"num_hidden_layers"}));
  SY_TRY(const Rope rope, rope_of(config, *out.architecture));
  if (out.architecture->shifted) {
    SY_CHECK(check_gemma(config, out, rope));
    const json::Value& tied = first(config, {"tie_word_embeddings"});
    out.tied = out.architecture->name == "gemma2";
    if (out.tied && tied.is_bool() && !tied.boolean())
      return no("tie_word_embeddings is false, which isn't supported for this architecture");
  }
  if (rope.type == "llama3") {
    if (!out.architecture->pairs) return no("the rope type \"llama3\" isn't supported for this architecture");
    SY_TRY(out.frequencies, llama3_factors(config, rope, out.heads));
  }
  return out;
}

Result<bool> put_hyperparameters(GgufKeys& keys, const json::Value& config, const Hyperparameters& of, u32 type) {
  const std::string begin(of.architecture->name);
  const auto number = [&](std::string_view key, std::initializer_list<std::string_view> from) -> Result<bool> {
    SY_TRY(const u32 value, whole(config, from));
    keys.number(begin + "." + std::string(key), value);
    return true;
  };
  SY_CHECK(number("block_count", {"num_hidden_layers"}));
  SY_CHECK(number("context_length", {"max_position_embeddings"}));
  SY_CHECK(number("embedding_length", {"hidden_size"}));
  SY_CHECK(number("feed_forward_length", {"intermediate_size"}));
  SY_CHECK(number("attention.head_count", {"num_attention_heads"}));
  keys.number(begin + ".attention.head_count_kv", static_cast<u32>(of.key_heads));
  if (of.experts > 0) {
    keys.number(begin + ".expert_count", static_cast<u32>(of.experts));
    SY_CHECK(number("expert_used_count", {"num_experts_per_tok"}));
    if (!of.architecture->pairs) SY_CHECK(number("expert_feed_forward_length", {"moe_intermediate_size"}));
  }
  SY_TRY(const Rope rope, rope_of(config, *of.architecture));
  const auto factor = [&](std::string_view key, std::initializer_list<std::string_view> from) -> Result<bool> {
    const json::Value& value = first(*rope.in, from);
    if (value.is_null()) return true;
    SY_TRY(const double found, decimal(value, *from.begin()));
    keys.decimal(begin + ".rope.scaling." + std::string(key), static_cast<float>(found));
    return true;
  };
  if ((rope.type == "linear" || rope.type == "yarn") && !first(*rope.in, {"factor"}).is_null()) {
    keys.text(begin + ".rope.scaling.type", rope.type);
    SY_CHECK(factor("factor", {"factor"}));
  }
  if (rope.type == "yarn" && !first(*rope.in, {"factor"}).is_null()) {
    const bool inner = !first(*rope.in, {"original_max_position_embeddings"}).is_null();
    SY_TRY(const u32 before, whole(inner ? *rope.in : config, {"original_max_position_embeddings"}));
    keys.number(begin + ".rope.scaling.original_context_length", before);
    SY_CHECK(factor("yarn_ext_factor", {"extrapolation_factor"}));
    SY_CHECK(factor("yarn_attn_factor", {"attention_factor", "attn_factor"}));
    SY_CHECK(factor("yarn_beta_fast", {"beta_fast"}));
    SY_CHECK(factor("yarn_beta_slow", {"beta_slow"}));
  }
  if (begin != "gemma2") keys.decimal(begin + ".rope.freq_base", static_cast<float>(rope.theta));
  if (rope.local) keys.decimal(begin + ".rope.freq_base_swa", static_cast<float>(*rope.local));
  const json::Value& epsilon = first(config, {"rms_norm_eps"});
  SY_TRY(const double small, decimal(epsilon, "rms_norm_eps"));
  keys.decimal(begin + ".attention.layer_norm_rms_epsilon", static_cast<float>(small));
  if (of.head_size != 0) {
    keys.number(begin + ".attention.key_length", of.head_size);
    keys.number(begin + ".attention.value_length", of.head_size);
  }
  keys.number("general.file_type", type);
  if (of.architecture->shifted) {
    SY_CHECK(number("attention.sliding_window", {"sliding_window"}));
    for (const std::string_view key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
      const json::Value& cap = first(config, {key});
      if (cap.is_null()) continue;
      SY_TRY(const double value, decimal(cap, key));
      keys.decimal(fmt::format("{}.{}", begin, key), static_cast<float>(value));
    }
  }
  if (of.architecture->pairs) {
    SY_CHECK(number("vocab_size", {"vocab_size"}));
    SY_TRY(const u64 size, head_size(config, of.heads));
    keys.number(begin + ".rope.dimension_count", static_cast<u32>(size));
  }
  keys.number("general.quantization_version", 2);
  return true;
}

}  // namespace steelyard::quantize
