#include "formats/detail/report_code.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace steelyard::formats {
namespace {

constexpr std::size_t kMostEffects = 128;
constexpr std::size_t kMostImports = 2048;

std::string_view to_string(PythonCall::When when) {
  switch (when) {
    case PythonCall::When::import:
      return "import";
    case PythonCall::When::main:
      return "main";
    case PythonCall::When::call:
      break;
  }
  return "call";
}

}  // namespace

void report_code(const PythonReport& found, Reporter& report) {
  for (const PythonAlarm& alarm : found.alarms)
    report.add(alarm.rule, alarm.at,
               json::Value().set("call", alarm.call).set("says", alarm.says).set("text", alarm.call));
  json::Value effects = json::Array{};
  for (const PythonCall& call : found.calls) {
    json::Value entry = json::Value()
                            .set("effect", call.effect)
                            .set("call", call.name)
                            .set("when", to_string(call.when))
                            .set("says", call.says);
    if (!call.argument.empty()) entry.set("argument", call.argument);
    if (call.shell) entry.set("shell", true);
    if (std::ranges::find(effects.array(), entry) == effects.array().end() && effects.array().size() < kMostEffects)
      effects.push(std::move(entry));
    if (call.when == PythonCall::When::import &&
        (call.effect == "process" || call.effect == "network" || call.effect == "execute" || call.effect == "native"))
      report.add("PYC006", call.at, json::Value().set("call", call.name).set("says", call.says));
  }
  if (!effects.array().empty())
    report.fact("python.effects", std::move(effects), found.calls.front().at, Assurance::verified);
  if (!found.framework.empty()) report.fact("python.hook", found.framework, std::nullopt, Assurance::verified);
  json::Value imports = json::Array{};
  for (const PythonImport& import : found.imports) {
    if (imports.array().size() < kMostImports) imports.push(text::display(import.module, 200));
  }
  if (!imports.array().empty())
    report.fact("python.imports", std::move(imports), found.imports.front().at, Assurance::verified);
}

void report_code(const std::vector<ShellAlarm>& found, u64 offset, Reporter& report) {
  for (const ShellAlarm& alarm : found)
    report.add(alarm.rule, Range{offset + alarm.at.begin, offset + alarm.at.end},
               json::Value().set("says", alarm.says).set("text", alarm.text).set("call", alarm.text));
}

}  // namespace steelyard::formats
