// The verdict document: a verdict and everything it was derived from (schema steelyard/verdict/1).
// Tested by tests/unit/verdict_test.cpp and tests/oracle/recheck_test.py.
#include "evidence/record.hpp"
#include "policy/requirements.hpp"

namespace steelyard::policy {
namespace {

template <class T, class F>
json::Value list(const std::vector<T>& items, F each) {
  json::Value out = json::Array{};
  for (const auto& item : items) out.push(each(item));
  return out;
}

json::Value texts(const std::vector<std::string>& items) {
  return list(items, [](const std::string& item) { return json::Value(item); });
}

json::Value sentence(const Sentence& because) {
  return json::Value().set("text", because.text).set("cites", texts(because.cites));
}

json::Value scenario(const Scenario& one) {
  return json::Value().set("id", one.id).set("text", one.text).set("cite", one.cite).set("cuts", texts(one.cuts));
}

json::Value mitigation(const Mitigation& one) {
  return json::Value().set("id", one.id).set("text", one.text).set("by", one.by).set("cost", one.cost);
}

json::Value layer(const LayerLine& line) {
  return json::Value()
      .set("layer", to_string(line.layer))
      .set("assessed", line.assessed)
      .set("decision", to_string(line.decision))
      .set("requirement", line.requirement)
      .set("because", sentence(line.because));
}

json::Value ruling(const Ruling& one) {
  return json::Value()
      .set("id", one.id)
      .set("kind", one.kind)
      .set("layer", to_string(one.layer))
      .set("state", to_string(one.state))
      .set("turned", one.turned)
      .set("because", sentence(one.because))
      .set("decide", one.decide)
      .set("scenarios", list(one.scenarios, scenario))
      .set("mitigations", list(one.mitigations, mitigation));
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::met:
      return "met";
    case State::unmet:
      return "unmet";
    case State::undetermined:
      break;
  }
  return "undetermined";
}

std::string_view to_string(Decision decision) {
  switch (decision) {
    case Decision::fit:
      return "fit";
    case Decision::fit_with_conditions:
      return "fit with conditions";
    case Decision::unfit:
      return "unfit";
    case Decision::undetermined:
      break;
  }
  return "undetermined";
}

json::Value encode(const Verdict& verdict) {
  return json::Value()
      .set("context", verdict.context)
      .set("profile", verdict.profile)
      .set("decision", to_string(verdict.decision))
      .set("assurance", verdict.assurance)
      .set("layers", list(verdict.layers, layer))
      .set("rulings", list(verdict.rulings, ruling))
      .set("conditions", list(verdict.conditions, mitigation))
      .set("not_assessed", texts(verdict.not_assessed));
}

json::Value document(const Inputs& inputs, const Verdict& verdict) {
  json::Value records = json::Array{};
  for (const evidence::Record& record : inputs.records) records.push(evidence::encode(record));
  json::Value accepted = json::Array{};
  for (const accept::Accepted& one : inputs.accepted) accepted.push(accept::encode(one));
  return json::Value()
      .set("schema", "steelyard/verdict/1")
      .set("verdict", encode(verdict))
      .set("inputs", json::Value()
                         .set("records", std::move(records))
                         .set("context", json::Value().set("name", inputs.context).set("digest", inputs.context_digest))
                         .set("requirements", inputs.requirements ? encode(*inputs.requirements) : json::Value())
                         .set("accepted", std::move(accepted))
                         .set("now", inputs.now));
}

}  // namespace steelyard::policy
