// Command: one subcommand. One file per command in cli/ defines
// `extern const Command <stem>_command`; CMake generates the registry from the file names. The
// tables of flags here feed the parser, --help, the environment's twins, steelyard.toml, the shells'
// completion, the man page and docs/cli.md.
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
  bool repeatable = false;   // a switch: counts
  bool setting = false;      // may stand in steelyard.toml: nothing there writes files or weakens the sandbox
};

struct Command {
  std::string_view name;
  std::string_view summary;     // one line
  std::string_view positional;  // "MODEL", "[TARGET…]", "" ; upper case, … for several, [] for optional
  std::string_view details;     // examples and notes under --help
  std::span<const Flag> flags;
  int (*run)(Session& session);
  bool reports = false;  // has the flags of reports and settings too
  bool hidden = false;   // for `make docs`
  // Words that may stand for the positional, for completion; nullptr: names of files.
  std::vector<std::string> (*candidates)() = nullptr;
};

std::span<const Command* const> commands();
const Command* find_command(std::string_view name);

// Those that all commands with reports share.
std::span<const Flag> report_flags();
// The flags of a command: its own, and the shared ones.
std::vector<Flag> flags_of(const Command& command);
// "output" of "-o,--output".
std::string long_name(const Flag& flag);
// "STEELYARD_FAIL_ON": the variable that stands in for a flag.
std::string variable_of(const Flag& flag);
// Words that a flag's value may be, as far as they are known: its choices, the built-in contexts.
std::vector<std::string> words_of(const Flag& flag);
// The parts of "a,b,c".
std::vector<std::string> split(std::string_view list);

// What the user wrote, by the long name of the flag ("output").
struct Arguments {
  std::vector<std::string> positional;
  std::map<std::string, std::vector<std::string>, std::less<>> values;
  std::map<std::string, std::string, std::less<>> origins;  // of values that no flag gave: "STEELYARD_FAIL_ON"

  bool has(std::string_view flag) const { return values.contains(flag); }
  // How often a switch was given.
  std::size_t count(std::string_view flag) const { return all(flag).size(); }
  // The last value, or the fallback.
  std::string value(std::string_view flag, std::string_view fallback = {}) const;
  std::vector<std::string> all(std::string_view flag) const;
};

struct Parsed {
  const Command* command = nullptr;  // nullptr: `exit` says it all
  Arguments arguments = {};
  int exit = kClean;
};

std::string help();
std::string help(const Command& command);

// Prints help, the version or a usage error itself.
Parsed parse(int argc, const char* const* argv);

}  // namespace steelyard::cli
