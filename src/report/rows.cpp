#include "report/rows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "rules/catalog.hpp"

namespace steelyard::report {
namespace {

std::string origin(const Report& report, std::size_t record) {
  return record < report.origins.size() ? report.origins[record] : std::string();
}

class Lister {
 public:
  Lister(const Report& report, const Evidence& evidence) : report_(report), evidence_(evidence) {}

  std::vector<Row> list() {
    for (std::size_t i = 0; i < report_.verdicts.size(); ++i) verdict(report_.verdicts[i], i);
    for (const Examined& item : examined(report_, evidence_)) file(item);
    return std::move(rows_);
  }

 private:
  void verdict(const policy::Verdict& verdict, std::size_t index) {
    Row row;
    row.type = Row::Type::verdict;
    row.record = index;
    row.path = row.file = shown(verdict.context, 0);
    row.code = shown(verdict.profile, 0);
    row.level = policy::to_string(verdict.decision);
    row.message = shown(reason(verdict), 2 * kMostShown);
    row.fails = verdict.decision == policy::Decision::unfit;
    row.open = verdict.decision == policy::Decision::undetermined;
    rows_.push_back(row);
    for (const policy::Ruling& ruling : verdict.rulings) {
      row.type = Row::Type::requirement;
      row.code = shown(ruling.id, 0);
      row.level = word(ruling);
      row.message = shown(ruling.because.text, 2 * kMostShown);
      row.cite = ruling.because.cites.empty() ? std::string() : shown(ruling.because.cites.front(), 120);
      row.fails = ruling.state == policy::State::unmet && !ruling.turned;
      row.open = ruling.state == policy::State::undetermined;
      rows_.push_back(row);
    }
  }

  Row place(const Examined& item, std::optional<u32> artifact) const {
    Row row;
    row.record = item.number;
    row.path = row.file = file_of(report_, item);
    const auto& artifacts = item.record->found.artifacts;
    if (artifact && *artifact < artifacts.size())
      row.path = shown(origin(report_, item.number) + artifacts[*artifact].path, 0);
    if (item.subject != nullptr) row.sha256 = shown(item.subject->sha256, 64);
    return row;
  }

  std::string cite(const Examined& item, std::string_view section, std::size_t index) const {
    return fmt::format("{}#{}/{}", evidence_.ids()[item.number], section, index);
  }

  void finding(const Examined& item, std::size_t index) {
    const Finding& finding = item.record->found.findings[index];
    Row row = place(item, finding.artifact);
    row.type = Row::Type::finding;
    row.at = finding.at;
    row.code = shown(finding.rule, 20);
    row.level = to_string(finding.severity);
    row.message = shown(rules::message(finding), 2 * kMostShown);
    row.cite = cite(item, "findings", index);
    row.finding = &finding;
    row.accepted = evidence_.accepted(item.number, index);
    row.fails = row.accepted == nullptr && report_.fail_on && finding.severity >= *report_.fail_on;
    rows_.push_back(std::move(row));
  }

  void gap(const Examined& item, std::optional<u32> artifact, std::optional<Range> at, std::string why) {
    Row row = place(item, artifact);
    row.type = Row::Type::gap;
    row.at = at;
    row.level = "not examined";
    row.message = std::move(why);
    row.cite = evidence_.ids()[item.number];
    row.open = true;
    rows_.push_back(std::move(row));
  }

  void file(const Examined& item) {
    const Examination& found = item.record->found;
    for (const std::size_t i : item.findings) finding(item, i);
    for (const std::size_t i : item.accepted) finding(item, i);
    for (const auto& [artifact, one] : item.gaps) {
      std::optional<u32> index;
      if (artifact != nullptr) index = static_cast<u32>(artifact - found.artifacts.data());
      const bool somewhere = one->range.end > one->range.begin;
      gap(item, index, somewhere ? std::optional(one->range) : std::nullopt, shown(one->why));
    }
    if (item.record->status != evidence::Status::complete && item.first)
      gap(item, std::nullopt, std::nullopt,
          fmt::format("the {} record is {}: what is missing was not examined", shown(item.record->kind, 40),
                      evidence::to_string(item.record->status)));
    for (const std::size_t i : item.facts) {
      const Fact& fact = found.facts[i];
      Row row = place(item, fact.artifact);
      row.type = Row::Type::fact;
      row.at = fact.at;
      row.code = shown(fact.key, 120);
      row.level = to_string(fact.assurance);
      row.message = value_text(fact.value);
      row.cite = cite(item, "facts", i);
      rows_.push_back(std::move(row));
    }
  }

  const Report& report_;
  const Evidence& evidence_;
  std::vector<Row> rows_;
};

}  // namespace

std::string_view to_string(Row::Type type) {
  switch (type) {
    case Row::Type::verdict:
      return "verdict";
    case Row::Type::requirement:
      return "requirement";
    case Row::Type::finding:
      return "finding";
    case Row::Type::gap:
      return "gap";
    case Row::Type::fact:
      break;
  }
  return "fact";
}

std::string file_of(const Report& report, const Examined& item) {
  const std::string begin = origin(report, item.number);
  if (item.subject == nullptr || begin.empty()) return shown(begin.empty() ? item.path : begin, 0);
  return shown(begin.ends_with('/') || begin.ends_with(':') ? begin + item.subject->path : begin, 0);
}

std::vector<Row> rows(const Report& report, const Evidence& evidence) { return Lister(report, evidence).list(); }

}  // namespace steelyard::report
