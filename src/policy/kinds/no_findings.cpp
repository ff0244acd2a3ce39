// no_findings: no rule of a severity or above fired on the model's files.
//
// Attack resisted: a file that can't be examined has no findings either, so bytes left out leave the
// requirement undetermined, and so they stay when a finding about them is accepted. Tested by
// tests/verdict/no_findings.json.
#include <fmt/format.h>

#include <algorithm>

#include "policy/reading.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "severity",
     .choices = "info,low,medium,high,critical",
     .meaning = "the lowest severity that counts (default: high)"},
    {.name = "rules", .type = Param::Type::texts, .meaning = "beginnings of the rule ids that count (default: all)"},
    {.name = "ignore", .type = Param::Type::texts, .meaning = "rule ids that don't count"},
    {.name = "accept",
     .type = Param::Type::flag,
     .meaning = "whether findings that a person accepted, with a reason, are left out (default: true)"},
    {.name = "min_percent",
     .type = Param::Type::integer,
     .meaning = "how much of every artifact must have been examined (default: 100)",
     .least = 1,
     .most = 100},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const auto scans = records_of(inputs, "scan");
  if (scans.empty()) return not_scanned();
  const Severity threshold = parse_severity(requirement.params["severity"].string()).value_or(Severity::high);
  const auto prefixes = texts(requirement, "rules");
  const auto ignore = texts(requirement, "ignore");
  const bool accepting = !requirement.params["accept"].is_bool() || requirement.params["accept"].boolean();
  std::vector<std::string> hits;
  std::vector<std::string> cites;
  std::vector<std::string> reasons;
  std::size_t ignored = 0;
  std::size_t artifacts = 0;
  for (const Item& scan : scans) {
    artifacts += scan.record->found.artifacts.size();
    const auto& findings = scan.record->found.findings;
    for (std::size_t i = 0; i < findings.size(); ++i) {
      const Finding& finding = findings[i];
      const auto begins = [&](const std::string& prefix) { return finding.rule.starts_with(prefix); };
      if (finding.severity < threshold || (!prefixes.empty() && std::ranges::none_of(prefixes, begins))) continue;
      if (std::ranges::find(ignore, finding.rule) != ignore.end()) {
        ++ignored;
        continue;
      }
      std::string cite = scan.cite("findings", i);
      if (const auto* why = accepting ? accepted(inputs, finding, cite) : nullptr) {
        reasons.push_back(fmt::format("{}: {}", finding.rule, shown(why->reason)));
        continue;
      }
      hits.push_back(fmt::format("{} ({})", finding.rule, to_string(finding.severity)));
      cites.push_back(std::move(cite));
    }
  }
  const std::string scope =
      fmt::format("{}of severity {} or above", prefixes.empty() ? "" : fmt::format("of {} ", listing(prefixes)),
                  to_string(threshold));
  std::string aside = ignored == 0 ? "" : fmt::format("; {} ignored by this requirement", counted(ignored, "finding"));
  if (!reasons.empty()) {
    aside += fmt::format("; {} accepted", counted(reasons.size(), "finding"));
    aside += fmt::format(" ({})", listing(std::move(reasons)));
  }
  if (!hits.empty()) {
    const std::size_t number = hits.size();
    return unmet(fmt::format("{} {}: {}{}", counted(number, "finding"), scope, listing(std::move(hits)), aside),
                 std::move(cites));
  }
  const i64 percent =
      requirement.params["min_percent"].is_integer() ? requirement.params["min_percent"].integer() : 100;
  if (const auto missing = shortfalls(scans, percent); !missing.empty())
    return fell_short(fmt::format("no finding {} so far, but ", scope), missing);
  return met(fmt::format("no finding {} in {}{}", scope, counted(artifacts, "artifact"), aside), ids_of(scans));
}

}  // namespace

extern const Kind no_findings_kind;
const Kind no_findings_kind{
    "no_findings", Layer::model, "No rule of the given severity or above fired on the model's files.",
    kParams,       "scan",       evaluate};

}  // namespace steelyard::policy
