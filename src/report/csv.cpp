// A table for spreadsheets: RFC 4180, one row for each verdict, requirement, finding, gap and fact.
//
// Attack resisted: formula injection (CWE-1236). A field that a spreadsheet might calculate begins with an
// apostrophe, which shows it as text. Tested by tests/unit/report_test.cpp and tests/report/formats_test.py.
#include <fmt/format.h>

#include <array>

#include "report/rows.hpp"

namespace steelyard::report {
namespace {

bool calculates(std::string_view text) {
  // The last four are the full-width forms, which some spreadsheets take for the same.
  static constexpr std::array<std::string_view, 10> kStarts = {
      "=", "+", "-", "@", "\t", "\r", "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0"};
  const std::size_t first = text.find_first_not_of(" \"'");
  if (first == std::string_view::npos) return false;
  const std::string_view rest = text.substr(first);
  for (const std::string_view start : kStarts) {
    if (rest.starts_with(start)) return true;
  }
  return false;
}

std::string field(std::string_view text) {
  std::string out = "\"";
  if (calculates(text)) out += '\'';
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string render(const Report& report, const Style&) {
  const Evidence evidence(report);
  std::string out = "type,path,offset,end,code,level,message,sha256,evidence,accepted,until\r\n";
  for (const Row& row : rows(report, evidence)) {
    const bool accepted = row.accepted != nullptr;
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\r\n", to_string(row.type), field(row.path),
                       row.at ? fmt::format("{}", row.at->begin) : "", row.at ? fmt::format("{}", row.at->end) : "",
                       field(row.code), field(row.level), field(row.message), row.sha256, field(row.cite),
                       accepted ? field(shown(row.accepted->reason)) : "", accepted ? row.accepted->until : "");
  }
  return out;
}

}  // namespace

extern const Renderer csv_renderer;
const Renderer csv_renderer = {"csv", ".csv", "a table, for spreadsheets", render};

}  // namespace steelyard::report
