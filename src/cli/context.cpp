#include "context/context.hpp"

#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kFailOn};

int run(Session& session) {
  report::Report report = session.report("context", "");
  for (const std::string& name : session.arguments().positional) {
    const auto context = context_named(name);
    if (!context) return session.failed(context.error());
    evidence::Record record = context::analyze(*context);
    record.run = {format_time(session.environment().now()), 0, {}, "none"};
    report.records.push_back(std::move(record));
    report.target += (report.target.empty() ? "" : " ") + name;
  }
  if (!session.deliver(report)) return kError;
  return exit_for(report.records, session.arguments());
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
    run};

}  // namespace steelyard::cli
