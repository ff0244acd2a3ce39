// Medians, shares and means with their intervals. Pure. Tested by tests/unit/bench_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "core/examination.hpp"

namespace steelyard::bench {

// "0.123457", "42": up to six decimals, without zeros at the end; "0" for what is no number.
std::string decimal(double value);

// A measurement with value, n and interval; metric, slice and unit are the caller's.
// The median, with the interval at 95 % that its order statistics give: no distribution is assumed. Fewer than six
// values give none; then it is their range, without a level.
Measurement median(std::vector<double> values);
// Half the width of that interval, as a share of the median; 0 when there is none.
double spread(const std::vector<double>& values);
// A share with Wilson's interval at 95 %.
Measurement share(u64 right, u64 n);
// The mean, with the normal interval at 95 %; of independent values.
Measurement mean(const std::vector<double>& values);

}  // namespace steelyard::bench
