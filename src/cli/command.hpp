// Command: one subcommand. One file per command in cli/ defines
// `extern const Command <stem>_command`; CMake generates the registry from the file names. The
// tables of flags here feed the parser, --help and the documentation.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace steelyard::cli {

class Session;

// Every command answers with these; a verdict never shares its code with an error.
enum Exit : int {
  kClean = 0,         // clean, fit
  kFindings = 1,      // findings at or above --fail-on, unfit
  kError = 2,         // usage, I/O or internal error
  kUndetermined = 3,  // undetermined, or nothing that could be examined
  kConditions = 4,    // fit with conditions (0 with --conditions-ok)
};

struct Flag {
  std::string_view names;  // "-o,--output"
  std::string_view value;  // "FILE"; empty: a switch
  std::string_view help;
  std::string_view choices;  // "text,json,html"; empty: any value
  bool repeatable = false;
};

struct Command {
  std::string_view name;
  std::string_view summary;     // one line
  std::string_view positional;  // "MODEL", "[TARGET…]", "" ; upper case, … for several, [] for optional
  std::string_view details;     // examples and notes under --help
  std::span<const Flag> flags;
  int (*run)(Session& session);
};

std::span<const Command* const> commands();

// Flags that every command understands.
std::span<const Flag> common_flags();

// What the user wrote, by the long name of the flag ("output").
struct Arguments {
  std::vector<std::string> positional;
  std::map<std::string, std::vector<std::string>, std::less<>> values;

  bool has(std::string_view flag) const { return values.contains(flag); }
  // The last value, or the fallback.
  std::string value(std::string_view flag, std::string_view fallback = {}) const;
  std::vector<std::string> all(std::string_view flag) const;
};

struct Parsed {
  const Command* command = nullptr;  // nullptr: `exit` says it all
  Arguments arguments = {};
  int exit = kClean;
};

// Prints help, the version or a usage error itself.
Parsed parse(int argc, const char* const* argv);

}  // namespace steelyard::cli
