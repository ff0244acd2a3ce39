#include "engine/worker/columns.hpp"

#include <ggml.h>
// The head of the structure that ggml hands to each thread, of the pinned source.
#include <ggml-cpu/ggml-cpu-impl.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include <immintrin.h>
#define STEELYARD_HALVES 1
#endif

namespace steelyard::engine {
namespace {

// Where two columns are computed. All threads of a computation enter the product together, wait for each other at its
// beginning and its end, and then copy the same numbers out of here.
std::vector<float> two;
bool alike = false;

bool floating(int type) { return type == GGML_TYPE_F32 || type == GGML_TYPE_F16 || type == GGML_TYPE_BF16; }

#ifdef STEELYARD_HALVES

// A product of halves adds up lane by lane, with the lanes that llamafile_sgemm has on this processor.
#ifdef __AVX512F__
using Lanes = __m512;
constexpr std::int64_t kLanes = 16;
Lanes load(const ggml_fp16_t* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
Lanes add_product(Lanes a, Lanes b, Lanes sum) { return _mm512_fmadd_ps(a, b, sum); }
__m128 folded(Lanes sum) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(sum), _mm512_extractf32x8_ps(sum, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}
#else
using Lanes = __m256;
constexpr std::int64_t kLanes = 8;
Lanes load(const ggml_fp16_t* from) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))); }
Lanes add_product(Lanes a, Lanes b, Lanes sum) { return _mm256_fmadd_ps(a, b, sum); }
__m128 folded(Lanes sum) { return _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1)); }
#endif

// Elements 0 and 2, 1 and 3, then both sums: of four at once.
__m128 sums(__m128 a, __m128 b, __m128 c, __m128 d) {
  const __m128 ab = _mm_add_ps(_mm_movelh_ps(a, b), _mm_movehl_ps(b, a));
  const __m128 cd = _mm_add_ps(_mm_movelh_ps(c, d), _mm_movehl_ps(d, c));
  return _mm_add_ps(_mm_shuffle_ps(ab, cd, _MM_SHUFFLE(2, 0, 2, 0)), _mm_shuffle_ps(ab, cd, _MM_SHUFFLE(3, 1, 3, 1)));
}

constexpr std::int64_t kLine = 32, kAhead = 16384 / 2;  // halves; keys come from memory, in pieces with gaps

template <int kRows>
void multiply_rows(const ggml_fp16_t* a, std::int64_t stride, const ggml_fp16_t* b, std::int64_t length, float* out) {
  Lanes sum[kRows] = {};
  for (std::int64_t at = 0; at < length; at += kLanes) {
    const Lanes column = load(b + at);
    for (int row = 0; row < kRows; ++row) {
      const ggml_fp16_t* from = a + row * stride + at;
      if (at % kLine == 0) _mm_prefetch(reinterpret_cast<const char*>(from + kAhead), _MM_HINT_T0);
      sum[row] = add_product(load(from), column, sum[row]);
    }
  }
  for (int row = 0; row < kRows; row += 4)
    _mm_storeu_ps(out + row, sums(folded(sum[row]), folded(sum[row + 1]), folded(sum[row + 2]), folded(sum[row + 3])));
}

constexpr std::int64_t kBlock = 8, kSmallBlock = 4;  // rows

bool multiply_halves(const ggml_compute_params& of, std::int64_t rows, std::int64_t length, const ggml_fp16_t* a,
                     std::int64_t stride, const ggml_fp16_t* b, float* out) {
  if (rows % kSmallBlock != 0 || length % kLanes != 0) return false;  // as llamafile_sgemm does
  const std::int64_t blocks = rows / kSmallBlock;
  std::int64_t row = kSmallBlock * (blocks * of.ith / of.nth);
  const std::int64_t end = kSmallBlock * (blocks * (of.ith + 1) / of.nth);
  for (; row + kBlock <= end; row += kBlock) multiply_rows<kBlock>(a + row * stride, stride, b, length, out + row);
  if (row < end) multiply_rows<kSmallBlock>(a + row * stride, stride, b, length, out + row);
  return true;
}

#endif

}  // namespace

void compute_single_columns_alike(std::size_t rows) {
  two.resize(std::max(two.size(), 2 * rows));
  alike = true;
}

}  // namespace steelyard::engine

// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names.
// C = Aᵀ B for A of k × m, B of k × n, C of m × n elements, columns lda, ldb, ldc elements apart; false: not computed.
extern "C" {
bool __real_llamafile_sgemm(const ggml_compute_params* params, std::int64_t m, std::int64_t n, std::int64_t k,
                            const void* a, std::int64_t lda, const void* b, std::int64_t ldb, void* c, std::int64_t ldc,
                            int a_type, int b_type, int c_type);

bool __wrap_llamafile_sgemm(const ggml_compute_params* params, std::int64_t m, std::int64_t n, std::int64_t k,
                            const void* a, std::int64_t lda, const void* b, std::int64_t ldb, void* c, std::int64_t ldc,
                            int a_type, int b_type, int c_type) {
  using namespace steelyard::engine;
  if (!alike || n != 1 || !floating(a_type) || c_type != GGML_TYPE_F32)
    return __real_llamafile_sgemm(params, m, n, k, a, lda, b, ldb, c, ldc, a_type, b_type, c_type);
#ifdef STEELYARD_HALVES
  if (a_type == GGML_TYPE_F16 && b_type == GGML_TYPE_F16)
    return multiply_halves(*params, m, k, static_cast<const ggml_fp16_t*>(a), lda, static_cast<const ggml_fp16_t*>(b),
                           static_cast<float*>(c));
#endif
  if (2 * static_cast<std::size_t>(m) > two.size()) return false;
  if (!__real_llamafile_sgemm(params, m, 2, k, a, lda, b, 0, two.data(), m, a_type, b_type, c_type)) return false;
  std::copy_n(two.data(), m, static_cast<float*>(c));
  return true;
}
}
// NOLINTEND(bugprone-reserved-identifier)
