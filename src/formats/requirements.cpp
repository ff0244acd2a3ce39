// Lists of Python packages: requirements*.txt and constraints.txt.
//
// Spec: pip's requirements file format, PEP 508. Attack resisted: an index of the attacker's, packages from
// bare addresses, names nearly those of known packages. Tested by data/rules/PKG/; fuzzed.

#include <algorithm>

#include "base/text.hpp"
#include "formats/detail/packages.hpp"
#include "formats/detail/references.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kLargest = u64{1} << 20;

void parse(Item& item) {
  Reporter& report = item.report();
  Coverage& coverage = item.coverage();
  const auto broken = check_whole_text(item);
  coverage.examined = broken.value_or(std::min(item.size(), kLargest));
  if (coverage.examined < item.size())
    coverage.gaps.push_back({{coverage.examined, item.size()}, "more of it than is read as packages"});
  const std::string text = read_text(item.source(), kLargest);
  References references;
  u64 loose = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    const Range place{at, end};
    for (const PackageNote& note : judge_requirement(line))
      report.add(note.rule, place,
                 json::Value()
                     .set("call", text::display(note.what, 120))
                     .set("text", text::display(note.what, 120))
                     .set("says", note.says));
    const Requirement requirement = requirement_of(line);
    if (!requirement.name.empty() && line.find_first_not_of(" \t") != std::string_view::npos &&
        line[line.find_first_not_of(" \t")] != '-') {
      references.add("requirements", requirement.name, References::Kind::package, place, !requirement.version.empty());
      loose += requirement.version.empty() ? u64{1} : 0;
    }
    at = end + 1;
  }
  if (loose > 0) report.add("PKG004", Range{0, coverage.examined}, json::Value().set("count", loose));
  references.report(report);
}

int sniff(const Sniff& sniff) {
  const std::string name = text::lower(sniff.name);
  const bool named = name.ends_with(".txt") &&
                     (name.contains("requirements") || name.starts_with("constraints") || name == "packages.txt");
  return named && looks_like_text(as_text(sniff.head)) ? 44 : 0;
}

}  // namespace

extern const Format requirements_format;
const Format requirements_format{
    "requirements", "list of Python packages", "requirements.txt", "pip requirements file format; PEP 508", sniff,
    parse};

}  // namespace steelyard::formats
