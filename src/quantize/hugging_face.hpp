// What convert.cpp reads of a directory beside its tensors: hyperparameters and tokenizer. Private to it.
#pragma once

#include <optional>

#include "base/json.hpp"
#include "quantize/gguf_keys.hpp"

namespace steelyard::quantize {

struct Architecture {
  std::string_view declared;  // in config.json
  std::string_view name;      // of llama.cpp
  bool pairs = false;         // rotates neighbours where transformers rotates halves
};

struct Hyperparameters {
  const Architecture* architecture = nullptr;
  u64 heads = 0;
  u64 key_heads = 0;
  u32 head_size = 0;  // 0: not said
  u64 vocabulary = 0;
  std::vector<float> frequencies;  // factors; empty: none
};

// Checks that the model can be converted, and reads what the rest needs.
Result<Hyperparameters> read_hyperparameters(const json::Value& config);
// The keys of the architecture. `type`: general.file_type.
Result<bool> put_hyperparameters(GgufKeys& keys, const json::Value& config, const Hyperparameters& of, u32 type);

struct TokenizerFiles {
  json::Value tokenizer;
  std::optional<json::Value> settings;  // tokenizer_config.json
  json::Value config;
  std::optional<std::string> chat_template;  // chat_template.jinja
};

Result<bool> put_tokenizer(GgufKeys& keys, const TokenizerFiles& files, const Hyperparameters& of);

}  // namespace steelyard::quantize
