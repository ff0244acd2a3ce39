// Compare: whether a quantized model is what its source gives, and where it isn't.
//
// Two questions: does an output agree with its source in everything that quantization leaves alone (names,
// shapes, metadata), and are two outputs the same, byte for byte; if not, which tensor and block differ first,
// in the order of the file. Attack resisted: one changed block, a key slipped in, a tensor added, bytes between
// tensors. Reads in windows. Tested by tests/unit/quantize_test.cpp.
#pragma once

#include "quantize/layout.hpp"

namespace steelyard::quantize {

// What differs between a source and what was made of it; empty: nothing that should not.
std::vector<std::string> disagreements(const Source& source, const Layout& from, const Source& output,
                                       const Layout& to);

struct Block {
  std::string tensor;
  std::string type;
  u64 index = 0;         // of the block in the tensor
  u64 offset = 0;        // of the block in the file that was examined
  std::string expected;  // hex
  std::string found;
};

struct Difference {
  bool identical = true;
  std::vector<std::string> keys;     // that differ, are missing or too many
  std::vector<std::string> tensors;  // likewise, by shape, type or absence
  std::optional<Block> first;
  u64 tensors_changed = 0;  // by content
  u64 elsewhere = 0;        // offset of the first byte that differs outside of keys and tensors; 0: none
};

// `expected`: made just now; `found`: what somebody calls the same. An Error when bytes can't be read.
Result<Difference> compare(const Source& expected, const Layout& wanted, const Source& found, const Layout& have);

}  // namespace steelyard::quantize
