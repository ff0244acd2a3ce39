// Batch: tokens for one llama_decode(), each of one sequence. Throws std::runtime_error.
#pragma once

#include <llama.h>

#include <stdexcept>
#include <string>

#include "engine/protocol.hpp"

namespace steelyard::engine {

class Batch {
 public:
  explicit Batch(u32 size) : batch_(llama_batch_init(static_cast<std::int32_t>(size), 0, 1)) {}
  ~Batch() { llama_batch_free(batch_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  // Where its logits will be, if they are wanted.
  std::int32_t add(Token token, std::size_t position, u32 sequence, bool output) {
    const std::int32_t at = batch_.n_tokens++;
    batch_.token[at] = token;
    batch_.pos[at] = static_cast<llama_pos>(position);
    batch_.n_seq_id[at] = 1;
    batch_.seq_id[at][0] = static_cast<llama_seq_id>(sequence);
    batch_.logits[at] = output ? 1 : 0;
    return at;
  }
  u32 size() const { return static_cast<u32>(batch_.n_tokens); }
  void decode(llama_context* context) {
    if (batch_.n_tokens == 0) return;
    const int status = llama_decode(context, batch_);
    if (status == 2) throw std::runtime_error("cancelled");
    if (status != 0) throw std::runtime_error("decoding failed (" + std::to_string(status) + ")");
    batch_.n_tokens = 0;
  }

 private:
  llama_batch batch_;
};

}  // namespace steelyard::engine
