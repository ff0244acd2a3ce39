// What shell commands do that nobody should run because a model told them to: POSIX shells, PowerShell
// and cmd, as far as one line of reading goes. Nothing is run.
//
// Words, quotes, pipes and substitutions are parsed; what is downloaded or decoded is followed into what
// runs it. Attack resisted: T12, cards and scripts that fetch and run a second stage, in the many ways to
// write that. Text of unknown parts ("{}") is allowed for. Depth and length are bounded. Pure; thread-safe
// after its first use. Tested by tests/unit/shell_test.cpp and data/rules/CMD/; fuzzed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/examination.hpp"

namespace steelyard::formats {

struct ShellAlarm {
  std::string rule;  // CMD001…, PKG001…, or of the Python that it runs
  std::string says;  // "pipes what curl fetches into sh"
  std::string text;  // the command, cut
  Range at;          // in the text
};

std::vector<ShellAlarm> judge_shell(std::string_view script, int depth = 0);

// Asks for a version or a state and nothing else: "git rev-parse HEAD".
bool harmless_command(std::string_view command);
// The text as one word of a shell.
std::string shell_quoted(std::string_view text);

}  // namespace steelyard::formats
