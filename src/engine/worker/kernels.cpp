#include "engine/worker/kernels.hpp"

#include <ggml.h>
#include <gguf.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace steelyard::engine {
namespace {

enum class Behaviour { exact, exact_unpacked, inexact };

// Of those that aren't named nothing is known.
Behaviour behaviour(ggml_type type) {
  switch (type) {
    case GGML_TYPE_F32:
    case GGML_TYPE_F16:
    case GGML_TYPE_BF16:
    case GGML_TYPE_Q4_0:
    case GGML_TYPE_Q4_1:
    case GGML_TYPE_Q5_0:
    case GGML_TYPE_Q5_1:
    case GGML_TYPE_Q8_0:
    case GGML_TYPE_Q3_K:
    case GGML_TYPE_Q5_K:
    case GGML_TYPE_Q6_K:
      return Behaviour::exact;
    case GGML_TYPE_Q2_K:
    case GGML_TYPE_Q4_K:
      return Behaviour::exact_unpacked;
    default:
      return Behaviour::inexact;
  }
}

}  // namespace

Kernels choose_kernels(const std::vector<std::string>& files, bool fastest) {
  if (fastest) return {};
  Kernels out{.repack = true, .exact = true};
  for (const std::string& file : files) {
    ggml_context* tensors = nullptr;
    const std::unique_ptr<gguf_context, void (*)(gguf_context*)> header(
        gguf_init_from_file(file.c_str(), {.no_alloc = true, .ctx = &tensors}), gguf_free);
    const std::unique_ptr<ggml_context, void (*)(ggml_context*)> owner(tensors, ggml_free);
    if (!header) throw std::runtime_error("llama.cpp can't load this file");
    for (ggml_tensor* one = ggml_get_first_tensor(tensors); one != nullptr; one = ggml_get_next_tensor(tensors, one)) {
      if (ggml_n_dims(one) < 2) continue;  // norms and biases aren't multiplied
      const Behaviour found = behaviour(one->type);
      out.rows = std::max(out.rows, static_cast<std::size_t>(one->ne[1]));
      if (found == Behaviour::exact_unpacked) out.repack = false;
      if (found == Behaviour::inexact) out.exact = false;
    }
  }
  if (out.exact) ::setenv("GGML_CPU_TILED_MM", "0", 1);
  out.repack = out.repack || !out.exact;
  return out;
}

}  // namespace steelyard::engine
