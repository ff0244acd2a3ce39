// The engine computes on the CPU, whatever backends the build has: a GPU's driver needs its device files, threads and
// calls that no sandbox here could allow. llama.cpp registers each backend that it was built with through these
// functions; linked first, they leave the backends' own code out of the engine. Nothing to register is allowed for.
#include <ggml-cuda.h>
#include <ggml-vulkan.h>

ggml_backend_reg_t ggml_backend_cuda_reg(void) { return nullptr; }
ggml_backend_reg_t ggml_backend_vk_reg(void) { return nullptr; }
