// Renderer: one output format. One file per format in report/ defines
// `extern const Renderer <stem>_renderer`; CMake generates the registry from the file names.
#pragma once

#include "accept/accepted.hpp"
#include "policy/verdict.hpp"

namespace steelyard::report {

struct Style {
  bool color = false;
  u32 columns = 100;
  bool verbose = false;
  bool show_accepted = false;
};

// Which findings a run asked for. The others stay in the records and are counted, no more.
struct Selection {
  std::vector<std::string> only;     // beginnings of rule ids; empty: all
  std::vector<std::string> without;  // beginnings of rule ids
  Severity least = Severity::info;

  bool wants(const Finding& finding) const;
};

// Everything a report may show. Views of records; owned by the caller.
struct Report {
  std::string command;  // "vet", "scan", "inspect", "host", "context"
  std::string target;   // as the user named it
  std::string tool;     // version
  i64 now = 0;
  std::vector<evidence::Record> records;
  std::vector<policy::Verdict> verdicts;  // one per context, in order; empty for scan, inspect, host
  bool matrix = false;                    // no context was named: show all of them, first
  std::vector<std::string> notes;         // about the run: "2 files were read from the cache"
  json::Value documents = json::Array{};  // verdict documents, for json
  // For each record, as the user would write it: the folder that its subjects' paths begin in ("models/"),
  // or the name of something without files ("mail-assistant"). May be shorter than `records`.
  std::vector<std::string> origins;
  std::vector<accept::Accepted> accepted;
  Selection selection;
  std::optional<Severity> fail_on = Severity::high;  // findings at or above it fail the run
  int exit = 0;                                      // the exit code of the run
};

struct Renderer {
  std::string_view id;         // "html"
  std::string_view extension;  // ".html"
  std::string_view title;
  std::string (*render)(const Report& report, const Style& style);
};

std::span<const Renderer* const> all();
const Renderer* find(std::string_view id);
const Renderer* for_path(std::string_view path);

// The fact of a key in the records, or nullptr: the first in order.
const Fact* fact(const Report& report, std::string_view key);

}  // namespace steelyard::report
