#include "host/host.hpp"

#include <filesystem>

#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kFailOn};

int run(Session& session) {
  std::vector<std::string> models;
  for (const std::string& name : session.arguments().positional) {
    const auto target = scan::resolve(name, session.environment());
    if (!target) return session.failed(target.error());
    for (const auto& file : target->files) {
      if (!file.path.empty()) models.push_back(file.path.string());
    }
  }
  evidence::Record record = host::examine(session.environment(), models);
  record.run = {format_time(session.environment().now()), 0, {}, "none"};
  report::Report report = session.report("host", "this machine");
  report.records.push_back(std::move(record));
  if (!session.deliver(report)) return kError;
  const int exit = exit_for(report.records, session.arguments());
  if (exit != kClean) return exit;
  for (const Fact& fact : report.records.front().found.facts) {
    if (fact.key.starts_with("host.check.") && fact.value["state"].string() == "unknown") return kUndetermined;
  }
  return kClean;
}

}  // namespace

extern const Command host_command;
const Command host_command{"host",
                           "read-only posture of this machine: model servers, permissions, isolation, runtimes",
                           "[MODEL…]",
                           "With models: also who else may write their files.\n\nExamples:\n  steelyard host\n  "
                           "steelyard host model.gguf --format json",
                           kFlags,
                           run};

}  // namespace steelyard::cli
