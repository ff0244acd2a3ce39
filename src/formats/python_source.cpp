// Python files of a model's repository: custom modelling code, handlers, setup scripts, loaders.
//
// Spec: the Python language reference; PEP 263. What the code does by itself is a finding (PYC); what it
// imports, calls and when are facts, because what they mean depends on who loads the file
// (identity/repository.cpp). Attacks resisted: T11, T12: code that decodes or fetches what it runs, sends
// secrets, hides the names it uses. Tested by data/rules/PYC/, tests/unit/python_test.cpp,
// tests/oracle/repository_test.py (CPython's ast); fuzzed.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "formats/detail/python_code.hpp"
#include "formats/detail/references.hpp"
#include "formats/detail/report_code.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kLargest = u64{8} << 20;

// The encoding that the first two lines ask for (PEP 263), in lower case, or "".
std::string encoding(std::string_view text) {
  for (int line = 0; line < 2 && !text.empty(); ++line) {
    const std::string_view content = text.substr(0, text.find('\n'));
    const std::size_t at = content.find("coding");
    if (content.starts_with('#') && at != std::string_view::npos && at + 6 < content.size() &&
        (content[at + 6] == ':' || content[at + 6] == '=')) {
      std::string_view name = content.substr(at + 7);
      name.remove_prefix(std::min(name.find_first_not_of(" \t"), name.size()));
      return text::lower(name.substr(0, name.find_first_of(" \t\r*;,")));
    }
    text.remove_prefix(std::min(text.size(), content.size() + 1));
  }
  return {};
}

void parse(Item& item) {
  Reporter& report = item.report();
  Coverage& coverage = item.coverage();
  const auto broken = check_whole_text(item);
  const std::string text = read_text(item.source(), kLargest);
  const std::string coding = encoding(text);
  static constexpr std::array<std::string_view, 8> kPlain = {"",      "utf-8",    "utf8",    "utf-8-sig",
                                                             "ascii", "us-ascii", "latin-1", "iso-8859-1"};
  const PythonReport found = examine_python(text);
  report_code(found, report);
  References references;
  for (const auto& [name, at] : found.files) references.add("code", name, References::Kind::file, at);
  references.report(report);
  report.fact("python.lines", u64{static_cast<u64>(std::ranges::count(text, '\n'))}, Range{0, item.size()},
              Assurance::verified);

  coverage.examined = std::min<u64>(item.size(), kLargest);
  std::string why;
  if (broken) {
    why = "it is no UTF-8 text";
    coverage.examined = *broken;
  } else if (std::ranges::find(kPlain, coding) == kPlain.end()) {
    why = fmt::format("it asks to be read as {}", text::display(coding, 40));
    coverage.examined = 0;
  } else if (!found.fault.empty()) {
    why = found.fault;
    coverage.examined = std::min(coverage.examined, found.read);
  }
  if (!why.empty()) {
    report.add("PYC011", Range{coverage.examined, coverage.examined}, json::Value().set("fault", why));
    coverage.gaps.push_back({{coverage.examined, item.size()}, "Python that can't be read"});
  } else if (found.cut || item.size() > kLargest) {
    report.add("LIM006", std::nullopt,
               json::Value().set("budget", "amount of code").set("name", text::display(item.name(), 80)));
    coverage.gaps.push_back({{item.size() > kLargest ? kLargest : 0, item.size()}, "more code than is followed"});
  }
}

int sniff(const Sniff& sniff) {
  const std::string name = text::lower(sniff.name);
  const std::string_view head = as_text(sniff.head);
  const std::string_view first = head.substr(0, head.find('\n'));
  const bool named = name.ends_with(".py") || name.ends_with(".pyw") || name.ends_with(".pyi");
  const bool shebang = first.starts_with("#!") && first.contains("python");
  // A .pth file of Python's site module: its lines that begin with import are run at every start.
  const bool site = name.ends_with(".pth") && (head.starts_with("import ") || head.contains("\nimport "));
  if (!named && !shebang && !site) return 0;
  if (head.empty()) return 45;
  // A compiled or packed file under the name of source is somebody else's.
  return looks_like_text(head) || named ? 45 : 0;
}

}  // namespace

extern const Format python_source_format;
const Format python_source_format{"python_source", "Python source", "py", "Python language reference", sniff, parse};

}  // namespace steelyard::formats
