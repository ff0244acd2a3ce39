// A baseline: the findings that were there when somebody began to look, so that only new ones count.
//
// A file of schema steelyard/baseline/1 (data/schemas/baseline-1.json). Its entries hold for the bytes that
// they were found in and no others: a file that changes is judged anew. Tested by tests/unit/accept_test.cpp.
#pragma once

#include <set>

#include "accept/accepted.hpp"
#include "evidence/record.hpp"

namespace steelyard::accept {

struct Baseline {
  std::string reason;
  std::string until;  // empty: for good
  std::set<std::string, std::less<>> fingerprints;
};

// What makes it the same finding in the same bytes, wherever the file lies; nothing without a digest.
std::optional<std::string> fingerprint(const evidence::Record& record, const Finding& finding);

// All findings of the records, as a file. An Error when one is so serious that it needs an end and has none.
Result<std::string> write_baseline(const std::vector<evidence::Record>& records, const std::string& tool, i64 now,
                                   const std::string& reason, const std::string& until);
Result<Baseline> read_baseline(const std::string& text, const std::string& name);

}  // namespace steelyard::accept
