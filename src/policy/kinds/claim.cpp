// claim: what the model's card says of it was put to the test and holds. Tested by tests/verdict/claim.json.
#include <fmt/format.h>

#include "policy/measured.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "claims",
     .type = Param::Type::texts,
     .required = true,
     .choices = "template,json,tools,languages,context",
     .meaning = "what must have been confirmed"},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const auto scans = records_of(inputs, "scan");
  if (scans.empty()) return not_scanned();
  const auto benches = benches_of(inputs, scans);
  std::vector<std::string> refuted, open, confirmed, absent, refuted_cites, open_cites, confirmed_cites;
  for (const std::string& name : texts(requirement, "claims")) {
    const Statements found = statements(benches, "claim." + name);
    if (found.stated.empty() && found.contradicted.empty() && found.missing.empty()) absent.push_back(name);
    for (const Statement& statement : found.stated) {
      const std::string& state = statement.fact->value["state"].string();
      const bool holds = state == "confirmed";
      const bool fails = state == "refuted";
      const std::string text = holds ? name : fmt::format("{} ({})", name, shown(statement.fact->value["why"]));
      (holds ? confirmed : fails ? refuted : open).push_back(text);
      (holds ? confirmed_cites : fails ? refuted_cites : open_cites).push_back(statement.cite);
    }
    for (const auto* list : {&found.contradicted, &found.missing}) {
      for (const Statement& statement : *list) {
        open.push_back(fmt::format("{} ({})", name, shown(statement.fact->value["why"])));
        open_cites.push_back(statement.cite);
      }
    }
  }
  const auto summary = [](std::vector<std::string>& names, std::string_view verb) {
    const std::size_t number = names.size();
    return fmt::format("{} {}: {}", counted(number, "claim"), verb, listing(std::move(names)));
  };
  if (!refuted.empty()) return unmet(summary(refuted, "refuted"), std::move(refuted_cites));
  const std::string decide = fmt::format("{} --claims", kBench);
  if (!open.empty()) return undetermined(summary(open, "neither confirmed nor refuted"), std::move(open_cites), decide);
  if (!absent.empty())
    return undetermined(fmt::format("not tested in {} of these files: {}", counted(benches.size(), "bench record"),
                                    listing(std::move(absent))),
                        ids_of(benches), decide);
  for (const Item& bench : benches) {
    if (bench.record->status != evidence::Status::complete)
      return undetermined("the bench was cut short", {bench.id}, decide);
  }
  return met(summary(confirmed, "confirmed"), std::move(confirmed_cites));
}

}  // namespace

extern const Kind claim_kind;
const Kind claim_kind{"claim", Layer::model, "Named claims about the model were tested and hold.",
                      kParams, "bench",      evaluate};

}  // namespace steelyard::policy
