#include "host/host.hpp"

#include <array>

#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kFailOn};

int run(Session& session) {
  const auto targets = session.targets(session.arguments().positional);
  if (!targets) return session.failed(targets.error());
  auto matcher = session.matcher();
  if (!matcher) return session.failed(matcher.error());
  std::vector<std::string> models;
  for (const scan::Target& target : *targets) {
    for (const auto& file : target.files) {
      if (!file.path.empty()) models.push_back(file.path.string());
    }
  }
  evidence::Record record = host::examine(session.environment(), models);
  record.run = {format_time(session.environment().now()), 0, {}, "none"};
  report::Report report = session.report("host", "this machine");
  report.records.push_back(std::move(record));
  report.origins.emplace_back("this machine");
  accept(report, 0, *matcher, nullptr);
  session.warn(matcher->notes(std::array{Layer::infrastructure}));
  report.exit = exit_for(report);
  for (const Fact& fact : report.records.front().found.facts) {
    if (report.exit == kClean && fact.key.starts_with("host.check.") && fact.value["state"].string() == "unknown")
      report.exit = kUndetermined;
  }
  return session.deliver(std::move(report));
}

}  // namespace

extern const Command host_command;
const Command host_command{"host",
                           "read-only posture of this machine: model servers, permissions, isolation, runtimes",
                           "[MODEL…]",
                           "With models: also who else may write their files.\n\nExamples:\n  steelyard host\n  "
                           "steelyard host model.gguf --format json",
                           kFlags,
                           run,
                           true};

}  // namespace steelyard::cli
