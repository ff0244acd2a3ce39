#include "engine/worker/threads.hpp"

#include <ggml-cpu.h>
#include <ggml.h>

#include <memory>

namespace steelyard::engine {

void start_threads(u32 count) {
  constexpr int kRows = 64;
  const std::unique_ptr<ggml_context, void (*)(ggml_context*)> context(
      ggml_init({.mem_size = std::size_t{1} << 20, .mem_buffer = nullptr, .no_alloc = false}), ggml_free);
  ggml_tensor* a = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, kRows, kRows);
  ggml_tensor* b = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, kRows, kRows);
  ggml_set_zero(a);
  ggml_set_zero(b);
  ggml_cgraph* graph = ggml_new_graph_custom(context.get(), 8, false);
  ggml_build_forward_expand(graph, ggml_mul_mat(context.get(), a, b));
  ggml_graph_compute_with_ctx(context.get(), graph, static_cast<int>(count));
}

}  // namespace steelyard::engine
