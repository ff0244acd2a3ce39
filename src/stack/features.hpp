// The features of this machine's processor, as /proc/cpuinfo names them.
// Tested by tests/unit/stack_build_test.cpp.
#pragma once

#include <filesystem>
#include <set>
#include <string>

namespace steelyard::stack {

std::set<std::string> cpu_features(const std::filesystem::path& root);

}  // namespace steelyard::stack
