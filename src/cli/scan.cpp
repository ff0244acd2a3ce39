#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kFailOn, kNoHash, kRehash, kTensorDigests, kJobs};

int run(Session& session) {
  const auto options = session.scan_options();
  if (!options) return session.failed(options.error());
  std::vector<scan::Target> targets;
  std::string names;
  for (const std::string& name : session.arguments().positional) {
    auto target = scan::resolve(name, session.environment());
    if (!target) return session.failed(target.error());
    targets.push_back(std::move(*target));
    names += (names.empty() ? "" : " ") + name;
  }
  const auto services = session.services();
  if (!services) return session.failed(services.error());
  report::Report report = session.report("scan", names);
  for (const scan::Target& target : targets) {
    auto record = scan::scan(target, *options, *services);
    if (!record) return session.failed(record.error());
    report.records.push_back(std::move(*record));
  }
  if (!session.deliver(report)) return kError;
  return exit_for(report.records, session.arguments());
}

}  // namespace

extern const Command scan_command;
const Command scan_command{
    "scan",
    "static analysis of model files: structure, claims, coverage",
    "TARGET…",
    "Examples:\n  steelyard scan model.gguf\n  steelyard scan models/ -o report.html -o report.json\n"
    "  steelyard scan --no-hash big.gguf        structure only, in milliseconds",
    kFlags,
    run};

}  // namespace steelyard::cli
