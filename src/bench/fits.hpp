// Fits: whether a model will fit the memory there is, and with how much context, from facts of its header alone.
//
// What is counted: the file (mapped as it is), the weights that llama.cpp copies into another order, 16-bit keys and
// values for every token of the context (of layers with a sliding window too: the engine keeps all of them), buffers of
// a computation with 512 tokens, the vocabulary and the program. Only for architectures whose layers all keep plain
// keys and values; of any other, and when the header's numbers can't be true, why not is what is returned. All
// arithmetic is checked: facts come from hostile files. Pure. Tested by tests/unit/fits_test.cpp with headers made by
// hand and by tests/cli/fits_test.py against the resident memory of the engine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/examination.hpp"

namespace steelyard::bench {

struct Estimate {
  u64 file = 0;  // bytes, as all of these
  u64 repacked = 0;
  u64 runtime = 0;    // program, vocabulary, buffers that don't depend on the context
  u64 per_token = 0;  // keys and values
  u64 beside = 0;     // masks and bookkeeping, for each token of context
  u64 trained = 0;    // tokens of context that the model was made for; 0: it doesn't say

  // With a context of so many tokens; nothing when it can't be counted in 64 bits.
  std::optional<u64> bytes(u64 context) const;
  // The longest context within `available` bytes, a multiple of 256 and at most `trained`; 0: none.
  u64 longest(u64 available) const;
};

// `avx512`: the runtime repacks for it. `why`: what is missing when there is no estimate.
std::optional<Estimate> estimate(const Examination& found, u64 file_bytes, bool avx512, std::string& why);

// Bytes for each token of context that attention takes where it is computed as plain products; 0: not known.
u64 plain_attention(const Examination& found);

// As measurements "memory_estimate" at these contexts, and the fact "model.fits".
void report_fit(const Estimate& estimate, u64 available, const std::vector<u64>& contexts, Examination& into);

}  // namespace steelyard::bench
