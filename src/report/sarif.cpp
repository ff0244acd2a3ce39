// SARIF 2.1.0 (OASIS, errata 01) for code scanning services.
//
// rules[] is the whole catalogue, so that a rule's index is the same in every report of one rule pack. What
// was not examined becomes notifications of the invocation; accepted findings stay, as suppressed ones.
// Places are bytes, not lines: byteOffset regions in the file itself, with the member of an archive as the
// logical location. Tested against the official schema by tests/report/formats_test.py, and by
// tests/report/sarif.golden.
#include <fmt/format.h>

#include <map>

#include "base/environment.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "report/rows.hpp"
#include "rules/catalog.hpp"

namespace steelyard::report {
namespace {

constexpr std::string_view kSchema =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

json::Value words(std::string_view text) { return json::Value().set("text", text); }

std::string_view level(Severity severity) {
  return severity >= Severity::high ? "error" : severity == Severity::medium ? "warning" : "note";
}

// The number by which GitHub's code scanning sorts: its own bounds are 9.0, 7.0 and 4.0.
std::string_view score(Severity severity) {
  static constexpr std::string_view kScores[] = {"0.0", "3.0", "5.5", "8.0", "9.5"};
  return kScores[static_cast<std::size_t>(severity)];
}

// RFC 3986: a relative reference whose first segment can't be taken for a scheme.
std::string uri(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out.starts_with('/') ? "file://" + out : out;
}

json::Value rule(const rules::Rule& rule) {
  json::Value tags = json::Array{"security", std::string(to_string(rule.layer)), rule.id.substr(0, 3)};
  for (const std::string& cwe : rule.cwe) tags.push("external/cwe/" + text::lower(cwe));
  for (const std::string& owasp : rule.owasp) tags.push("external/owasp/" + owasp);
  std::string help = rule.why + "\n\nWhat to do: " + rule.fix;
  for (const std::string& reference : rule.references) help += "\n" + reference;
  return json::Value()
      .set("id", rule.id)
      .set("name", rule.name)
      .set("shortDescription", words(rule.summary))
      .set("fullDescription", words(rule.why))
      .set("help", words(help))
      .set("defaultConfiguration", json::Value().set("level", level(rule.severity)))
      .set("properties", json::Value()
                             .set("tags", std::move(tags))
                             .set("security-severity", score(rule.severity))
                             .set("severity", to_string(rule.severity))
                             .set("status", rule.status));
}

class Log {
 public:
  explicit Log(const Report& report) : report_(report), evidence_(report), rows_(rows(report, evidence_)) {}

  json::Value render() {
    json::Value rules = json::Array{};
    for (const auto& [id, one] : rules::catalog()) {
      index_.emplace(id, u64{rules.array().size()});
      rules.push(rule(one));
    }
    files();
    json::Value results = json::Array{};
    for (const Row& row : rows_) {
      if (row.type == Row::Type::finding) results.push(result(row));
    }
    json::Value run = json::Value();
    run.set("tool", json::Value().set("driver", json::Value()
                                                    .set("name", "Steelyard")
                                                    .set("version", report_.tool)
                                                    .set("semanticVersion", report_.tool)
                                                    .set("rules", std::move(rules))))
        .set("automationDetails", json::Value().set("id", fmt::format("steelyard/{}/", shown(report_.command, 20))))
        .set("invocations", json::Value().push(invocation()))
        .set("artifacts", std::move(artifacts_))
        .set("results", std::move(results))
        .set("columnKind", "unicodeCodePoints")
        .set("properties", properties());
    return json::Value()
        .set("$schema", kSchema)
        .set("version", "2.1.0")
        .set("runs", json::Value().push(std::move(run)));
  }

 private:
  void files() {
    for (const Examined& item : examined(report_, evidence_)) {
      if (item.subject == nullptr || item.record->found.artifacts.empty()) continue;
      const std::string name = file_of(report_, item);
      if (!places_.emplace(name, u64{artifacts_.array().size()}).second) continue;
      json::Value entry = json::Value()
                              .set("location", json::Value().set("uri", uri(name)))
                              .set("roles", json::Array{"analysisTarget"});
      if (item.subject->bytes < static_cast<u64>(json::kLargestInteger)) entry.set("length", item.subject->bytes);
      if (!item.subject->sha256.empty()) entry.set("hashes", json::Value().set("sha-256", item.subject->sha256));
      artifacts_.push(std::move(entry));
    }
  }

