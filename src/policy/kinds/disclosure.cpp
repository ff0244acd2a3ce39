// disclosure: the model's files state what a deployer has to be able to pass on.
//
// A key that the analyzer looked for and didn't find is a fact of its own ("missing"); a key that it
// never looked for leaves the requirement undetermined. Tested by tests/verdict/disclosure.json.
#include <fmt/format.h>

#include "policy/reading.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "facts",
     .type = Param::Type::texts,
     .required = true,
     .meaning = "keys of facts that must be stated: \"identity.maker\""},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const auto scans = records_of(inputs, "scan");
  if (scans.empty()) return not_scanned();
  struct Group {
    std::vector<std::string> keys;
    std::vector<std::string> cites;
    void add(const std::string& key, const std::vector<Statement>& statements) {
      keys.push_back(key);
      for (const Statement& statement : statements) cites.push_back(statement.cite);
    }
    std::string text() const { return fmt::format("{} ({})", fmt::join(keys, ", "), counted(cites.size(), "fact")); }
  };
  Group stated, contradicted, missing, unknown;
  for (const std::string& key : texts(requirement, "facts")) {
    const Statements found = statements(scans, key);
    if (!found.contradicted.empty()) {
      contradicted.add(key, found.contradicted);
    } else if (!found.stated.empty()) {
      stated.add(key, found.stated);
    } else if (!found.missing.empty()) {
      missing.add(key, found.missing);
    } else {
      unknown.add(key, {});
    }
  }
  if (!missing.keys.empty()) return unmet("not disclosed: " + missing.text(), missing.cites);
  if (!contradicted.keys.empty())
    return undetermined("disclosed, but in contradiction: " + contradicted.text(), contradicted.cites,
                        fmt::format("{}, and ask the maker which statement holds", kInspect));
  if (!unknown.keys.empty())
    return undetermined(
        fmt::format("not looked for in {}: {}", counted(scans.size(), "scan"), fmt::join(unknown.keys, ", ")),
        ids_of(scans), std::string(kRescan));
  if (auto open = cut_short(scans)) return *open;
  return met("disclosed: " + stated.text(), stated.cites);
}

}  // namespace

extern const Kind disclosure_kind;
const Kind disclosure_kind{"disclosure", Layer::model, "The model's files state the named facts.",
                           kParams,      "scan",       evaluate};

}  // namespace steelyard::policy
