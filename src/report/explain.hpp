// explain: what a word on screen means: a rule, a family of rules, a kind of requirement, or one cited
// finding in its own place.
//
// Pure; thread-safe. Tested by tests/unit/report_test.cpp.
#pragma once

#include "report/view.hpp"

namespace steelyard::report {

// A page for the terminal. `id`: "GGF004", "GGF", "no_path", or "ev1:…#findings/3" when `report` holds
// the record (the beginning of its id will do). Nothing when it is none of these.
std::optional<std::string> explain(std::string_view id, const Report* report, const Style& style);

// Ids near `id`, best first, for "did you mean"; empty when none is close.
std::vector<std::string> closest(std::string_view id);

// The report within a report or verdict file, as far as explain() needs it: its records.
Result<Report> load(std::string_view text);

}  // namespace steelyard::report
