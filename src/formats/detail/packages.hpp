// Where packages are installed from: requirements, index URLs, direct references (data/code/hosts.toml).
//
// Spec: PEP 508, PEP 440, pip's requirements file format. Attack resisted: an index of the attacker's beside the
// public one (dependency confusion), packages over plain HTTP or from bare addresses, names one letter
// away from a known one. Pure; thread-safe after its first use. Tested by data/rules/PKG/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace steelyard::formats {

struct PackageNote {
  std::string rule;  // PKG001…PKG004
  std::string what;  // the package or URL
  std::string says;
};

// One line of a requirements file, or one requirement of PEP 508.
std::vector<PackageNote> judge_requirement(std::string_view line);
// The arguments of "pip install".
std::vector<PackageNote> judge_pip(const std::vector<std::string>& arguments);
// The name and an exact version, if the line is a requirement: {"torch", "2.1.0"}.
struct Requirement {
  std::string name;
  std::string version;
};
Requirement requirement_of(std::string_view line);

// An installer that people are commonly told to run, by its address.
bool known_installer(std::string_view url);
// The host of a URL, in lower case, without user, port and path.
std::string host_of(std::string_view url);

}  // namespace steelyard::formats
