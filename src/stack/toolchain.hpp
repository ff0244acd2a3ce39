// Toolchain: the programs that build the stack, found before anything is built, and what a link takes in.
//
// Everything that shapes the binaries is held against the package database: compiler, assembler, linker,
// start files, libraries, headers. Attack resisted: an exchanged compiler, library or header in a place that
// comes first. Tested by tests/unit/stack_build_test.cpp (rule STK004).
#pragma once

#include "base/environment.hpp"
#include "core/examination.hpp"
#include "stack/lock.hpp"
#include "stack/packages.hpp"
#include "stack/process.hpp"

namespace steelyard::stack {

struct Tool {
  std::string role;     // "c++", "cmake", "cc1plus"
  std::string version;  // as it says; empty: not asked
  std::filesystem::path path;
};

struct Toolchain {
  std::vector<Tool> tools;
  std::filesystem::path ccache;  // empty: none
  std::filesystem::path path(std::string_view role) const;
};

// Variables of every child: nothing that could change what a compiler does gets through.
std::vector<std::string> build_environment(const Environment& environment, const Lock& lock);

// An Error says which program is missing or too old, and the package that has it.
Result<Toolchain> find_toolchain(const Environment& environment, const Lock& lock,
                                 const std::vector<std::string>& backends);

// The files that the linker opens for a program like those that are built.
Result<std::vector<std::string>> link_inputs(const Toolchain& toolchain, const Lock& lock,
                                             const std::vector<std::string>& environment,
                                             const std::filesystem::path& folder);

// As facts: [{role, path, version, sha256, package, package_version, state}]; what differs is STK004.
json::Value check_packaged(const std::filesystem::path& root, const std::vector<Tool>& files, Examination& found);

}  // namespace steelyard::stack
