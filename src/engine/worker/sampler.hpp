// Sampler: the next token from the logits, as llama.cpp's samplers do it, in its order. Throws std::runtime_error for
// parameters that make no sampler. Tested by tests/cli/engine_test.py.
#pragma once

#include <llama.h>

#include <memory>

#include "engine/protocol.hpp"

namespace steelyard::engine {

class Sampler {
 public:
  // `number`: of the prompt; each has a seed of its own.
  Sampler(const Sampling& wanted, const llama_vocab* vocab, u32 number);
  // Takes note of the choice.
  Token next(llama_context* context, std::int32_t output);

 private:
  std::unique_ptr<llama_sampler, void (*)(llama_sampler*)> chain_;  // none for plain greedy answers
  u32 vocabulary_;
};

Token likeliest(const float* logits, u32 vocabulary);
// What is subtracted from a logit to make it the logarithm of a probability.
double log_sum(const float* logits, u32 vocabulary);

}  // namespace steelyard::engine
