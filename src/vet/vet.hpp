// Vet: gathers the evidence that a verdict needs, reuses what is still valid, and evaluates.
//
// The model and the host are examined once, whatever the number of contexts. Not thread-safe.
// Tested by tests/cli/vet_test.py.
#pragma once

#include "accept/matcher.hpp"
#include "context/context.hpp"
#include "policy/requirements.hpp"
#include "scan/scan.hpp"

namespace steelyard::vet {

struct Request {
  scan::Target target;
  std::vector<context::Context> contexts;
  policy::Requirements requirements;
  scan::Options scan;
  accept::Matcher* matcher = nullptr;      // who accepts findings; nullptr: nobody
  std::vector<evidence::Record> measured;  // bench records of the model; empty: those of the store are used
  std::filesystem::path stacks;            // where stack build leaves what it builds; empty: nowhere
};

struct Outcome {
  std::vector<evidence::Record> records;  // scan, host, then one per context, then what requirements ask for beyond
  std::vector<policy::Verdict> verdicts;  // in the order of the contexts
  json::Value documents = json::Array{};  // policy::document() of each
  std::vector<accept::Accepted> accepted;
  std::vector<std::string> notes;
};

Result<Outcome> vet(const Request& request, const scan::Services& services);

}  // namespace steelyard::vet
