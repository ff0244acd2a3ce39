// Medians, shares and means with their intervals. Pure. Tested by tests/unit/bench_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "core/examination.hpp"

namespace steelyard::bench {

// "0.123457", "42": up to six decimals, without zeros at the end; "0" for what is no number.
std::string decimal(double value);

// A measurement with value, n and interval; metric, slice and unit are the caller's.
// The median, between the smallest and the largest.
Measurement median(std::vector<double> values);
// A share with Wilson's interval at 95 %.
Measurement share(u64 right, u64 n);
// The mean, with the normal interval at 95 %; of independent values.
Measurement mean(const std::vector<double>& values);

}  // namespace steelyard::bench
