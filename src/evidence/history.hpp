// History: the newest verdict of each model in each use, kept for later runs.
//
// <folder>/<key>.json holds a verdict document; the key is the digest of the model's file digests,
// the context's name and the requirements' name, so a new verdict replaces the one it supersedes.
// Writes are atomic; several processes may share a folder. Tested by tests/unit/record_test.cpp.
#pragma once

#include <filesystem>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace steelyard::evidence {

class History {
 public:
  explicit History(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // False when the model's files were not hashed: such a verdict can't be found again.
  Result<bool> put(const json::Value& verdict_document) const;
  // Every verdict that still reads, newest first.
  std::vector<json::Value> all() const;
  // Those among the `most` files written last.
  std::vector<json::Value> newest(std::size_t most) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace steelyard::evidence
