// Target: what a user points at, resolved to the files that load together.
//
// A file stands for itself and, when its name says that it is one of several shards
// ("x-00001-of-00003.gguf", "x-00001-of-00003.safetensors"), for its siblings and their index; a
// directory stands for every regular file in it. Links are followed to regular files only; loops,
// FIFOs and devices are notes or errors, never opened for reading. A model in a store ("hf:org/name",
// "ollama:llama3") stands for its files under the names that they have in the model, wherever the store
// keeps them; "-" is standard input. The order is that of the names.
// Tested by tests/unit/io_test.cpp, tests/unit/named_test.cpp and tests/cli/stores_test.py.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/environment.hpp"
#include "core/examination.hpp"
#include "io/file.hpp"
#include "stores/store.hpp"

namespace steelyard::scan {

struct TargetFile {
  std::filesystem::path path;           // resolved: no link in it; empty for what has none
  std::string name;                     // relative to the target, as shown and recorded
  std::string problem;                  // not empty: it can't be read, and why
  std::string rule = "LIM004";          // that reports the problem
  json::Value data = json::Object{};    // and what it says besides
  std::string digest = {};              // that the store has for the content: see stores::File
  std::shared_ptr<io::File> open = {};  // of what has no path
};

struct Target {
  std::string name;  // as the user wrote it
  std::vector<TargetFile> files;
  std::vector<Fact> facts = {};        // "source.…": where it came from; empty when no store says
  std::vector<Finding> findings = {};  // what is wrong with how the store keeps it
};

inline constexpr std::size_t kMostFiles = 100'000;

// An Error when the target doesn't exist, isn't a file or directory, or holds too many files.
// A path.
Result<Target> resolve(const std::string& name);
// A path, a model in a store of this machine, or "-".
Result<Target> resolve(const std::string& name, const Environment& environment);

Target from(const stores::Model& model);
// A target for every place that couldn't be listed, so that a record says so.
std::vector<Target> unlisted(const stores::Listing& listing);

}  // namespace steelyard::scan
