// Lanes: the sequences of a context, side by side, and the prompts that are decoded in them.
//
// Prompts that begin alike are decoded once as far as they do: a lane takes over the memory of the one that holds most
// of its prompt, and a prompt that shares more with one that is just being decoded than with any that is there waits
// for it. Throws std::runtime_error. Not thread-safe. Tested by tests/engine/exact_test.py.
#pragma once

#include <optional>
#include <vector>

#include "engine/protocol.hpp"
#include "engine/worker/batch.hpp"

namespace steelyard::engine {

struct Lane {
  std::optional<u32> number;  // of its prompt; none: free
  Tokens held;                // in its memory
  Tokens waiting;             // to be decoded
  bool starting = false;      // its prompt isn't decoded yet
  std::size_t until = 0;      // of a round: others wait for what is held then
  struct Output {
    std::size_t position;
    std::int32_t index;  // for llama_get_logits_ith()
  };
  std::vector<Output> outputs;  // of the last round, at the positions that are wanted
};

class Lanes {
 public:
  struct Shape {
    u32 lanes = 1;
    u32 batch = 512;    // tokens decoded at a time
    u32 stretch = 512;  // tokens of one lane decoded at a time
  };
  // `wanted`: of each prompt, the first position whose logits are wanted; all after it are, too.
  Lanes(llama_context* context, const Shape& shape, std::vector<Tokens> prompts, std::vector<std::size_t> wanted);

  // A prompt into each free lane, as far as there are any worth decoding now.
  void fill();
  // One round: up to a batch of what is waiting.
  void decode();
  std::vector<Lane>& lanes() { return lanes_; }
  bool finished() const;
  // Tokens in the lanes that have a prompt.
  u64 held() const;

 private:
  std::optional<u32> next();
  void reuse(std::size_t lane, u32 number);

  llama_context* context_;
  Shape shape_;
  std::vector<Tokens> prompts_;
  std::vector<std::size_t> wanted_;
  std::vector<u32> order_;  // of those that are left: by their tokens, so that neighbours share the most
  std::vector<Lane> lanes_;
  Batch batch_;
};

}  // namespace steelyard::engine
