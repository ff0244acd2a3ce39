// The fold: rulings of all requirements into one verdict (docs/design.md §1).
//
// Attack resisted: silence that reads as a pass. Missing evidence, an unknown kind of requirement or
// no requirement at all is undetermined; a mitigation cuts a path only for requirements that accept
// its kind. Tested by tests/unit/verdict_test.cpp, tests/verdict/*.json and tests/oracle/recheck_test.py.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "policy/measured.hpp"

namespace steelyard::policy {
namespace {

constexpr Layer kLayers[] = {Layer::model, Layer::infrastructure, Layer::integration};

Ruling rule(const Requirement& requirement, const Inputs& inputs) {
  const Kind* kind = find_kind(requirement.kind);
  Ruling ruling =
      kind ? kind->evaluate(requirement, inputs)
           : undetermined(fmt::format("this version knows no requirement of kind {}", shown(requirement.kind)), {},
                          "a version of Steelyard that knows this kind");
  ruling.id = requirement.id;
  ruling.kind = requirement.kind;
  if (kind) ruling.layer = kind->layer;
  return ruling;
}

// Every path that the requirement forbids has a mitigation that it accepts.
bool turnable(const Ruling& ruling) {
  return ruling.state == State::unmet && !ruling.scenarios.empty() &&
         std::ranges::none_of(ruling.scenarios, [](const Scenario& scenario) { return scenario.cuts.empty(); });
}

Decision weight(const Ruling& ruling) {
  if (ruling.state == State::met) return Decision::fit;
  if (ruling.state == State::undetermined) return Decision::undetermined;
  return turnable(ruling) ? Decision::fit_with_conditions : Decision::unfit;
}

// The first of the worst rulings decides.
const Ruling* deciding(const std::vector<const Ruling*>& rulings) {
  const auto worst = std::ranges::max_element(rulings, {}, [](const Ruling* ruling) { return weight(*ruling); });
  return worst == rulings.end() ? nullptr : *worst;
}

Sentence all_met(const std::vector<const Ruling*>& rulings) {
  if (rulings.size() == 1) return rulings.front()->because;
  std::vector<std::string_view> ids;
  Sentence sentence;
  std::set<std::string_view> seen;
  for (const Ruling* ruling : rulings) {
    ids.push_back(ruling->id);
    for (const std::string& cite : ruling->because.cites) {
      if (seen.insert(cite).second) sentence.cites.push_back(cite);
    }
  }
  sentence.text = fmt::format("all {} requirements are met: {}", ids.size(), fmt::join(ids, ", "));
  return sentence;
}

LayerLine line_of(Layer layer, const std::vector<Ruling>& rulings) {
  std::vector<const Ruling*> own;
  for (const Ruling& ruling : rulings) {
    if (ruling.layer == layer) own.push_back(&ruling);
  }
  LayerLine line;
  line.layer = layer;
  const Ruling* worst = deciding(own);
  line.assessed = worst != nullptr;
  if (!worst) {
    line.because.text = "no requirement asks about this layer";
    return line;
  }
  line.decision = weight(*worst);
  if (line.decision != Decision::fit) line.requirement = worst->id;
  line.because = line.decision == Decision::fit ? all_met(own) : worst->because;
  return line;
}

// Requirements share conditions, but each brings its own copy of a path with the cuts it accepts.
std::vector<Mitigation> conditions(const std::vector<Ruling>& rulings) {
  std::vector<Scenario> scenarios;
  std::vector<Mitigation> available;
  for (const Ruling& ruling : rulings) {
    if (!turnable(ruling)) continue;
    scenarios.insert(scenarios.end(), ruling.scenarios.begin(), ruling.scenarios.end());
    available.insert(available.end(), ruling.mitigations.begin(), ruling.mitigations.end());
  }
  return smallest_sufficient(scenarios, available).value_or(std::vector<Mitigation>());
}

struct Measured {
  bool attacked = false;
  bool benchmarked = false;
};

Measured measured(const Inputs& inputs) {
  Measured out;
  for (const evidence::Record& record : inputs.records) {
    if (record.status != evidence::Status::complete) continue;
    for (const Measurement& measurement : record.found.measurements)
      out.attacked = out.attacked || measurement.metric == "attack_rate";
  }
  // A bench of other files says nothing about these.
  for (const Item& bench : benches_of(inputs, records_of(inputs, "scan"))) {
    if (bench.record->status != evidence::Status::complete) continue;
    for (const Measurement& measurement : bench.record->found.measurements)
      out.benchmarked = out.benchmarked || measurement.metric == "speed" || measurement.metric == "quality";
  }
  return out;
}

std::string assurance(const Measured& how) {
  if (how.attacked && how.benchmarked) return "attacked and benchmarked";
  if (how.attacked) return "attacked, not benchmarked";
  if (how.benchmarked) return "benchmarked, not attacked";
  return "static only: not attacked, not benchmarked";
}

}  // namespace

Verdict evaluate(const Inputs& given) {
  std::vector<std::string> ids;
  for (const evidence::Record& record : given.records) ids.push_back(evidence::id(record));
  Inputs inputs = given;
  inputs.ids = ids;

  Verdict verdict;
  verdict.context = inputs.context;
  if (inputs.requirements) {
    verdict.profile = inputs.requirements->name;
    for (const Requirement& requirement : inputs.requirements->items)
      verdict.rulings.push_back(rule(requirement, inputs));
  }
  std::vector<const Ruling*> all;
  for (const Ruling& ruling : verdict.rulings) all.push_back(&ruling);
  const Ruling* worst = deciding(all);
  verdict.decision = worst ? weight(*worst) : Decision::undetermined;
  if (verdict.decision != Decision::unfit) {
    verdict.conditions = conditions(verdict.rulings);
    for (Ruling& ruling : verdict.rulings) ruling.turned = turnable(ruling);
  }
  const Measured how = measured(inputs);
  verdict.assurance = assurance(how);
  for (const Layer layer : kLayers) {
    verdict.layers.push_back(line_of(layer, verdict.rulings));
    if (!verdict.layers.back().assessed)
      verdict.not_assessed.push_back(fmt::format("the {} layer: no requirement asks about it", to_string(layer)));
  }
  verdict.not_assessed.emplace_back("tensor values: only their bounds and layout were checked");
  if (!how.attacked)
    verdict.not_assessed.emplace_back(
        "behaviour under attack: no attack rates were measured, so the worst case is assumed");
  if (!how.benchmarked) verdict.not_assessed.emplace_back("whether it works as claimed: nothing was benchmarked");
  return verdict;
}

}  // namespace steelyard::policy
