// Advisories: known flaws of loaders, and what in a file sets them off; data/advisories/<ID>.toml.
//
// A file that triggers one is dangerous to a loader below the fixed version and only malformed to
// others, so the finding (LDR001) informs and the requirement runtime_cve compares it with the
// runtimes that are installed. Loaded once at first use; afterwards read-only and thread-safe.
// Tested by tests/unit/advisories_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "core/examination.hpp"

namespace steelyard::rules {

struct Advisory {
  struct Loader {
    std::vector<std::string> names;  // as host names runtimes: "llama-server", "torch"
    std::string from;                // first affected version; empty: all before
    std::string before;              // first fixed version; empty: none is fixed; "unknown": not recorded
  };
  struct Trigger {
    std::string rule;                  // a finding of this rule
    std::vector<std::string> formats;  // in an artifact of this format, or inside one; empty: in any
    std::string key;                   // of the finding's data; empty: any finding
    std::string has;                   // what the text under `key` contains
    i64 least = 0;                     // what the number under `key` is at least
  };
  std::string id;
  std::string title;
  std::vector<std::string> references;
  std::string component;  // the part that is flawed, where a build can leave it out
  std::string option;     // the build's option for it
  std::string action;     // what to do while nothing fixes it
  std::vector<Loader> loaders;
  std::vector<Trigger> triggers;  // one is enough; none: no file sets it off
};

const std::vector<Advisory>& advisories();

// Adds LDR001 for every advisory that something in `found` triggers.
void note_advisories(Examination& found);

}  // namespace steelyard::rules
