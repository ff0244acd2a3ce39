#include "cli/gather.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace steelyard::cli {

Result<context::Context> context_named(const std::string& name) {
  const auto presets = context::preset_names();
  if (std::ranges::find(presets, name) != presets.end()) return context::preset(name);
  if (!name.ends_with(".toml") && !std::filesystem::exists(name)) {
    const std::string near = text::closest(name, presets);
    return fail(ErrorCode::usage,
                fmt::format("no context \"{}\": expected a file or one of {}{}", text::display(name, 80),
                            fmt::join(presets, ", "),
                            near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near)));
  }
  SY_TRY(std::string text, io::read_text(name, u64{1} << 20));
  return context::parse(std::move(text), name);
}

Result<policy::Requirements> requirements_from(const Arguments& arguments) {
  if (arguments.has("require")) {
    if (arguments.has("profile")) return fail(ErrorCode::usage, "--require and --profile exclude each other");
    const std::string file = arguments.value("require");
    SY_TRY(std::string text, io::read_text(file, u64{1} << 20));
    return policy::parse_requirements(std::move(text), file);
  }
  return policy::profile(arguments.value("profile", "business"));
}

int exit_for(const std::vector<evidence::Record>& records, const Arguments& arguments) {
  const std::string wanted = arguments.value("fail-on", "high");
  const auto threshold = parse_severity(wanted);
  bool lost = records.empty();
  bool found = false;
  for (const auto& record : records) {
    lost = lost || record.status != evidence::Status::complete || record.subjects.empty();
    for (const Finding& finding : record.found.findings) found = found || (threshold && finding.severity >= *threshold);
    for (const Coverage& coverage : record.found.coverage) lost = lost || !coverage.gaps.empty();
  }
  return found ? kFindings : lost ? kUndetermined : kClean;
}

}  // namespace steelyard::cli
