// What the kinds share that read measurements: which count, and how one is held against a bound.
//
// Only measurements of these very files count: a bench record whose digests are not the scan's is about another model.
// A bound is met or missed by the whole interval; one that lies within it is undetermined. A record that was cut
// short can condemn, never acquit. Decimals are compared exactly, as millionths. Pure.
// Tested by tests/verdict/{speed,memory,quality,damage,expect}.json.
#pragma once

#include "policy/reading.hpp"

namespace steelyard::policy {

inline constexpr i64 kWhole = 1'000'000;  // millionths

struct Ask {
  std::string_view metric;
  json::Value slice = json::Object{};  // texts that the measurement's slice must hold
  std::string what;                    // "generation"; begins the sentence
  std::string_view unit;               // of the measurement, as it has to be: "token/s"
  std::optional<i64> least;            // in millionths of the unit
  std::optional<i64> most;
  std::string decide;    // the command that would measure it
  bool claimed = false;  // what others measured counts too: records of kind "scores"
};

// The records of kind "bench" (or another) that measured the files which the scans examined.
std::vector<Item> benches_of(const Inputs& inputs, const std::vector<Item>& scans, std::string_view kind = "bench");
Ruling judge(const Inputs& inputs, const Ask& ask);
inline constexpr std::string_view kBench = "steelyard bench MODEL";

}  // namespace steelyard::policy
