// Layout: where in a GGUF file each key's value and each tensor lies, to hold one file against another.
//
// Spec: docs/gguf.md of ggml; version 2 and 3, little-endian, one file: all that llama-quantize reads and writes.
// A file that scan judges comes first, so this reader answers with an Error for whatever is broken. Attacks
// resisted: counts and sizes beyond the file, tensors outside of it. Memory: names and ranges, no values.
// Tested by tests/unit/quantize_test.cpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/source.hpp"
#include "core/examination.hpp"

namespace steelyard::quantize {

struct Tensor {
  std::vector<u64> dimensions;
  u32 id = 0;        // of the type, in the file
  std::string type;  // "Q4_K"
  u64 block = 1;     // elements
  u64 bytes = 0;     // of one block
  u64 elements = 0;
  Range at;  // in the file
};

struct Layout {
  std::map<std::string, Range> keys;  // the value with its type
  std::map<std::string, Tensor> tensors;
  u64 described = 0;  // where the tensors' descriptions end
  u64 data = 0;       // where the tensors' data begins
};

Result<Layout> read_layout(const Source& source);

// Bytes that the model takes when its matrices get `bits` a weight.
u64 expected_bytes(const Layout& layout, u64 bits);
// Whether a tensor is quantized already: neither F16, BF16 nor F32.
bool quantized(const Layout& layout);

}  // namespace steelyard::quantize
