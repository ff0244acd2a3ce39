// The report for programs: schema steelyard/report/1, the records and verdicts whole.
//
// A verdict document that the caller hands over carries its own inputs, so that `steelyard recheck`
// can re-derive it from that document alone; it's passed on byte for byte. Deterministic: no clock,
// members in a fixed order. Tested by tests/unit/report_test.cpp.
#include "base/environment.hpp"
#include "base/text.hpp"
#include "report/renderer.hpp"

namespace steelyard::report {
namespace {

std::string render(const Report& report, const Style&) {
  json::Value verdicts = report.documents;
  if (!verdicts.is_array() || verdicts.array().empty()) {
    verdicts = json::Array{};
    for (const auto& verdict : report.verdicts) verdicts.push(policy::encode(verdict));
  }
  json::Value records = json::Array{};
  for (const auto& record : report.records) records.push(evidence::encode(record));
  json::Value notes = json::Array{};
  for (const auto& note : report.notes) notes.push(text::to_value(note));
  return json::pretty(json::Value()
                          .set("schema", "steelyard/report/1")
                          .set("tool", report.tool)
                          .set("command", report.command)
                          .set("target", text::to_value(report.target))
                          .set("at", format_time(report.now))
                          .set("verdicts", std::move(verdicts))
                          .set("records", std::move(records))
                          .set("notes", std::move(notes))) +
         "\n";
}

}  // namespace

extern const Renderer json_renderer;
const Renderer json_renderer = {"json", ".json", "everything, for programs", render};

}  // namespace steelyard::report
