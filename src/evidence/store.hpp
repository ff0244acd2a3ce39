// Store: records on disk, found again by id or by what they were made from.
//
// <folder>/records/<id>.json, <folder>/keys/<cache key> and <folder>/about/<kind>-<digest>/<id>. Writes are atomic;
// several processes may share a folder. A record that doesn't decode, or whose id isn't that of its content, is as good
// as absent. Tested by tests/unit/record_test.cpp.
#pragma once

#include <filesystem>

#include "evidence/record.hpp"

namespace steelyard::evidence {

class Store {
 public:
  explicit Store(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Keeps the record; only complete ones are findable by cache key.
  Result<bool> put(const Record& record) const;
  // The newest complete record made from the same input by the same method, not older than
  // `max_age` seconds at `now`, and not from the future.
  std::optional<Record> find(const std::string& cache_key, i64 now, i64 max_age) const;
  std::optional<Record> get(const std::string& id) const;
  // The records of one kind about the file with this digest, newest first, `most` of them.
  std::vector<Record> about(std::string_view kind, const std::string& sha256, std::size_t most) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace steelyard::evidence
