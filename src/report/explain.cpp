#include "report/explain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "policy/kind.hpp"
#include "report/terminal.hpp"
#include "rules/catalog.hpp"

namespace steelyard::report {
namespace {

constexpr std::size_t kMostBytes = 256u << 20;  // a report of a large model store

void paragraph(Screen& screen, std::string_view heading, std::string_view text) {
  if (text.empty()) return;
  screen.heading(heading);
  screen.block("  ", 2, shown(text, 0));
}

void list(Screen& screen, std::string_view heading, const std::vector<std::string>& items) {
  if (items.empty()) return;
  screen.heading(heading);
  for (const auto& item : items) screen.block("  - ", 4, shown(item, 0));
}

void rule_page(Screen& screen, const rules::Rule& rule) {
  screen.block(screen.paint(Paint::strong, shown(rule.id)) + "  ", width(shown(rule.id)) + 2,
               fmt::format("{} · {} · {} layer{}", shown(rule.name), to_string(rule.severity), to_string(rule.layer),
                           rule.status == "stable" ? "" : " · " + shown(rule.status)));
  paragraph(screen, "What", rule.summary);
  paragraph(screen, "Why it matters", rule.why);
  paragraph(screen, "What to do", rule.fix);
  list(screen, "OWASP", rule.owasp);
  list(screen, "CWE", rule.cwe);
  list(screen, "References", rule.references);
}

bool family_page(Screen& screen, std::string_view prefix) {
  std::vector<const rules::Rule*> members;
  for (const auto& [id, rule] : rules::catalog()) {
    if (id.starts_with(prefix)) members.push_back(&rule);
  }
  if (members.empty()) return false;
  screen.line(screen.paint(Paint::strong, shown(prefix)) + "  " + count(members.size(), "rule", "rules"));
  screen.line();
  for (const rules::Rule* rule : members) {
    const std::string lead = "  " + pad(rule->id, 8) + pad(to_string(rule->severity), 10);
    screen.block(lead, width(lead), shown(rule->summary));
  }
  return true;
}

void kind_page(Screen& screen, const policy::Kind& kind) {
  screen.block(
      screen.paint(Paint::strong, kind.name) + "  ", kind.name.size() + 2,
      fmt::format("requirement · {} layer · reads records of kind “{}”", to_string(kind.layer), kind.evidence));
  paragraph(screen, "What", kind.summary);
  if (kind.params.empty()) return;
  screen.heading("Parameters");
  for (const auto& param : kind.params) {
    static constexpr std::string_view kTypes[] = {"text", "list of texts", "integer", "true or false"};
    std::string type(kTypes[static_cast<std::size_t>(param.type)]);
    if (!param.choices.empty()) type = fmt::format("one of {}", param.choices);
    screen.block(fmt::format("  {}  ", pad(param.name, 16)), 20,
                 fmt::format("{} ({}{})", param.meaning, type, param.required ? ", required" : ""));
  }
}

bool citation_page(Screen& screen, std::string_view citation, const Report& report) {
  const Evidence evidence(report);
  const auto cited = evidence.find(citation);
  if (!cited) return false;
  const evidence::Record& record = report.records[cited->record];
  screen.block(
      screen.paint(Paint::strong, evidence.brief(citation)) + "  ", width(evidence.brief(citation)) + 2,
      fmt::format("{} record, {}, {}", shown(record.kind), shown(record.run.at), evidence::to_string(record.status)));
  paragraph(screen, "Item", evidence.describe(citation));
  const Finding* finding = evidence.finding(*cited);
  if (finding != nullptr && !finding->data.object().empty()) {
    screen.heading("Data");
    for (const auto& [key, value] : finding->data.object()) {
      screen.block(fmt::format("  {}  ", pad(shown(key, 24), 16)), 20, value_text(value, 1000));
    }
  }
  std::vector<std::string> subjects;
  for (const auto& subject : record.subjects) {
    if (subjects.size() == 10) break;
    subjects.push_back(fmt::format("{} ({}) sha256 {}", shown(subject.path), text::human_bytes(subject.bytes),
                                   subject.sha256.empty() ? "not taken" : subject.sha256));
  }
  list(screen, "Subjects", subjects);
  const rules::Rule* rule = finding != nullptr ? rules::find(finding->rule) : nullptr;
  if (rule != nullptr) {
    screen.line();
    rule_page(screen, *rule);
  }
  for (const auto& verdict : report.verdicts) {
    for (const auto& ruling : verdict.rulings) {
      for (const auto& cite : ruling.because.cites) {
        const auto other = evidence.find(cite);
        if (!other || other->record != cited->record || other->section != cited->section ||
            other->index != cited->index)
          continue;
        paragraph(screen, "Cited by " + shown(ruling.id) + " for " + shown(verdict.context), ruling.because.text);
      }
    }
  }
  return true;
}

}  // namespace

std::optional<std::string> explain(std::string_view id, const Report* report, const Style& style) {
  Screen screen(style);
  if (id.starts_with("ev1:")) {
    if (report == nullptr || !citation_page(screen, id, *report)) return std::nullopt;
    return screen.take();
  }
  if (const policy::Kind* kind = policy::find_kind(id)) {
    kind_page(screen, *kind);
    return screen.take();
  }
  const std::string code = upper(id);
  if (const rules::Rule* rule = rules::find(code)) {
    rule_page(screen, *rule);
    return screen.take();
  }
  if (code.size() >= 2 && family_page(screen, code)) return screen.take();
  return std::nullopt;
}

std::vector<std::string> closest(std::string_view id) {
  std::vector<std::string> codes;
  for (const auto& [code, rule] : rules::catalog()) codes.push_back(code);
  std::vector<std::string> names;
  for (const auto& kind : policy::kinds()) names.emplace_back(kind->name);
  std::vector<std::string> out;
  const std::string_view word = id.substr(0, 64);
  for (auto [wanted, candidates] : {std::pair(upper(word), codes), std::pair(text::lower(word), names)}) {
    for (int i = 0; i < 3; ++i) {
      const std::string best = text::closest(wanted, candidates);
      if (best.empty()) break;
      out.push_back(best);
      std::erase(candidates, best);
    }
  }
  return out;
}

Result<Report> load(std::string_view text) {
  SY_TRY(const json::Value document, json::parse(text, {.most_bytes = kMostBytes}));
  Report report;
  report.target = document["target"].string();
  report.tool = document["tool"].string();
  // A report holds records at its top; a verdict document holds them among its inputs.
  std::vector<const json::Value*> places = {&document["records"], &document["inputs"]["records"]};
  for (const auto& verdict : document["verdicts"].array()) places.push_back(&verdict["inputs"]["records"]);
  std::vector<std::string> seen;
  for (const json::Value* place : places) {
    for (const auto& item : place->array()) {
      const std::string& id = item["id"].string();
      if (std::ranges::find(seen, id) != seen.end()) continue;
      SY_TRY(evidence::Record record, evidence::decode(item));
      seen.push_back(id);
      report.records.push_back(std::move(record));
    }
  }
  if (report.records.empty()) {
    return fail(ErrorCode::usage,
                "expected a report (schema steelyard/report/1) or a verdict document, found no records in it");
  }
  return report;
}

}  // namespace steelyard::report
