// TokenMapping: which text has which number, as a digest that doesn't depend on the order of a file, so that
// vocab.txt, vocab.json and tokenizer.json of one model can be held against each other.
#pragma once

#include <string_view>

#include "formats/item.hpp"

namespace steelyard::formats {

// 64 bits of SHA-256.
u64 token_digest(std::string_view token);

class TokenMapping {
 public:
  void add(u64 id, std::string_view token);
  // The fact tokenizer.mapping, when there are tokens.
  void report(Reporter& report) const;
  u64 tokens() const { return tokens_; }

 private:
  u64 tokens_ = 0;
  u64 sum_ = 0;
};

}  // namespace steelyard::formats
