// The rule catalogue: what each rule id means, read from data/rules/<FAMILY>/<ID>.toml.
//
// Read at first use; thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/examination.hpp"

namespace steelyard::rules {

struct Rule {
  std::string id;    // "GGF004": family and number, never reused
  std::string name;  // "tensor-out-of-bounds"
  Severity severity = Severity::medium;
  Layer layer = Layer::model;
  std::string status;   // "preview", "stable", "retired"
  std::string summary;  // one line; {placeholders} are filled from the finding's data
  std::string why;
  std::string fix;
  std::vector<std::string> references;
  std::vector<std::string> owasp;
  std::vector<std::string> cwe;
};

// By id. An Error means that the embedded data are broken.
const std::map<std::string, Rule>& catalog();
const Rule* find(std::string_view id);
// "sha256:…" over all embedded data that findings and facts depend on.
const std::string& pack_digest();
// The summary with {placeholders} filled from `data`, safe to display.
std::string message(const Finding& finding);

}  // namespace steelyard::rules
