// The stack record in the forms of others: CycloneDX 1.6 (ECMA-424) and SLSA provenance v1 in an in-toto statement.
//
// Views of the record: nothing is looked up, times are those of the record, so the same record gives the same
// bytes. The statement isn't signed: there are no keys yet. Pure.
// Tested by tests/unit/stack_bom_test.cpp and, against other people's readers, tests/oracle/bom_test.py.
#pragma once

#include "evidence/record.hpp"

namespace steelyard::stack {

json::Value cyclonedx(const evidence::Record& record);
json::Value slsa(const evidence::Record& record);

// What documents about a build name: "pkg:github/owner/name@commit", the document's own number.
std::string upstream_purl(const evidence::Record& record);
std::string document_uuid(const evidence::Record& record, std::string_view purpose);

}  // namespace steelyard::stack
