// The vocabulary inside a GGUF: its arrays fit together, and its special tokens are what they seem.
//
// Spec: docs/gguf.md of ggml, section Tokenizer; behaviour of llama.cpp's llama-vocab.cpp.
// Attacks resisted: arrays of different lengths and byte tokens that index outside a table (llama.cpp
// #26511), tries larger than their array, special ids that point to ordinary text so that a chat never
// ends or begins elsewhere, control tokens that look like others, control tokens with a message of
// their own, words that are hidden from output by their type.
// Memory: nine bytes per token. Tested by data/rules/GGF/GGF03x.toml and the GGUF format's tests; fuzzed.
#pragma once

#include <map>
#include <string>

#include "base/cursor.hpp"
#include "formats/item.hpp"

namespace steelyard::formats {

struct GgufArray {
  u32 type = 0;    // of its elements
  u64 length = 0;  // elements
  Range at;        // of the elements' bytes
};

struct GgufVocabulary {
  std::map<std::string, GgufArray, std::less<>> arrays;  // tokenizer.ggml.*, by the rest of the key
  std::map<std::string, std::pair<i64, Range>> ids;      // "eos" -> id and where it stands
  bool narrow = false;                                   // version 1: lengths of 4 bytes
  std::endian order = std::endian::little;
};

void check_vocabulary(const GgufVocabulary& vocabulary, Item& item);

}  // namespace steelyard::formats
