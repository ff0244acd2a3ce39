// Speed: how fast a model runs and how much memory that takes, as llama-bench counts it.
//
// Prompt processing (512 tokens), generation (128), the first token after a prompt of 128, answers side by side,
// loading. One round warms up; every further one times each in turn, so that a machine that slows down slows down all.
// Kernels are the fastest there are (see engine/protocol.hpp), threads as many as asked for. Memory in bytes: of
// weights, key-value cache and compute buffers as llama.cpp counts them, and resident at its peak.
// bench/measure_llama_bench.py holds the medians against llama-bench's. Tested by tests/cli/bench_test.py.
#pragma once

#include "core/examination.hpp"
#include "engine/engine.hpp"

namespace steelyard::bench {

struct Speed {
  std::vector<Measurement> measurements;
  Fact noise;  // "bench.noise": whether runs differed by more than such a machine's do when it is left alone
  std::vector<std::string> layers;  // of the sandbox
};

// `options.load.context` (at least 640) and `.threads` count; several engines are started, one after another.
Result<Speed> speed(engine::Options options, u32 repeats, const engine::Listener& listener);

}  // namespace steelyard::bench
