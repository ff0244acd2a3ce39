// The attack paths through a context: which untrusted text can reach which consequence.
//
// Worst case throughout: the model obeys any untrusted text it reads. Pure; thread-safe.
// Sources of the model: the lethal trifecta (Willison), integrity and confidentiality labels (FIDES,
// arXiv 2505.23643). Tested by tests/unit/context_test.cpp against a naive enumeration.
#pragma once

#include "context/context.hpp"

namespace steelyard::context {

// The closed vocabulary of what tools can do.
const std::vector<std::string>& capabilities();

struct Path {
  std::string id;      // "inbox>send_mail", "inbox+documents>send_mail", "inbox>notes>send_mail"
  std::string cls;     // "integrity", "confidentiality", "persistence"
  std::string source;  // where the untrusted text comes from
  std::string secret;  // of confidentiality: the private source
  std::string memory;  // of persistence
  std::string target;  // tool or sink
  std::string text;    // one sentence
};

// Sorted by class and id.
std::vector<Path> scenarios(const Context& context);

// Whether a tool can be the end of a path of this class, as it stands declared.
bool consequential(const Tool& tool);
bool egress(const Tool& tool);

}  // namespace steelyard::context
