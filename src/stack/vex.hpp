// Vex: which known flaws of the runtime this build has, answered from how it was built.
//
// Advisories are data (data/advisories). One that is about a part which the build leaves out (component) does not
// affect it; one that a release before the pinned commit fixed is fixed; one that is open and whose part is in is said
// to affect it; anything else is under investigation, never "not affected". Pure. Forms: CycloneDX 1.6 vulnerabilities,
// OpenVEX 0.2.0. Tested by tests/unit/stack_bom_test.cpp and tests/oracle/bom_test.py.
#pragma once

#include "evidence/record.hpp"
#include "rules/advisories.hpp"
#include "stack/lock.hpp"

namespace steelyard::stack {

struct Answer {
  enum class Status { not_affected, affected, fixed, under_investigation };
  const rules::Advisory* advisory = nullptr;
  Status status = Status::under_investigation;
  std::string why;
};

// For the advisories that name one of the build's programs.
std::vector<Answer> answers(const evidence::Record& record, const std::vector<rules::Advisory>& advisories);

json::Value vex_cyclonedx(const evidence::Record& record, const std::vector<Answer>& answers);
json::Value openvex(const evidence::Record& record, const std::vector<Answer>& answers);

}  // namespace steelyard::stack
