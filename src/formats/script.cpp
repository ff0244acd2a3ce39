// Scripts of shells and build recipes: *.sh, *.bat, *.ps1, Dockerfile, Makefile, setup.cfg's like.
//
// Spec: POSIX shell command language; Dockerfile reference. A script in a model's repository is somebody's
// to run: what it fetches and runs is a finding (CMD), a second stage is not examined. Attack resisted: T12.
// Tested by data/rules/CMD/ and tests/unit/shell_test.cpp; fuzzed.

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "formats/detail/report_code.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kLargest = u64{4} << 20;

void parse(Item& item) {
  Coverage& coverage = item.coverage();
  const auto broken = check_whole_text(item);
  coverage.examined = broken.value_or(std::min(item.size(), kLargest));
  if (broken) coverage.gaps.push_back({{*broken, item.size()}, "it begins as text and goes on as something else"});
  if (item.size() > kLargest) {
    item.report().add("LIM006", std::nullopt,
                      json::Value().set("budget", "amount of code").set("name", text::display(item.name(), 80)));
    coverage.gaps.push_back({{kLargest, item.size()}, "more code than is followed"});
  }
  report_code(judge_shell(read_text(item.source(), kLargest)), 0, item.report());
}

int sniff(const Sniff& sniff) {
  const std::string name = text::lower(sniff.name);
  const std::string_view head = as_text(sniff.head);
  static constexpr std::array<std::string_view, 12> kEndings = {
      ".sh", ".bash", ".zsh", ".command", ".bat", ".cmd", ".ps1", ".psm1", ".mk", ".dockerfile", ".fish", ".cmake"};
  static constexpr std::array<std::string_view, 7> kNames = {
      "dockerfile", "containerfile", "makefile", "gnumakefile", "justfile", "procfile", "cmakelists.txt"};
  const bool named = std::ranges::any_of(kEndings, [&](std::string_view e) { return name.ends_with(e); }) ||
                     std::ranges::find(kNames, name) != kNames.end() || name.starts_with("dockerfile.");
  const bool shebang = head.starts_with("#!") && !head.substr(0, head.find('\n')).contains("python");
  return (named || shebang) && looks_like_text(head) ? 44 : 0;
}

}  // namespace

extern const Format script_format;
const Format script_format{
    "script", "script of a shell or build", "sh,bat,ps1,Dockerfile,Makefile", "POSIX shell command language", sniff,
    parse};

}  // namespace steelyard::formats
