// licence: what the files state as their licence is on the list of permitted ones.
//
// Identifiers as of SPDX and model cards; compared without case. What is on no list has to be read
// by a person, so it is undetermined. Tested by tests/verdict/licence.json.
#include <fmt/format.h>

#include <algorithm>

#include "policy/reading.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "permit",
     .type = Param::Type::texts,
     .required = true,
     .meaning = "licence ids that will do; * stands for anything: \"bsd-*\""},
    {.name = "forbid", .type = Param::Type::texts, .meaning = "licence ids that won't; wins over permit"},
};

// `pattern` with any number of stars; linear in the text but for backtracking to the last star.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, mark = 0;
  std::size_t star = std::string_view::npos;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool listed(const std::vector<std::string>& patterns, const Statement& statement) {
  const std::string id = normal(statement.fact->value.string());
  return std::ranges::any_of(patterns, [&](const std::string& pattern) { return matches(normal(pattern), id); });
}

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const auto scans = records_of(inputs, "scan");
  if (scans.empty()) return not_scanned();
  const auto permit = texts(requirement, "permit");
  const auto forbid = texts(requirement, "forbid");
  const Statements licences = statements(scans, "identity.licence");
  std::vector<Statement> forbidden;
  std::vector<Statement> unknown;
  for (const Statement& statement : licences.stated) {
    if (listed(forbid, statement)) {
      forbidden.push_back(statement);
    } else if (!statement.fact->value.is_string() || !listed(permit, statement)) {
      unknown.push_back(statement);
    }
  }
  const auto count = [](const std::vector<Statement>& list) { return counted(list.size(), "statement"); };
  if (!forbidden.empty())
    return unmet(fmt::format("forbidden licence: {} ({})", listing(forbidden), count(forbidden)), cites_of(forbidden));
  if (!licences.contradicted.empty())
    return undetermined(fmt::format("{} of the licence contradict each other: {}", count(licences.contradicted),
                                    listing(licences.contradicted)),
                        cites_of(licences.contradicted),
                        fmt::format("{}, and compare with the licence that the maker publishes", kInspect));
  if (licences.stated.empty())
    return undetermined(fmt::format("nobody states a licence ({})", counted(scans.size(), "scan")),
                        licences.missing.empty() ? ids_of(scans) : cites_of(licences.missing),
                        fmt::format("{}, and ask the maker for the licence", kInspect));
  if (!unknown.empty())
    return undetermined(
        fmt::format("licence neither permitted nor forbidden: {} ({})", listing(unknown), count(unknown)),
        cites_of(unknown),
        fmt::format("read its terms, then list it under permit or forbid of requirement {}", requirement.id));
  if (auto open = cut_short(scans)) return *open;
  return met(fmt::format("permitted licence: {} ({})", listing(licences.stated), count(licences.stated)),
             cites_of(licences.stated));
}

}  // namespace

extern const Kind licence_kind;
const Kind licence_kind{"licence", Layer::model, "The stated licence is one of those permitted.",
                        kParams,   "scan",       evaluate};

}  // namespace steelyard::policy
