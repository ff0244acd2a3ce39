// What convert.cpp reads of a directory beside its tensors: hyperparameters and tokenizer. Private to it.
#pragma once

#include <optional>

#include "base/json.hpp"
#include "base/source.hpp"
#include "quantize/gguf_keys.hpp"

namespace steelyard::quantize {

struct Architecture {
  std::string_view declared;  // in config.json
  std::string_view name;      // of llama.cpp
  bool pairs = false;         // rotates neighbours where transformers rotates halves
  bool shifted = false;       // Gemma: norms are held less 1, and there are four in a layer
};

struct Hyperparameters {
  const Architecture* architecture = nullptr;
  u64 heads = 0;
  u64 key_heads = 0;
  u32 head_size = 0;  // 0: not said
  u64 vocabulary = 0;
  u64 experts = 0;  // 0: a dense model
  u64 layers = 0;
  bool tied = false;               // the words' matrix is that of the output, whatever else is there
  std::vector<float> frequencies;  // factors; empty: none
};

// Checks that the model can be converted, and reads what the rest needs.
Result<Hyperparameters> read_hyperparameters(const json::Value& config);
// The keys of the architecture. `type`: general.file_type.
Result<bool> put_hyperparameters(GgufKeys& keys, const json::Value& config, const Hyperparameters& of, u32 type);

struct TensorName {
  std::string name;           // empty: none
  std::optional<u64> expert;  // whose part of that tensor it is
};

// What llama.cpp calls a tensor of transformers.
TensorName renamed(const std::string& name, const Hyperparameters& of);

struct TokenizerFiles {
  json::Value tokenizer;                // null: none
  std::optional<json::Value> settings;  // tokenizer_config.json
  json::Value config;
  std::optional<std::string> chat_template;  // chat_template.jinja
  const Source* pieces = nullptr;            // tokenizer.model
  json::Value added;                         // added_tokens.json, or null
};

Result<bool> put_tokenizer(GgufKeys& keys, const TokenizerFiles& files, const Hyperparameters& of);
// The same where there is a tokenizer.model.
Result<bool> put_sentencepiece(GgufKeys& keys, const TokenizerFiles& files, const Hyperparameters& of);

}  // namespace steelyard::quantize
