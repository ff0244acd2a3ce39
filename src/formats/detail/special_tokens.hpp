// Special tokens: those that end an answer, begin a text or stand for what is not known, and the numbers that
// files besides tokenizer.json give to tokens.
//
// Spec: tokenizer_config.json, special_tokens_map.json and added_tokens.json of transformers. Attacks resisted: an
// ordinary word that ends the answer or vanishes from it, a token that opens a turn and says something in it,
// numbers that files of one folder give to different words. Tested by data/rules/TOK/; fuzzed.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "formats/item.hpp"

namespace steelyard::formats {

// Reports TOK008 and TOK009 for the content of a token. `role`: "eos_token", or "" for an added one.
void judge_special_token(std::string_view role, std::string_view content, Range at, Reporter& report);

// The fact tokenizer.numbers: which words have the first numbers, and the added ones.
class TokenNumbers {
 public:
  static constexpr u64 kFirst = 32;
  void add(u64 id, std::string_view token);
  void report(Reporter& report) const;

 private:
  static constexpr std::size_t kMost = 128;
  std::map<u64, std::string> tokens_;
};

// The special tokens of a configuration with one of those names; nothing for any other.
void special_tokens(Item& item);

}  // namespace steelyard::formats
