// The numbers that a GGUF declares about its model: none is one that breaks a loader.
//
// Behaviour of llama.cpp's llama-model.cpp and llama-hparams.h. Attacks resisted: divisions by zero,
// layer counts beyond its fixed arrays (llama.cpp #26051), values that are no numbers, sizes that
// contradict the tensors. Tested by data/rules/GGF/GGF037.toml and the GGUF format's tests; fuzzed.
#pragma once

#include <map>
#include <string>

#include "formats/item.hpp"

namespace steelyard::formats {

struct GgufNumber {
  double real = 0;
  u64 whole = 0;  // of an integer
  bool integer = false;
  Range at;
};

struct GgufHyperparameters {
  std::string architecture;
  std::map<std::string, GgufNumber, std::less<>> numbers;  // by their whole key
  u64 embedding_row = 0;                                   // elements in a row of token_embd.weight, 0: no such tensor
};

void check_hyperparameters(const GgufHyperparameters& model, Reporter& report);

}  // namespace steelyard::formats
