#include <algorithm>

#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kNoHash, kRehash, kJobs, kSandbox, kNoCache, kProgress};

int run(Session& session) {
  const std::string& name = session.arguments().positional.front();
  const auto targets = session.targets({name});
  if (!targets) return session.failed(targets.error());
  const auto options = session.scan_options();
  if (!options) return session.failed(options.error());
  auto matcher = session.matcher();
  if (!matcher) return session.failed(matcher.error());
  const auto services = session.services();
  if (!services) return session.failed(services.error());
  auto record = scan::scan(targets->front(), *options, *services);
  if (!record) return session.failed(record.error());
  const bool identified = record->found.fact("model.format") != nullptr;
  report::Report report = session.report("inspect", name);
  report.records.push_back(std::move(*record));
  report.origins.push_back(origin_of(targets->front()));
  accept(report, 0, *matcher, &targets->front());
  report.fail_on.reset();
  report.exit = identified ? kClean : kUndetermined;
  return session.deliver(std::move(report));
}

}  // namespace

extern const Command inspect_command;
const Command inspect_command{
    "inspect", "identity of a model: format, size, tokenizer, template, maker, licence, digests",
    "MODEL",   "Examples:\n  steelyard inspect model.gguf\n  steelyard inspect model.gguf --format json",
    kFlags,    run,
    true};

}  // namespace steelyard::cli
