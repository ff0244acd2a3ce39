// Packages: whether a file is the one that the distribution's package database has.
//
// Spec: dpkg's database (deb-md5sums(5), /var/lib/dpkg/status, diversions). It tells an exchanged compiler or
// library from the packaged one; whoever is root can change both, and MD5 resists no maker of packages:
// it is a check of this machine, not of the distribution. Where there is no dpkg everything is unknown.
// Tested by tests/unit/stack_packages_test.cpp.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace steelyard::stack {

struct Packaged {
  enum class State {
    matches,
    differs,     // the database has another digest
    unpackaged,  // no package has the file
    unknown,     // no database, a diverted file, or it can't be read
  };
  std::string path;  // resolved: no link in it
  State state = State::unknown;
  std::string package;
  std::string version;
  std::string sha256;
};
std::string_view to_string(Packaged::State state);

// One answer for each path, in their order; `root` prefixes everything ("/" outside tests).
std::vector<Packaged> look_up(const std::filesystem::path& root, const std::vector<std::string>& paths);

}  // namespace steelyard::stack
