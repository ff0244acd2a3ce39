#include <algorithm>

#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kNoHash, kRehash, kJobs};

int run(Session& session) {
  const auto options = session.scan_options();
  if (!options) return session.failed(options.error());
  const std::string& name = session.arguments().positional.front();
  const auto target = scan::resolve(name, session.environment());
  if (!target) return session.failed(target.error());
  const auto services = session.services();
  if (!services) return session.failed(services.error());
  auto record = scan::scan(*target, *options, *services);
  if (!record) return session.failed(record.error());
  const bool identified = record->found.fact("model.format") != nullptr;
  report::Report report = session.report("inspect", name);
  report.records.push_back(std::move(*record));
  if (!session.deliver(report)) return kError;
  return identified ? kClean : kUndetermined;
}

}  // namespace

extern const Command inspect_command;
const Command inspect_command{
    "inspect", "identity of a model: format, size, tokenizer, template, maker, licence, digests",
    "MODEL",   "Examples:\n  steelyard inspect model.gguf\n  steelyard inspect model.gguf --format json",
    kFlags,    run};

}  // namespace steelyard::cli