  json::Value location(const Row& row, const std::optional<Range>& at) const {
    json::Value out = json::Value();
    const auto known = places_.find(row.file);
    if (known != places_.end()) {
      json::Value physical =
          json::Value().set("artifactLocation", json::Value().set("uri", uri(row.file)).set("index", known->second));
      if (at && at->end < static_cast<u64>(json::kLargestInteger))
        physical.set("region", json::Value().set("byteOffset", at->begin).set("byteLength", at->end - at->begin));
      out.set("physicalLocation", std::move(physical));
    }
    if (known == places_.end() || row.path != row.file)
      out.set("logicalLocations", json::Value().push(json::Value()
                                                         .set("fullyQualifiedName", row.path)
                                                         .set("kind", known == places_.end() ? "module" : "member")));
    return out;
  }

  json::Value result(const Row& row) const {
    const evidence::Record& record = report_.records[row.record];
    json::Value out = json::Value().set("ruleId", row.code);
    if (const auto known = index_.find(row.finding->rule); known != index_.end()) out.set("ruleIndex", known->second);
    out.set("level", level(row.finding->severity))
        .set("message", words(row.message))
        .set("locations", json::Value().push(location(row, in_file(record, row.finding->artifact, row.at))))
        .set("partialFingerprints", json::Value().set("findingHash/v1", fingerprint(row)));
    if (row.accepted != nullptr) {
      json::Value suppression = json::Value()
                                    .set("kind", "external")
                                    .set("status", "accepted")
                                    .set("justification", shown(row.accepted->reason));
      if (!row.accepted->until.empty()) suppression.set("properties", json::Value().set("until", row.accepted->until));
      out.set("suppressions", json::Value().push(std::move(suppression)));
    }
    return out.set("properties", json::Value()
                                     .set("severity", row.level)
                                     .set("security-severity", score(row.finding->severity))
                                     .set("evidence", row.cite));
  }

  // What makes it the same finding in another version of the file: not where it stands, but what it says.
  static std::string fingerprint(const Row& row) {
    json::Value data = json::Object{};
    for (const auto& [key, value] : row.finding->data.object()) {
      if (key != "excerpt") data.set(key, value);
    }
    return sha256(
        json::canonical(json::Value().set("rule", row.code).set("path", row.path).set("data", std::move(data))));
  }

  json::Value invocation() const {
    bool complete = true;
    for (const auto& record : report_.records) complete = complete && record.status == evidence::Status::complete;
    json::Value lost = json::Array{};
    for (const Row& row : rows_) {
      if (row.type != Row::Type::gap) continue;
      lost.push(json::Value()
                    .set("level", "error")
                    .set("descriptor", json::Value().set("id", "not-examined"))
                    .set("message", words("not examined: " + row.message))
                    .set("locations", json::Value().push(location(row, row.path == row.file ? row.at : std::nullopt))));
    }
    json::Value notes = json::Array{};
    for (const std::string& note : report_.notes)
      notes.push(json::Value().set("level", "note").set("message", words(shown(note))));
    return json::Value()
        .set("executionSuccessful", complete)
        .set("exitCode", report_.exit)
        .set("endTimeUtc", format_time(report_.now))
        .set("toolExecutionNotifications", std::move(lost))
        .set("toolConfigurationNotifications", std::move(notes));
  }

  json::Value properties() const {
    json::Value verdicts = json::Array{};
    for (const Row& row : rows_) {
      if (row.type == Row::Type::verdict)
        verdicts.push(json::Value()
                          .set("context", row.path)
                          .set("profile", row.code)
                          .set("decision", row.level)
                          .set("because", row.message));
    }
    return json::Value().set("rules", rules::pack_digest()).set("verdicts", std::move(verdicts));
  }

  const Report& report_;
  Evidence evidence_;
  std::vector<Row> rows_;
  std::map<std::string, u64, std::less<>> index_;
  std::map<std::string, u64> places_;  // by path, into artifacts_
  json::Value artifacts_ = json::Array{};
};

std::string render(const Report& report, const Style&) { return json::pretty(Log(report).render()) + "\n"; }

}  // namespace

extern const Renderer sarif_renderer;
const Renderer sarif_renderer = {"sarif", ".sarif", "SARIF 2.1.0, for code scanning", render};

}  // namespace steelyard::report
