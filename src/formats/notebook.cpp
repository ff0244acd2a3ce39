// Jupyter notebooks: the code of their cells, with the shell commands that "!" and "%" run.
//
// Spec: nbformat 4. A cell's kind is what the notebook says; every source is read as code, so that a wrong
// kind hides nothing. Tested by data/rules/CMD/CMD001.toml and tests/unit/shell_test.cpp; fuzzed.

#include <algorithm>

#include "base/text.hpp"
#include "formats/detail/active_content.hpp"
#include "formats/detail/document.hpp"
#include "formats/detail/report_code.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

// Splits a cell's source into Python and the lines that a shell gets.
void split(std::string_view source, std::string& python, std::string& shell) {
  while (!source.empty()) {
    const std::size_t end = std::min(source.find('\n'), source.size());
    std::string_view line = source.substr(0, end);
    source.remove_prefix(std::min(source.size(), end + 1));
    std::string_view bare = line.substr(std::min(line.find_first_not_of(" \t"), line.size()));
    if (bare.starts_with("%%bash") || bare.starts_with("%%sh") || bare.starts_with("%%script")) {
      shell += source;
      return;
    }
    if (bare.starts_with('!') || bare.starts_with('%')) {
      bare.remove_prefix(bare.find_first_not_of("!%") == std::string_view::npos ? bare.size()
                                                                                : bare.find_first_not_of("!%"));
      shell += std::string(bare) + "\n";
      python += "pass\n";
    } else {
      python += std::string(line) + "\n";
    }
  }
}

// Outputs that were stored as pages or programs of a browser. Plots are such, too, and large: what is not kept of
// them is no gap.
void outputs(Item& item) {
  const Document document = DocumentReader{.wanted = [](std::string_view key) {
                              return key == "text/html" || key == "application/javascript" || key == "image/svg+xml";
                            }}.json(item.source());
  for (const Field& field : document.fields) {
    std::string page = field.value.string();
    for (const json::Value& line : field.value.array()) page += line.string();
    if (const std::string_view says = attacks(text::lower(page)); !says.empty())
      item.report().add("CRD005", field.at,
                        json::Value().set("name", text::display(item.name(), 80)).set("says", says));
  }
}

void parse(Item& item) {
  Reporter& report = item.report();
  Coverage& coverage = item.coverage();
  const std::string name = text::display(item.name(), 80);
  const DocumentReader reader{
      .wanted = [](std::string_view key) { return key == "source"; },
      .text = [&](std::string_view, std::string_view text, Range at) { check_text(text, at.begin, name, report); }};
  const Document document = reader.json(item.source());
  PythonReport all;
  std::vector<ShellAlarm> shell_alarms;
  for (const Field& field : document.fields) {
    std::string source = field.value.string();
    for (const json::Value& line : field.value.array()) source += line.string();
    std::string python;
    std::string shell;
    split(source, python, shell);
    PythonReport cell = examine_python(python);
    for (PythonAlarm& alarm : cell.alarms) {
      alarm.at = field.at;
      all.alarms.push_back(std::move(alarm));
    }
    for (ShellAlarm& alarm : judge_shell(shell)) {
      alarm.at = field.at;
      shell_alarms.push_back(std::move(alarm));
    }
  }
  outputs(item);
  report_code(all, report);
  report_code(shell_alarms, 0, report);
  coverage.examined = document.fault.empty() ? item.size() : std::min(document.read, item.size());
  if (!document.fault.empty()) {
    report.add("CFG001", Range{coverage.examined, coverage.examined},
               json::Value().set("name", name).set("fault", document.fault));
    coverage.gaps.push_back({{coverage.examined, item.size()}, "the document is broken there"});
  } else if (document.cut) {
    report.add("LIM006", std::nullopt, json::Value().set("budget", "amount of code").set("name", name));
    coverage.gaps.push_back({{0, item.size()}, "more code than is followed"});
  }
}

int sniff(const Sniff& sniff) {
  const std::string_view head = as_text(sniff.head);
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || head[first] != '{') return 0;
  if (text::lower(sniff.name).ends_with(".ipynb")) return 50;
  return head.contains("\"cell_type\"") && head.contains("\"cells\"") ? 45 : 0;
}

}  // namespace

extern const Format notebook_format;
const Format notebook_format{"notebook", "Jupyter notebook", "ipynb", "nbformat 4", sniff, parse};

}  // namespace steelyard::formats
