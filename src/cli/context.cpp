#include "context/context.hpp"

#include <array>

#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kFailOn};

int run(Session& session) {
  report::Report report = session.report("context", "");
  auto matcher = session.matcher();
  if (!matcher) return session.failed(matcher.error());
  for (const std::string& name : session.arguments().positional) {
    const auto context = context_named(name);
    if (!context) return session.failed(context.error());
    evidence::Record record = context::analyze(*context);
    record.run = {format_time(session.environment().now()), 0, {}, "none"};
    report.records.push_back(std::move(record));
    report.origins.push_back(name);
    accept(report, report.records.size() - 1, *matcher, nullptr);
    report.target += (report.target.empty() ? "" : " ") + name;
  }
  session.warn(matcher->notes(std::array{Layer::integration}));
  report.exit = exit_for(report);
  return session.deliver(std::move(report));
}

}  // namespace

extern const Command context_command;
const Command context_command{
    "context",
    "attack paths through a declared deployment, and what would cut them",
    "CONTEXT…",
    "CONTEXT is a file (see steelyard init) or a built-in name.\n\nExamples:\n  steelyard context mail-assistant\n"
    "  steelyard context context.toml --format json",
    kFlags,
    run,
    true,
    false,
    context::preset_names};

}  // namespace steelyard::cli
