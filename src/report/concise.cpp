// One line for each thing: "path:offset: CODE severity message", for grep, editors and logs.
//
// What is met and what a model claims stay out; `inspect` is about facts, so it lists them. Attack
// resisted: names with line breaks that forge a line (Row texts are sanitised). Tested by
// tests/unit/report_test.cpp and tests/report/concise*.golden.
#include <fmt/format.h>

#include "report/rows.hpp"
#include "report/terminal.hpp"

namespace steelyard::report {
namespace {

bool wanted(const Row& row, const Report& report, const Style& style) {
  switch (row.type) {
    case Row::Type::verdict:
    case Row::Type::gap:
      return true;
    case Row::Type::requirement:
      return row.level != "met";
    case Row::Type::finding:
      return row.accepted == nullptr || style.show_accepted;
    case Row::Type::fact:
      break;
  }
  return style.verbose || report.command == "inspect";
}

std::string render(const Report& report, const Style& style) {
  const Evidence evidence(report);
  const Screen screen(style);
  std::string out;
  for (const Row& row : rows(report, evidence)) {
    if (!wanted(row, report, style)) continue;
    const Paint paint = row.fails ? Paint::bad : row.open ? Paint::open : Paint::plain;
    out += row.path;
    if (row.at) out += fmt::format(":0x{:x}", row.at->begin);
    const std::string_view code = row.type == Row::Type::verdict ? std::string_view("verdict") : row.code;
    out += fmt::format(": {}{}{}{} {}", code, code.empty() ? "" : " ", screen.paint(paint, row.level),
                       code.empty() ? ":" : "", row.message);
    if (row.accepted != nullptr) out += "  " + acceptance(*row.accepted);
    out += '\n';
  }
  return out;
}

}  // namespace

extern const Renderer concise_renderer;
const Renderer concise_renderer = {"concise", ".concise.txt", "one line for each finding, for grep and editors",
                                   render};

}  // namespace steelyard::report
