// What a GGUF's tensors say about the memory that running the model takes: rows that a token leaves in the key-value
// cache, and weights that llama.cpp copies into another order. Behaviour of llama.cpp's llama-kv-cache.cpp and of
// ggml's repack.cpp on x86-64.
//
// Attack resisted: shapes whose sums overflow give no fact. Tested by tests/unit/fits_test.cpp; fuzzed as the format
// is.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "formats/item.hpp"

namespace steelyard::formats {

class GgufMemory {
 public:
  // Of each tensor with usable bounds; `type` as ggml names it, `bytes` of the whole tensor.
  void add(std::string_view name, const std::array<u64, 4>& dimensions, std::string_view type, u64 bytes);
  // Fact "model.memory": numbers of elements, rows or bytes by name. Nothing when a sum overflowed.
  void report(Reporter& report) const;

 private:
  // Sums that stick at "too large".
  using Sum = std::optional<u64>;
  Sum cached_ = 0;        // rows of attn_k and attn_v, over all layers
  Sum fused_ = 0;         // rows of attn_qkv, over all layers
  Sum repacked_ = 0;      // bytes, with AVX2
  Sum repacked_512_ = 0;  // bytes that AVX-512 repacks besides
  Sum embedding_ = 0;     // bytes of token_embd, when it is of a type that is repacked
  Sum embedding_512_ = 0;
  bool output_ = false;      // a matrix of its own behind the last layer
  bool recurrent_ = false;   // a state besides or instead of the cache
  bool compressed_ = false;  // latent attention
  u64 width_ = 0;            // of an embedding
  u64 vocabulary_ = 0;
  u64 widest_ = 0;  // rows of a matrix of a layer
};

}  // namespace steelyard::formats
