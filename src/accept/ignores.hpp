// The [[ignore]] tables of steelyard.toml: findings that somebody decided to live with.
//
//   [[ignore]]
//   rule = "GGF004"
//   artifact = "models/legacy/**"      # or "sha256:…"; patterns are relative to the file's folder
//   reason = "known since the import; both values are the same"
//   until = 2027-01-31                 # needed for rules of severity high and above
//
// Attack resisted: an ignore that says more than its author meant. One rule, no prefixes, a reason, an end
// for what is serious; what is misspelt is an error with its place. Tested by tests/unit/accept_test.cpp.
#pragma once

#include "accept/accepted.hpp"
#include "wire/toml.hpp"

namespace steelyard::accept {

struct Ignore {
  std::string rule;
  std::string artifact;  // "sha256:…", a pattern, or empty where rules are not about files
  std::string reason;
  std::string until;
  u32 line = 0;  // of the settings file
};

// Mistakes become errors of the document.
std::vector<Ignore> read_ignores(toml::Table& settings);

}  // namespace steelyard::accept
