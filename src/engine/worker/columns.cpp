#include "engine/worker/columns.hpp"

#include <ggml.h>

#include <algorithm>
#include <cstdint>
#include <vector>

struct ggml_compute_params;

namespace steelyard::engine {
namespace {

// Where two columns are computed. All threads of a computation enter the product together, wait for each other at its
// beginning and its end, and then copy the same numbers out of here.
std::vector<float> two;

bool floating(int type) { return type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16; }

}  // namespace

void compute_single_columns_alike(std::size_t rows) { two.resize(std::max(two.size(), 2 * rows)); }

}  // namespace steelyard::engine

// C = Aᵀ B for A of k × m, B of k × n, C of m × n elements, columns lda, ldb, ldc elements apart; false: not computed.
extern "C" {
bool __real_llamafile_sgemm(const ggml_compute_params* params, std::int64_t m, std::int64_t n, std::int64_t k,
                            const void* a, std::int64_t lda, const void* b, std::int64_t ldb, void* c, std::int64_t ldc,
                            int a_type, int b_type, int c_type);

bool __wrap_llamafile_sgemm(const ggml_compute_params* params, std::int64_t m, std::int64_t n, std::int64_t k,
                            const void* a, std::int64_t lda, const void* b, std::int64_t ldb, void* c, std::int64_t ldc,
                            int a_type, int b_type, int c_type) {
  using namespace steelyard::engine;
  const bool wanted = n == 1 && floating(a_type) && c_type == GGML_TYPE_F32;
  if (!wanted || 2 * static_cast<std::size_t>(m) > two.size())
    return __real_llamafile_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
  if (!__real_llamafile_sgemm(params, m, 2, k, a, lda, b, 0, two.data(), m, a_type, b_type, c_type)) return false;
  std::copy_n(two.data(), m, static_cast<float*>(c));
  return true;
}
}
