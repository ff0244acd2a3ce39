#include "cli/fitting.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "bench/fits.hpp"
#include "bench/model.hpp"
#include "cli/gather.hpp"
#include "host/machine.hpp"
#include "scan/scan.hpp"

namespace steelyard::cli {

Result<u64> parse_bytes(std::string_view text) {
  u64 number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::pair<std::string_view, u64> kUnits[] = {
      {"", 1},       {"KiB", u64{1} << 10}, {"MiB", u64{1} << 20}, {"GiB", u64{1} << 30},
      {"kB", 1'000}, {"MB", 1'000'000},     {"GB", 1'000'000'000}};
  for (const auto& [name, factor] : kUnits) {
    if (error != std::errc() || unit != name) continue;
    if (const auto bytes = checked_mul(number, factor); bytes && *bytes > 0) return *bytes;
  }
  return fail(ErrorCode::usage,
              fmt::format("--memory is \"{}\"; expected a number of bytes, or one with KiB, MiB, GiB, "
                          "kB, MB or GB behind it",
                          text::display(std::string(text), 40)));
}

Result<u64> memory_for_models(const Session& session) {
  if (session.arguments().has("memory")) return parse_bytes(session.arguments().value("memory"));
  return host::memory(session.environment()).available;
}

Result<int> fit(Session& session) {
  const Arguments& arguments = session.arguments();
  if (arguments.positional.size() > 1) return fail(ErrorCode::usage, "--fits takes one model");
  const std::string& name = arguments.positional.front();
  SY_TRY(const u64 available, memory_for_models(session));
  SY_TRY(const u32 context, number<u32>(arguments, "context", 0, 64, 1'000'000'000));
  SY_TRY(const auto targets, session.targets({name}));
  SY_TRY(scan::Options options, session.scan_options());
  SY_TRY(const auto services, session.services());
  SY_TRY(evidence::Record scan, scan::scan(targets.front(), options, services));
  SY_TRY(const std::vector<u32> files, bench::gguf_model(scan.found, name));

  evidence::Record record;
  record.kind = "estimate";
  u64 bytes = 0;
  for (const u32 file : files) {
    record.subjects.push_back(scan.subjects[scan.found.artifacts[file].subject]);
    bytes += record.subjects.back().bytes;
  }
  record.method.tool = scan.method.tool;
  record.method.analyzer = 1;
  record.method.params = json::Value().set("memory", available);
  record.run = scan.run;
  report::Report report = session.report("bench", name);
  report.fail_on.reset();
  std::string why;
  const auto estimate = bench::estimate(bench::about(scan.found, files), bytes, false, why);
  if (!estimate) {
    record.found.facts.push_back({"model.fits", json::Value().set("state", "undetermined").set("why", why),
                                  std::nullopt, std::nullopt, Assurance::missing});
    report.notes.push_back("whether it fits is undetermined: " + why);
    report.exit = kUndetermined;
  } else {
    std::vector<u64> contexts;
    for (const u64 length : {u64{2048}, u64{8192}, u64{32'768}, u64{131'072}}) {
      if (context == 0 && (estimate->trained == 0 || length <= estimate->trained)) contexts.push_back(length);
    }
    if (context > 0) contexts.push_back(context);
    bench::report_fit(*estimate, available, contexts, record.found);
    const u64 longest = estimate->longest(available);
    const bool fits = longest > 0 && longest >= context;
    report.notes.push_back(
        available == 0 ? "how much memory this machine has isn't known"
        : longest == 0 ? fmt::format("it doesn't fit: {} are available", text::human_bytes(available))
        : fits ? fmt::format("it fits {} with up to {} tokens of context", text::human_bytes(available), longest)
               : fmt::format("with {} tokens of context it doesn't fit {}; with {} it does", context,
                             text::human_bytes(available), longest));
    report.exit = available == 0 ? kUndetermined : fits ? kClean : kFindings;
  }
  report.records.push_back(std::move(record));
  report.origins.push_back("");
  return session.deliver(std::move(report));
}

}  // namespace steelyard::cli
