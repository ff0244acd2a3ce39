// Compare: one model in several quantizations side by side, from the bench records of each, and which to take.
//
// The result is a record of kind "comparison" that uses those records; report/comparison.hpp draws it. Pure.
// Tested by tests/unit/compare_test.cpp and tests/cli/damage_report_test.py.
#pragma once

#include <span>

#include "evidence/record.hpp"

namespace steelyard::bench {

// `memory`: bytes that there are for the model; 0: not known. Fact "bench.comparison": {"rows": [{"model", "sha256",
// "bytes", "peak_rss", and for each of "generation", "kl", "perplexity", "top_agreement", "flips" that was measured
// {"value", "low", "high", "unit", "n"}}], "memory", "why", and "recommended", an index, when one can be}. Recommended
// is the one that diverges least from the reference among those that fit.
evidence::Record compare(std::span<const evidence::Record> benches, u64 memory);

}  // namespace steelyard::bench
