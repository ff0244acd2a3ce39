#include "accept/baseline.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {
    {"--to", "FILE", "where to write it (default: steelyard-baseline.json)", ""},
    {"--reason", "TEXT", "why these findings are accepted; required", ""},
    {"--until", "DAY", "the last day on which they are, such as 2027-01-31; required for severity high and above", ""},
    kJobs,
    kSandbox,
    kNoCache,
    kProgress,
    kQuiet,
};

int run(Session& session) {
  const Arguments& arguments = session.arguments();
  if (!arguments.has("reason")) return session.failed({ErrorCode::usage, "--reason is required"});
  const auto targets = session.targets(arguments.positional);
  if (!targets) return session.failed(targets.error());
  const auto options = session.scan_options();
  if (!options) return session.failed(options.error());
  const auto services = session.services();
  if (!services) return session.failed(services.error());
  report::Report report = session.report("baseline", "");
  report.fail_on.reset();
  std::size_t findings = 0;
  for (const scan::Target& target : *targets) {
    auto record = scan::scan(target, *options, *services);
    if (!record) return session.failed(record.error());
    findings += record->found.findings.size();
    report.records.push_back(std::move(*record));
  }
  const auto text = accept::write_baseline(report.records, report.tool, report.now, arguments.value("reason"),
                                           arguments.value("until"));
  if (!text) return session.failed(text.error());
  const std::string file = arguments.value("to", "steelyard-baseline.json");
  if (const auto written = io::write_atomically(file, *text); !written) return session.failed(written.error());
  if (!arguments.has("quiet"))
    fmt::print("wrote {}: {} finding{}\nnext: steelyard scan … --baseline {}\n", text::display(file), findings,
               findings == 1 ? "" : "s", text::display(file));
  // What was not examined has no findings yet that could be accepted.
  return exit_for(report);
}

}  // namespace

extern const Command baseline_command;
const Command baseline_command{
    "baseline",
    "accept the findings of today, so that only new ones count",
    "TARGET…",
    "The file holds for exactly these bytes: a file that changes is judged anew. Exit 3 when something could\n"
    "not be examined.\n\nExample:\n  steelyard baseline models/ --reason \"there when we began\" --until 2027-01-31",
    kFlags,
    run};

}  // namespace steelyard::cli
