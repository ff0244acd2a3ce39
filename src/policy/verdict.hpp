// Verdict: whether one model may be used in one context, and the sentence behind every part of it.
//
// evaluate() is a pure function of its inputs: no I/O, no clock, byte-identical results. The fold:
// any unmet requirement that no mitigation can turn makes it unfit; else anything undetermined
// makes it undetermined; else mitigations needed make it fit with conditions; else it is fit.
// Only requirements that were asked for count. python/steelyard_recheck.py is the second
// implementation that tests compare with. Thread-safe. Tested by tests/unit/verdict_test.cpp.
#pragma once

#include <span>

#include "accept/accepted.hpp"
#include "evidence/record.hpp"

namespace steelyard::policy {

enum class State { met, unmet, undetermined };
enum class Decision { fit, fit_with_conditions, undetermined, unfit };  // best to worst
std::string_view to_string(State state);
std::string_view to_string(Decision decision);  // "fit with conditions"

// One typed rule of a requirements file, as normalized data.
struct Requirement {
  std::string id;
  std::string kind;  // one of kinds()
  std::string why;   // shown to the user
  json::Value params = json::Object{};
};

struct Requirements {
  std::string name;  // "business"
  std::string title;
  std::vector<Requirement> items;
};

struct Sentence {
  std::string text;
  std::vector<std::string> cites;  // "ev1:…#findings/3"; at least one unless the evidence is absent
};

struct Scenario {
  std::string id;  // "inbox>send_mail"
  std::string text;
  std::string cite;
  std::vector<std::string> cuts;  // ids of mitigations that break it
};

struct Mitigation {
  std::string id;    // "confirm:send_mail"
  std::string text;  // imperative: "Ask a person before send_mail once untrusted text was read"
  std::string by;    // "gateway" or "attested"
  u32 cost = 1;
};

struct Ruling {
  std::string id;  // of the requirement
  std::string kind;
  Layer layer = Layer::model;
  State state = State::undetermined;
  bool turned = false;  // unmet, but the conditions of the verdict turn it
  Sentence because;
  std::string decide;                   // for undetermined: the command that would decide it
  std::vector<Scenario> scenarios;      // of no_path: those that the requirement forbids
  std::vector<Mitigation> mitigations;  // that may cut them under this requirement
};

struct LayerLine {
  Layer layer = Layer::model;
  bool assessed = false;
  Decision decision = Decision::fit;
  std::string requirement;  // id of the requirement that decides it; empty when all are met
  Sentence because;
};

struct Verdict {
  std::string context;  // name
  std::string profile;  // name of the requirements
  Decision decision = Decision::undetermined;
  std::string assurance;          // "static only: not attacked, not benchmarked"
  std::vector<LayerLine> layers;  // model, infrastructure, integration
  std::vector<Ruling> rulings;    // in the order of the requirements
  std::vector<Mitigation> conditions;
  std::vector<std::string> not_assessed;  // what no requirement asked about or no evidence covers
};

struct Inputs {
  std::span<const evidence::Record> records;
  std::string context;         // name
  std::string context_digest;  // sha256 of the context's canonical form; a context record must match
  const Requirements* requirements = nullptr;
  i64 now = 0;  // seconds since 1970
  std::span<const accept::Accepted> accepted = {};
  std::span<const std::string> ids = {};  // of the records, in their order; evaluate() fills it
};

Verdict evaluate(const Inputs& inputs);

// The verdict document: {"schema": "steelyard/verdict/1", "verdict", "inputs"}; the inputs are
// whole, so that anybody can re-derive the verdict from the document alone.
json::Value encode(const Verdict& verdict);
json::Value document(const Inputs& inputs, const Verdict& verdict);
// The smallest set of mitigations (cost, then count, then order of ids) that hits every scenario;
// nothing when one scenario has no cut. Exact, but for a contrived instance that outlasts the fuel:
// that one gets a set that suffices and has no superfluous member.
std::optional<std::vector<Mitigation>> smallest_sufficient(const std::vector<Scenario>& scenarios,
                                                           const std::vector<Mitigation>& available);

}  // namespace steelyard::policy
