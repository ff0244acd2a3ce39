// Texts that an allowed call may be given, where the text itself decides what happens.
// Pure. Tested by tests/unit/pickle_judge_test.cpp.
#pragma once

#include <string_view>

namespace steelyard::formats::text_rules {

// An identifier that isn't a special attribute.
bool word(std::string_view text);
// Words between dots.
bool dotted(std::string_view text);
// A constant's name: ROUND_HALF_EVEN.
bool upper(std::string_view text);
// numpy's short names of types: "f8", "<i4", "M8[ns]", "U12".
bool dtype(std::string_view text);
// The functions that scipy.stats writes for a distribution and runs with exec().
bool argparser(std::string_view text);
// A formula of statsmodels that only computes: "y ~ a + C(b) + np.log(c)".
bool formula(std::string_view text);
// Whether an argument looks like something to run or to fetch: a command, code, an address, a path.
bool suspicious(std::string_view text);

}  // namespace steelyard::formats::text_rules
