// Who but their owner may write a model file, or exchange it by way of a folder above it.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::host {

struct Weakness {
  std::string path;
  std::string why;
  bool unknown = false;  // it could not be decided
};

// `root` prefixes the absolute `path` in tests. Trusted owners: root and `uid`.
std::vector<Weakness> weaknesses(const std::string& root, const std::string& path, u32 uid);

}  // namespace steelyard::host
