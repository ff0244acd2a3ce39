// Identity: what the claims of all artifacts of a model add up to.
//
// Formats report claims ("identity.maker") artifact by artifact; this compares them with each
// other and with what was computed from the bytes, adds who or what nobody states (assurance
// `missing`), and marks claims that disagree (`contradicted`, with a finding). Agreement between
// files of one upload is not corroboration: the same hand wrote both. Pure; thread-safe.
// Tested by tests/unit/identity_test.cpp and the examples of data/rules/IDN/.
#pragma once

#include "core/examination.hpp"

namespace steelyard::identity {

// Completes `found` in place.
void weigh_claims(Examination& found);

// Parameters that a size label such as "135M", "7B", "8x7B" or "1.5B" stands for.
std::optional<u64> labelled_parameters(std::string_view label);

// Whether two licence names can mean the same licence: "apache-2.0", "Apache License 2.0".
bool same_licence(std::string_view a, std::string_view b);

}  // namespace steelyard::identity
