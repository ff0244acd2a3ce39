// Copies: a model that lies in two places is reported once.
//
// Nothing is taken for a copy of something on a promise: either it is the very same files, or it was
// examined too and every file of it has the digest and the format of one that was kept. What a store
// says is wrong with a model keeps it from being a copy. Not thread-safe.
// Tested by tests/unit/copies_test.cpp.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "evidence/record.hpp"
#include "stores/store.hpp"

namespace steelyard::scan {

class Copies {
 public:
  // The name of a kept model that holds all of these very files, or nothing: then it has to be examined.
  std::string of(const stores::Model& model) const;
  // The same, of a model that was examined, by content.
  std::string of(const evidence::Record& record) const;
  void keep(const stores::Model& model, const evidence::Record& record);

 private:
  struct Kept {
    std::string name;
    std::map<std::pair<u64, u64>, std::set<std::pair<std::string, std::string>>> inodes;  // own name and digest
    std::map<std::string, std::set<std::string>> formats;                                 // by SHA-256
  };
  std::vector<Kept> kept_;
};

}  // namespace steelyard::scan
