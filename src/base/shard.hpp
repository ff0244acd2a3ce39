// The names of split models: "x-00002-of-00005.gguf" is one of five files that load together.
// Tested by tests/unit/io_test.cpp.
#pragma once

#include <optional>
#include <string>

namespace steelyard {

// What the files of a set share: {"x-", "-of-00005.gguf"}.
struct ShardName {
  std::string before;
  std::string after;

  // Nothing when `file` has no number of a part.
  static std::optional<ShardName> of(const std::string& file);
  bool holds(const std::string& file) const;
};

}  // namespace steelyard
