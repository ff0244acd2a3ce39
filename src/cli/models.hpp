// The models of this machine as a list: what `steelyard ls` and `steelyard` without arguments show.
#pragma once

#include <map>

#include "cli/session.hpp"
#include "report/terminal.hpp"
#include "stores/store.hpp"

namespace steelyard::cli {

struct Row {
  const stores::Model* model = nullptr;
  std::string same_as;   // another row of which these are the very same files
  std::size_t lost = 0;  // files that can't be examined
  std::string format;    // as the newest remembered verdict has it
  std::string verdicts;  // "1 fit · 4 with conditions"
};

// The verdicts that one model got on one day.
struct Remembered {
  std::string day;
  std::string model;
  std::map<policy::Decision, std::vector<std::string>> contexts;
};

struct Models {
  stores::Listing listing;
  std::vector<Row> rows;
  std::vector<Remembered> verdicts;  // newest first
};

// `most` verdicts are looked through.
Models models(const Session& session, std::size_t most);

// A table of the first `most` rows.
void table(report::Screen& screen, std::span<const Row> rows, std::size_t most);
// "7 models in 6 stores", then what couldn't be listed, and the notes.
void footer(report::Screen& screen, const stores::Listing& listing);

}  // namespace steelyard::cli
