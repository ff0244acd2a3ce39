// coverage: every artifact was examined, down to a percentage that the requirement may lower.
//
// Attack resisted: a small payload next to gigabytes of weights; the percentage is asked of every
// artifact by itself. Bytes that a parser of the right format couldn't account for are a fact about
// the file (unmet); a format without a parser, or a scan cut short, is undetermined.
// Tested by tests/verdict/coverage.json.
#include <fmt/format.h>

#include "policy/reading.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "min_percent",
     .type = Param::Type::integer,
     .meaning = "how much of every artifact must have been examined (default: 100)",
     .least = 1,
     .most = 100},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const auto scans = records_of(inputs, "scan");
  if (scans.empty()) return not_scanned();
  const i64 percent =
      requirement.params["min_percent"].is_integer() ? requirement.params["min_percent"].integer() : 100;
  const auto missing = shortfalls(scans, percent);
  std::vector<std::string> settled;
  std::vector<std::string> cites;
  for (const Shortfall& one : missing) {
    if (!one.settled) continue;
    settled.push_back(one.text);
    cites.push_back(one.cite);
  }
  if (!settled.empty()) {
    const std::size_t number = settled.size();
    return unmet(
        fmt::format("{} not examined to {} %: {}", counted(number, "artifact"), percent, listing(std::move(settled))),
        std::move(cites));
  }
  if (!missing.empty()) return fell_short("", missing);
  for (const Item& scan : scans) {
    for (std::size_t i = 0; i < scan.record->found.coverage.size(); ++i) cites.push_back(scan.cite("coverage", i));
  }
  const std::size_t number = cites.size();
  return met(fmt::format("{} examined to {} %", counted(number, "artifact"), percent), std::move(cites));
}

}  // namespace

extern const Kind coverage_kind;
const Kind coverage_kind{"coverage", Layer::model, "Every artifact of the model was examined.",
                         kParams,    "scan",       evaluate};

}  // namespace steelyard::policy
