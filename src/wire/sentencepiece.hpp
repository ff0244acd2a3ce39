// SentencePiece models (tokenizer.model, spiece.model): a protobuf of pieces, and how text is normalised.
//
// Spec: sentencepiece_model.proto. Every byte belongs to a field that the specification has, or the cursor fails there.
// Attack resisted: lengths beyond what encloses them, numbers without end, pieces without a text. Tested by
// tests/oracle/repository_test.py, tests/cli/convert_test.py and tests/unit/sentencepiece_test.cpp; fuzzed.
#pragma once

#include <functional>
#include <string>

#include "base/cursor.hpp"

namespace steelyard::wire {

struct SentencePiece {
  enum class Type : u32 { normal = 1, unknown, control, user_defined, unused, byte };
  std::string text;
  float score = 0;
  Type type = Type::normal;
};

struct SentencePieceSettings {
  bool bpe = false;               // pieces were found by byte-pair encoding, not by another algorithm
  u64 normalization = 0;          // bytes of a table of replacements; 0: characters stay as they are
  bool removes_spaces = true;     // but one of several
  bool begins_with_space = true;  // every text, with one put there
};

// All of the cursor's bytes, a piece at a time. What came before a fault was given.
SentencePieceSettings read_sentencepiece(Cursor& in, const std::function<void(SentencePiece)>& give);

}  // namespace steelyard::wire
