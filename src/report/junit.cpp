// JUnit XML for the test pages of CI servers: a suite for each verdict and each file, a case for each
// requirement and finding. What fails the run is a failure, what was not examined is an error, what
// somebody accepted is skipped.
//
// There is no standard; the dialect is the one that Jenkins' schema junit-10.xsd describes. Attack resisted:
// markup and characters that XML can't hold. Tested by tests/report/formats_test.py.
#include <fmt/format.h>

#include <map>

#include "report/rows.hpp"
#include "rules/catalog.hpp"

namespace steelyard::report {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    // U+FFFE and U+FFFF are valid UTF-8 and no XML characters.
    if (text.substr(i).starts_with("\xef\xbf\xbe") || text.substr(i).starts_with("\xef\xbf\xbf")) {
      out += text[i + 2] == '\xbe' ? "\\u{fffe}" : "\\u{ffff}";
      i += 2;
      continue;
    }
    switch (text[i]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += text[i];
    }
  }
  return out;
}

struct Suite {
  std::string name;
  std::string cases;
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  std::size_t skipped = 0;

  std::string numbers() const {
    return fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"", tests, failures, errors, skipped);
  }

  void add(const std::string& title, std::string_view inside) {
    ++tests;
    cases += fmt::format("    <testcase classname=\"{}\" name=\"{}\"", escaped(name), escaped(title));
    cases += inside.empty() ? "/>\n" : fmt::format(">{}</testcase>\n", inside);
  }

  void add(const Row& row) {
    std::string place = row.path == row.file ? "" : " " + row.path;
    if (row.at) place += " @" + offsets(*row.at);
    const rules::Rule* rule = row.finding != nullptr ? rules::find(row.finding->rule) : nullptr;
    std::string title = row.type == Row::Type::gap ? "examined" : row.code;
    if (rule != nullptr) title += " " + shown(rule->name, 80);
    title += place;
    const std::string message = escaped(row.message);
    if (row.accepted != nullptr) {
      ++skipped;
      add(title, fmt::format("<skipped message=\"{} {}\"/>", message, escaped(acceptance(*row.accepted))));
    } else if (row.open) {
      ++errors;
      add(title, fmt::format("<error type=\"{}\" message=\"{}\"/>", escaped(row.level), message));
    } else if (row.fails) {
      ++failures;
      std::string fix = rule != nullptr ? escaped(shown(rule->fix, 1000)) : "";
      add(title, fmt::format("<failure type=\"{}\" message=\"{}\">{}</failure>", escaped(row.level), message, fix));
    } else {
      add(title, fmt::format("<system-out>{}: {}</system-out>", escaped(row.level), message));
    }
  }
};

std::string render(const Report& report, const Style&) {
  const Evidence evidence(report);
  std::vector<Suite> suites;
  std::map<std::string, std::size_t> index;
  const auto suite = [&](const std::string& name) -> Suite& {
    const auto [found, fresh] = index.emplace(name, suites.size());
    if (fresh) suites.emplace_back().name = name;
    return suites[found->second];
  };
  for (const Examined& item : examined(report, evidence)) (void)suite(file_of(report, item));
  for (const Row& row : rows(report, evidence)) {
    if (row.type != Row::Type::verdict && row.type != Row::Type::fact) suite(row.file).add(row);
  }
  Suite all;
  std::string body;
  for (Suite& one : suites) {
    if (one.tests == 0) one.add("examined", "");
    all.tests += one.tests;
    all.failures += one.failures;
    all.errors += one.errors;
    all.skipped += one.skipped;
    body +=
        fmt::format("  <testsuite name=\"{}\" {}>\n{}  </testsuite>\n", escaped(one.name), one.numbers(), one.cases);
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"steelyard {}\" {}>\n{}</testsuites>\n",
      escaped(shown(report.command, 20)), all.numbers(), body);
}

}  // namespace

extern const Renderer junit_renderer;
const Renderer junit_renderer = {"junit", ".xml", "JUnit XML, for the test page of a CI server", render};

}  // namespace steelyard::report
