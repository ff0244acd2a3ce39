// Accepted: a finding that a person has decided to live with, and why.
//
// Never an edit of a record: an acceptance stands beside the records as an input of its own. What it
// means for a verdict is the policy's business (policy/kinds/no_findings.cpp), what it means on screen the
// report's. Plain data. Tested by tests/unit/accept_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "core/examination.hpp"

namespace steelyard::accept {

struct Accepted {
  std::string finding;  // "ev1:…#findings/3"
  std::string by;       // "ignore" or "baseline"
  std::string reason;   // never empty
  std::string until;    // "2027-01-31": its last day, UTC; empty: for good
};

// A serious finding is never accepted for good.
inline constexpr Severity kNeedsEnd = Severity::high;

// The first second at which an acceptance until `day` no longer holds; nothing when it isn't a date.
std::optional<i64> end_of(std::string_view day);

json::Value encode(const Accepted& accepted);
Result<Accepted> decode(const json::Value& value);

}  // namespace steelyard::accept
