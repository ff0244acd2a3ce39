#include <fmt/format.h>

#include "cli/gather.hpp"
#include "report/terminal.hpp"
#include "rules/catalog.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kListFormat, kColor};

std::vector<std::string> families() {
  std::vector<std::string> out;
  for (const auto& [id, rule] : rules::catalog()) {
    if (out.empty() || out.back() != id.substr(0, 3)) out.push_back(id.substr(0, 3));
  }
  return out;
}

json::Value texts(const std::vector<std::string>& items) {
  json::Value out = json::Array{};
  for (const std::string& item : items) out.push(item);
  return out;
}

json::Value encode(const rules::Rule& rule) {
  return json::Value()
      .set("id", rule.id)
      .set("name", rule.name)
      .set("severity", to_string(rule.severity))
      .set("layer", to_string(rule.layer))
      .set("status", rule.status)
      .set("summary", rule.summary)
      .set("why", rule.why)
      .set("fix", rule.fix)
      .set("references", texts(rule.references))
      .set("owasp", texts(rule.owasp))
      .set("cwe", texts(rule.cwe));
}

int run(Session& session) {
  const auto& wanted = session.arguments().positional;
  std::vector<const rules::Rule*> chosen;
  for (const auto& [id, rule] : rules::catalog()) {
    bool begins = wanted.empty();
    for (const std::string& code : wanted) begins = begins || id.starts_with(report::upper(code));
    if (begins) chosen.push_back(&rule);
  }
  if (chosen.empty())
    return session.failed(
        {ErrorCode::usage, fmt::format("no rule begins with that; the families are {}", fmt::join(families(), ", "))});
  if (session.arguments().value("format", "text") == "json") {
    json::Value list = json::Array{};
    for (const rules::Rule* rule : chosen) list.push(encode(*rule));
    fmt::print("{}\n", json::pretty(json::Value().set("pack", rules::pack_digest()).set("rules", std::move(list))));
    return kClean;
  }
  report::Screen screen(session.style());
  for (const rules::Rule* rule : chosen) {
    const std::string severity = report::pad(to_string(rule->severity), 10);
    const std::string lead = report::pad(rule->id, 8) + screen.paint(screen.of(rule->severity), severity) +
                             report::pad(to_string(rule->layer), 16);
    screen.block(lead, 34, rule->summary);
  }
  fmt::print("{}", screen.take());
  return kClean;
}

}  // namespace

extern const Command rules_command;
const Command rules_command{.name = "rules",
                            .summary = "the rules: code, severity, layer and what each finds",
                            .positional = "[CODE…]",
                            .details =
                                "CODE is the beginning of a rule's code. steelyard explain CODE tells one in full."
                                "\n\nExamples:\n  steelyard rules\n  steelyard rules GGF --format json",
                            .flags = kFlags,
                            .run = run,
                            .candidates = families};

}  // namespace steelyard::cli
