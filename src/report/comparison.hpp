// The damage report: quantizations of one model side by side, from a record of kind "comparison" (bench/compare.hpp).
// What its rows are called comes from file names: they are shown as every text that isn't ours. Tested by
// tests/unit/compare_test.cpp, tests/cli/damage_report_test.py and tests/report/html_test.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "html/writer.hpp"
#include "report/renderer.hpp"

namespace steelyard::report {

struct Cell {
  std::string text;                        // "0.0123 ±0.0004", "–"
  std::optional<double> value, low, high;  // when it was measured
};

struct Compared {
  std::string name;
  u64 bytes = 0;
  std::string size, memory;
  Cell speed, divergence, perplexity, agreement, flips;
};

struct Comparison {
  std::vector<Compared> rows;
  std::optional<std::size_t> recommended;
  std::string why;
};

// Titles of its columns, in the order of the members of Compared.
inline constexpr const char* kComparedTitles[] = {"Model",      "Size",       "Peak memory",    "Generation",
                                                  "Divergence", "Perplexity", "Same top token", "Flips"};
std::vector<std::string> cells(const Compared& row);

// Of the first record that holds one.
std::optional<Comparison> comparison(const Report& report);

// A section with the recommendation, a drawing of size against divergence and the table.
void put_comparison(html::Writer& w, const Comparison& comparison);

}  // namespace steelyard::report
