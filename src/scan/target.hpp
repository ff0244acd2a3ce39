// Target: what a user points at, resolved to the files that load together.
//
// A file stands for itself and, when its name says that it is one of several shards
// ("x-00001-of-00003.gguf", "x-00001-of-00003.safetensors"), for its siblings and their index; a
// directory stands for every regular file in it. Links are followed to regular files only; loops,
// FIFOs and devices are notes or errors, never opened for reading. The order is that of the paths.
// Tested by tests/unit/io_test.cpp.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace steelyard::scan {

struct TargetFile {
  std::filesystem::path path;  // resolved: no link in it
  std::string name;            // relative to the target, as shown and recorded
  std::string problem;         // not empty: it can't be read, and why
};

struct Target {
  std::string name;  // as the user wrote it
  std::vector<TargetFile> files;
};

inline constexpr std::size_t kMostFiles = 100'000;

// An Error when the target doesn't exist, isn't a file or directory, or holds too many files.
Result<Target> resolve(const std::string& name);

}  // namespace steelyard::scan
