// One JSON object for each line (schema steelyard/report-line/1, data/schemas/report-line-1.json): a head,
// the records, then what was found in them, and an end by which a reader knows that nothing is missing.
//
// Texts are those that a person may see; the exact ones are in the records of the json format. Tested by
// tests/report/formats_test.py and tests/report/jsonl.golden.
#include "base/environment.hpp"
#include "report/rows.hpp"

namespace steelyard::report {
namespace {

json::Value range(const std::optional<Range>& at) {
  return at ? json::Value().push(at->begin).push(at->end) : json::Value();
}

json::Value or_null(const std::string& text) { return text.empty() ? json::Value() : json::Value(text); }

// The same value with every text as a person may see it.
json::Value sanitised(const json::Value& value) {
  if (value.is_string()) return shown(value.string());
  if (value.is_array()) {
    json::Value out = json::Array{};
    for (const auto& item : value.array()) out.push(sanitised(item));
    return out;
  }
  if (!value.is_object()) return value;
  json::Value out = json::Object{};
  for (const auto& [key, item] : value.object()) out.set(shown(key), sanitised(item));
  return out;
}

json::Value object(const Row& row, const Report& report) {
  json::Value out = json::Value().set("type", to_string(row.type));
  switch (row.type) {
    case Row::Type::verdict:
      return out.set("context", row.path)
          .set("profile", row.code)
          .set("decision", row.level)
          .set("message", row.message);
    case Row::Type::requirement:
      return out.set("context", row.path)
          .set("id", row.code)
          .set("state", row.level)
          .set("message", row.message)
          .set("evidence", or_null(row.cite));
    case Row::Type::finding: {
      const evidence::Record& record = report.records[row.record];
      out.set("path", row.path)
          .set("at", range(row.at))
          .set("in_file", range(in_file(record, row.finding->artifact, row.finding->at)))
          .set("sha256", or_null(row.sha256))
          .set("rule", row.code)
          .set("severity", row.level)
          .set("message", row.message)
          .set("data", sanitised(row.finding->data))
          .set("evidence", row.cite);
      return out.set("accepted", row.accepted == nullptr ? json::Value() : sanitised(accept::encode(*row.accepted)));
    }
    case Row::Type::gap:
      return out.set("path", row.path)
          .set("at", range(row.at))
          .set("sha256", or_null(row.sha256))
          .set("message", row.message)
          .set("evidence", row.cite);
    case Row::Type::fact:
      break;
  }
  return out.set("path", row.path)
      .set("at", range(row.at))
      .set("key", row.code)
      .set("assurance", row.level)
      .set("message", row.message)
      .set("evidence", row.cite);
}

std::string render(const Report& report, const Style&) {
  const Evidence evidence(report);
  std::size_t lines = 0;
  std::string out;
  const auto put = [&](const json::Value& value) {
    out += json::compact(value) + "\n";
    ++lines;
  };
  put(json::Value()
          .set("type", "report")
          .set("schema", "steelyard/report-line/1")
          .set("tool", report.tool)
          .set("command", report.command)
          .set("target", shown(report.target, 0))
          .set("at", format_time(report.now)));
  for (std::size_t i = 0; i < report.records.size(); ++i) {
    const evidence::Record& record = report.records[i];
    json::Value subjects = json::Array{};
    for (const auto& subject : record.subjects)
      subjects.push(json::Value()
                        .set("path", shown(subject.path, 0))
                        .set("sha256", or_null(subject.sha256))
                        .set("bytes", subject.bytes));
    put(json::Value()
            .set("type", "record")
            .set("id", evidence.ids()[i])
            .set("kind", shown(record.kind, 40))
            .set("status", evidence::to_string(record.status))
            .set("at", shown(record.run.at, 40))
            .set("subjects", std::move(subjects)));
  }
  for (const Row& row : rows(report, evidence)) put(object(row, report));
  for (const std::string& note : report.notes) put(json::Value().set("type", "note").set("message", shown(note)));
  put(json::Value().set("type", "end").set("lines", u64{lines + 1}).set("exit", report.exit));
  return out;
}

}  // namespace

extern const Renderer jsonl_renderer;
const Renderer jsonl_renderer = {"jsonl", ".jsonl", "one JSON object for each line, for pipelines", render};

}  // namespace steelyard::report
