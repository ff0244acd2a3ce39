// The types that a model can be quantized to: data/quantize/types.toml, as llama-quantize names them.
//
// Pure. Tested by tests/unit/quantize_test.cpp and, against the program itself, tests/cli/quantize_test.py.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace steelyard::quantize {

struct Type {
  std::string name;     // "Q4_K_M"
  u64 bits = 0;         // a weight, rounded up generously
  bool matrix = false;  // can't be made without an importance matrix
};

const std::vector<Type>& types();
// Upper and lower case are the same. An Error lists the types.
Result<Type> type_named(const std::string& name);

}  // namespace steelyard::quantize
