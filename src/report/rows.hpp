// A report as a list: what the formats with one line for each thing show (concise, jsonl, csv, junit,
// markdown, sarif).
//
// Texts in a Row are sanitised. Pure. Tested by tests/unit/report_test.cpp and tests/report/*.golden.
#pragma once

#include "report/view.hpp"

namespace steelyard::report {

struct Row {
  enum class Type { verdict, requirement, finding, gap, fact };
  Type type = Type::finding;
  std::size_t record = 0;  // into Report::records; of verdicts and requirements: into Report::verdicts
  std::string path;        // as the user would write it: "models/weights.pt!data.pkl"; of verdicts: the context
  std::string file;        // "models/weights.pt"
  std::optional<Range> at;
  std::string code;     // rule, requirement or key
  std::string level;    // severity, decision, state, "not examined" or assurance
  std::string message;  // in one line
  std::string cite;     // "ev1:…#findings/3"
  std::string sha256;   // of the file
  const accept::Accepted* accepted = nullptr;
  const Finding* finding = nullptr;
  bool fails = false;  // a finding at or above Report::fail_on, an unmet requirement, an unfit verdict
  bool open = false;   // not examined, undetermined
};

std::string_view to_string(Row::Type type);

// The file of an item as the user would write it, or what stands for one: "this machine".
std::string file_of(const Report& report, const Examined& item);

// Verdicts with their requirements first, then file by file: findings that were selected (most severe
// first), gaps, facts.
std::vector<Row> rows(const Report& report, const Evidence& evidence);

}  // namespace steelyard::report
