// Model: one GGUF, or one in several files, loaded by llama.cpp, and what the protocol asks of it. Throws
// std::runtime_error with a reason.
//
// Every sequence has key-value memory of its own (non-unified), so that an answer doesn't depend on what is decoded
// beside it. Not thread-safe. Tested by tests/cli/engine_test.py.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/protocol.hpp"
#include "engine/worker/lanes.hpp"

struct llama_model;
struct llama_context;
struct llama_vocab;
struct common_chat_templates;

namespace steelyard::engine {

u64 microseconds();  // of a steady clock
using Tell = std::function<void(const Progress& progress)>;

class Model {
 public:
  // `files`: names of its parts, in their order (files.hpp). `cancelled` is asked between and during decoding.
  Model(const std::vector<std::string>& files, const Load& load, const std::function<bool()>& cancelled,
        const Tell& tell);
  ~Model();

  Loaded describe() const;
  Tokens tokenize(const Tokenize& request) const;
  std::string apply(const ApplyTemplate& request);
  void generate(const Generate& request, const std::function<void(Generated)>& give, const Tell& tell);
  void score(const Score& request, const std::function<void(Scored)>& give, const Tell& tell);
  // Hidden states of the last layer.
  Embedding embed(const Tokens& tokens);
  // Natural logarithms of the whole distribution behind each position of `tokens` from `from` on.
  void distributions(const Tokens& tokens, std::size_t from,
                     const std::function<void(std::size_t position, const float* logits)>& give);
  u32 vocabulary() const;

 private:
  void check_tokens(const Tokens& tokens) const;
  Lanes::Shape lanes_shape() const;
  std::string piece(Token token) const;

  std::function<bool()> cancelled_;
  std::unique_ptr<llama_model, void (*)(llama_model*)> model_;
  std::unique_ptr<llama_context, void (*)(llama_context*)> context_;
  std::shared_ptr<common_chat_templates> templates_;
  const llama_vocab* vocab_ = nullptr;
  u32 sequences_ = 1;
  u32 length_ = 0;  // tokens of one sequence
  u32 batch_ = 0;   // tokens decoded at a time
  u64 load_ms_ = 0;
  bool exact_ = false;
  u32 stretch_ = 0;  // tokens of one sequence decoded at a time
};

}  // namespace steelyard::engine
