// SpecialTokens: which tokens a text gets at its ends, the ids of tokens with a purpose, and the chat template, from
// tokenizer.json, tokenizer_config.json and config.json, in that order. Oracle: SpecialVocab of gguf-py.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quantize/hugging_face.hpp"

namespace steelyard::quantize {

inline constexpr u64 kWithoutBegin = 49'152;  // tokens; convert_hf_to_gguf.py: "Apply to granite small models only"

// Whether a token that doesn't say that it is special controls something all the same.
bool looks_special(std::string_view token);
// As a tokenizer writes a token that users define: with spaces.
std::string spaced(std::string token);

class SpecialTokens {
 public:
  // `limit`: ids from there on are left out.
  explicit SpecialTokens(const TokenizerFiles& files, std::optional<u64> limit = {});

  Result<bool> read();
  void without_begin();
  Result<bool> put(GgufKeys& keys) const;

 private:
  std::string named(const std::string& type) const;
  Result<bool> processor(const json::Value& step);
  Result<bool> pair(const json::Array& parts, const std::string& begin);
  void from_settings(const std::string& type);
  Result<bool> id_of(const std::string& type, i64 id);
  Result<bool> put_chat_template(GgufKeys& keys) const;

  const TokenizerFiles& files_;
  std::optional<u64> limit_;
  json::Object settings_;
  std::vector<std::pair<std::string, u32>> ids_;
  std::vector<std::pair<std::string, bool>> adds_;
};

}  // namespace steelyard::quantize
