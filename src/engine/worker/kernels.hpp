// Which of ggml's kernels a model is run with. Several compute a row differently when other rows are beside it; then an
// answer depends on what is decoded at the same time. docs/decisions.md has what was measured;
// tests/engine/exact_test.py measures it again for each type.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace steelyard::engine {

struct Kernels {
  bool repack = true;    // weights in the order that the widest registers want
  bool exact = false;    // no answer depends on what is decoded beside it
  std::size_t rows = 0;  // most of any matrix
};

// Looks at the types of the tensors, and turns off the tiled product of ggml for this process unless `fastest`.
// `files`: names of the model's parts (files.hpp). Throws std::runtime_error when llama.cpp can't read a header.
Kernels choose_kernels(const std::vector<std::string>& files, bool fastest);

}  // namespace steelyard::engine
