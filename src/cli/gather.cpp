#include "cli/gather.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "report/view.hpp"

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

void accept(report::Report& report, std::size_t index, accept::Matcher& matcher, const scan::Target* target) {
  std::vector<std::filesystem::path> paths;
  if (target != nullptr) {
    for (const scan::TargetFile& file : target->files) paths.push_back(file.path);
  }
  const std::string name = target != nullptr               ? target->name
                           : index < report.origins.size() ? report.origins[index]
                                                           : std::string();
  for (accept::Accepted& one : matcher.look(report.records[index], paths, name))
    report.accepted.push_back(std::move(one));
}

int exit_for(const report::Report& report) {
  std::optional<report::Evidence> evidence;
  if (!report.accepted.empty()) evidence.emplace(report);
  bool lost = report.records.empty();
  for (std::size_t r = 0; r < report.records.size(); ++r) {
    const evidence::Record& record = report.records[r];
    lost = lost || record.status != evidence::Status::complete || record.subjects.empty();
    for (const Coverage& coverage : record.found.coverage) lost = lost || !coverage.gaps.empty();
    const auto& findings = record.found.findings;
    for (std::size_t i = 0; i < findings.size(); ++i) {
      if (report.fail_on && findings[i].severity >= *report.fail_on && report.selection.wants(findings[i]) &&
          (!evidence || evidence->accepted(r, i) == nullptr))
        return kFindings;
    }
  }
  return lost ? kUndetermined : kClean;
}

std::string origin_of(const scan::Target& target) {
  if (!target.facts.empty()) return target.name + ":";
  std::error_code error;
  const std::filesystem::path path = target.name;
  if (!std::filesystem::is_directory(path, error)) {
    const std::size_t slash = target.name.rfind('/');
    const bool file = slash != std::string::npos && std::filesystem::exists(path, error);
    return file ? target.name.substr(0, slash + 1) : std::string();
  }
  std::string out = path.lexically_normal().string();
  if (out == "." || out == "./") return {};
  return out.ends_with('/') ? out : out + "/";
}

}  // namespace steelyard::cli
