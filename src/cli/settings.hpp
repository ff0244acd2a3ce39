// Settings: what a run goes by. A flag counts before its variable STEELYARD_<FLAG>, that before the settings
// file, that before the default.
//
// The settings file is the nearest steelyard.toml upward from the working folder (no further than the root
// of a repository or the home folder), else $XDG_CONFIG_HOME/steelyard/steelyard.toml. The closest wins, nothing
// is merged. Attack resisted: a file that came with a model and silences its findings. A file that lies within
// or beside what is examined, or that somebody else may write, isn't used, and that is said. Tested by
// tests/cli/settings_test.py.
#pragma once

#include <filesystem>

#include "accept/ignores.hpp"
#include "base/environment.hpp"
#include "cli/command.hpp"

namespace steelyard::cli {

struct Settings {
  std::filesystem::path file;   // resolved; empty: none
  std::filesystem::path found;  // the folder in which it was found, resolved: another one when it is a link
  bool named = false;           // by --config
  std::vector<accept::Ignore> ignores;
  std::vector<std::string> notes;
};

// Completes `arguments` from the environment and the settings file.
Result<Settings> settle(const Command& command, Arguments& arguments, const Environment& environment);

// Takes away again what the settings file gave.
void forget_file(Settings& settings, Arguments& arguments);

// Prints what the run would go by.
int show(const Command& command, const Settings& settings, const Arguments& arguments);

}  // namespace steelyard::cli
