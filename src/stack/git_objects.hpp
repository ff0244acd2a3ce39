// Objects: commits and trees out of a git repository's object folder, loose or in pack files.
//
// Spec: gitformat-pack(5) (pack version 2, index version 2, both kinds of deltas), gitrepository-layout(5).
// What is returned has the SHA-1 that it was asked for, so neither an index nor a delta can lie about it.
// Attacks resisted: indexes that point outside, delta chains without end or in a circle, deltas and
// streams that unpack to gigabytes (sizes are bounded and checked), counts that wrap.
// Not thread-safe. Tested by tests/unit/git_objects_test.cpp on repositories that git makes and on damaged ones.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/file.hpp"

namespace steelyard::stack {

struct Object {
  std::string type;  // "commit", "tree", "blob", "tag"
  std::string content;
};

class Objects {
 public:
  static constexpr u64 kMostBytes = u64{16} << 20;  // of one object
  static constexpr std::size_t kMostDeltas = 64;    // in a chain; git's own limit is 50
  static constexpr std::size_t kMostPacks = 64;

  // `folder` holds "pack" and the two-digit folders.
  static Result<Objects> open(const std::filesystem::path& folder);

  // Nothing, and `why`, when it is absent, damaged, or not what its name says. `id`: 40 hex digits.
  std::optional<Object> read(const std::string& id, std::string& why) const;

 private:
  struct Pack {
    io::File index;
    io::File content;
    u64 objects = 0;
  };
  // One step of a chain, as it lies in a pack.
  struct Entry {
    u8 type = 0;
    std::string content;  // of the object, or the delta
    u64 base_offset = 0;  // OFS_DELTA
    std::string base_id;  // REF_DELTA
  };

  std::optional<Object> loose(const std::string& id, std::string& why) const;
  static std::optional<u64> find(const Pack& pack, const std::string& raw_id);
  static std::optional<Entry> entry(const Pack& pack, u64 offset, std::string& why);
  std::optional<Object> packed(const Pack& pack, u64 offset, std::string& why) const;

  std::filesystem::path folder_;
  std::vector<Pack> packs_;
};

}  // namespace steelyard::stack
