// Products of matrices of which one side has a single column: the token that is generated, alone in its batch.
//
// llama.cpp's kernels for floating point (llamafile_sgemm) refuse one column, and what computes it then adds up in
// another order. Here one column comes out as it does among many: of halves, which keys and values are, by a product of
// our own that adds up in the same order, of the others as the first of two columns. Linked with
// --wrap=llamafile_sgemm. Tested by tests/engine/exact_test.py.
#pragma once

#include <cstddef>

namespace steelyard::engine {

// From now on, for products of up to so many rows; before the first computation.
void compute_single_columns_alike(std::size_t rows);

}  // namespace steelyard::engine
