// Convert: how a directory as Hugging Face's transformers saves it becomes one GGUF file.
//
// plan_conversion reads config.json, the files of the tokenizer, chat_template.jinja and the headers of safetensors
// files, and answers with the GGUF's keys, ready to be written, and where the bytes of every tensor are;
// write_conversion copies them. Oracle: convert_hf_to_gguf.py of the stack's llama.cpp with the directory's own type
// (--outtype f32, f16 or bf16): the same tensors, and the same keys but those that it guesses from names and cards.
// Architectures and tokenizers that aren't known are refused with those that are. Attacks resisted: offsets outside of
// files or overlapping what isn't a tensor's, shapes that don't fit sizes, ids outside of the vocabulary, deep or large
// JSON. Runs in a worker (worker.hpp). Tested by tests/unit/convert_test.cpp and tests/cli/convert_test.py.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/source.hpp"
#include "core/examination.hpp"

namespace steelyard::quantize {

struct Piece {
  u32 file = 0;  // index of the source
  Range at;      // in it
};

// One tensor of the output.
struct Copy {
  std::string name;
  std::vector<u64> dimensions;  // fastest first
  u32 type = 0;                 // of ggml
  std::vector<Piece> pieces;    // of the same size, one behind the other; one but for experts
  u32 from = 0;                 // type of ggml there
  u64 heads = 0;                // not 0: rows change places within so many groups, from halves to pairs
  bool shifted = false;         // 1 is added to every element
  std::vector<float> values;    // not empty: instead of pieces
};

struct Plan {
  std::vector<std::byte> keys;  // as they stand in the file
  u64 key_count = 0;
  std::vector<Copy> tensors;
};

struct Part {
  std::string name;  // "config.json"
  const Source* source = nullptr;
};

// Whether plan_conversion reads a file of that name.
bool part_of_conversion(const std::string& name);
// `name`: what the model is to be called. An Error, of code usage, says what isn't supported and what is.
Result<Plan> plan_conversion(const std::vector<Part>& parts, const std::string& name);

// Bytes of one tensor in the output; nothing when they don't fit in a number.
std::optional<u64> output_bytes(const Copy& copy);
// Writes the file. `write`: appends.
Result<bool> write_conversion(const Plan& plan, const std::vector<const Source*>& files,
                              const std::function<Result<bool>(Bytes)>& write);

}  // namespace steelyard::quantize
