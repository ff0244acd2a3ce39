// The tensor types of ggml: names and block layouts. Source: ggml's ggml.h and gguf-py's constants.
#pragma once

#include <array>
#include <string_view>

#include "base/bytes.hpp"

namespace steelyard::formats {

struct GgmlType {
  std::string_view name;
  u32 block = 0;  // elements; 0: the id was removed from the format
  u32 bytes = 0;  // of one block
};

// nullptr: no such id, now or ever.
const GgmlType* ggml_type(u32 id);

// general.file_type as llama.cpp names it, or "".
std::string_view file_type_name(u64 id);

}  // namespace steelyard::formats
