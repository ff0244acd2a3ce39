// The report for programs: schema steelyard/report/1 (data/schemas/report-1.json), the records and verdicts
// whole.
//
// A verdict document carries its own inputs, so that `steelyard recheck` can re-derive it from that document
// alone; it's passed on byte for byte. Deterministic: no clock,
// members in a fixed order. Tested by tests/unit/report_test.cpp.
#include "base/environment.hpp"
#include "base/text.hpp"
#include "report/renderer.hpp"

namespace steelyard::report {
namespace {

std::string render(const Report& report, const Style&) {
  json::Value records = json::Array{};
  for (const auto& record : report.records) records.push(evidence::encode(record));
  json::Value accepted = json::Array{};
  for (const auto& one : report.accepted) accepted.push(accept::encode(one));
  json::Value notes = json::Array{};
  for (const auto& note : report.notes) notes.push(text::to_value(note));
  return json::pretty(json::Value()
                          .set("schema", "steelyard/report/1")
                          .set("tool", report.tool)
                          .set("command", report.command)
                          .set("target", text::to_value(report.target))
                          .set("at", format_time(report.now))
                          .set("verdicts", report.documents)
                          .set("records", std::move(records))
                          .set("accepted", std::move(accepted))
                          .set("notes", std::move(notes))
                          .set("exit", report.exit)) +
         "\n";
}

}  // namespace

extern const Renderer json_renderer;
const Renderer json_renderer = {"json", ".json", "everything, for programs", render};

}  // namespace steelyard::report
