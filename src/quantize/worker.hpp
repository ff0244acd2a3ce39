// Worker: what is hostile is parsed in a sandboxed worker, and its answer is refused unless it is consistent.
//
// The parent learns where keys and tensors of a GGUF file are, or how a directory becomes one (convert.hpp); it copies
// and compares bytes at these places, all of which are checked to lie within the files. Attacks resisted: a worker
// that was taken over (ranges outside of a file, sizes that don't fit a type, counts without end).
// Tested by tests/unit/quantize_test.cpp.
#pragma once

#include "io/file.hpp"
#include "quantize/convert.hpp"
#include "quantize/layout.hpp"
#include "sandbox/sandbox.hpp"

namespace steelyard::quantize {

// Give it to Zygote::start at this place.
inline constexpr u32 kWorkerTask = 1;
void worker_task(std::span<const int> files, Bytes request, const sandbox::Writer& write);

// read_layout in a worker.
Result<Layout> layout_in_worker(sandbox::Zygote& zygote, const io::File& file);
// plan_conversion in a worker. `names`: of the files, in their order; `name`: of the model. At most 240 files.
Result<Plan> plan_in_worker(sandbox::Zygote& zygote, const std::vector<const io::File*>& files,
                            const std::vector<std::string>& names, const std::string& name);

// The answers themselves: what a worker writes, and what the parent takes.
std::vector<std::byte> encode(const Layout& layout);
Result<Layout> decode_layout(Bytes answer, u64 size);
std::vector<std::byte> encode(const Plan& plan);
Result<Plan> decode_plan(Bytes answer, const std::vector<u64>& sizes);

}  // namespace steelyard::quantize
