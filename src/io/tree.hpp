// Tree: a folder that is looked into without ever leaving it.
//
// Attack resisted: links that lead out (to a secret, a device, another user's files), loops of links,
// folders that are exchanged for links, huge or endless listings. Links are resolved here, one name
// at a time, against folders that were seen to be none; what is left to open has no link in it.
// Reads names and metadata, and whole files only through read(). Not thread-safe.
// Tested by tests/unit/tree_test.cpp.
#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "io/file.hpp"

namespace steelyard::io {

class Tree {
 public:
  enum class Kind { file, folder, link, missing, outside, loop, special, unreadable };

  struct Entry {
    std::string name;
    Kind kind = Kind::file;  // file, folder, link or special: nothing is followed to know it
  };
  struct Found {
    Kind kind = Kind::missing;
    std::string path;  // relative to the root, without a link; where a link that leads out points to
    Stat stat;         // of a file
  };

  // Follows links up to the root itself. An Error when that is no folder or can't be opened.
  static Result<Tree> open(const std::filesystem::path& root);
  ~Tree();
  Tree(Tree&& other) noexcept;
  Tree& operator=(Tree&&) = delete;

  // Resolved: no link in it.
  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path absolute(const std::string& relative) const { return root_ / relative; }

  // What is at `path`, following links as long as they stay below the root.
  Found find(std::string_view path);
  // What a folder holds, by name. An Error when it can't be listed, isn't reached without a link, or
  // the tree has more than kMostEntries.
  Result<std::vector<Entry>> list(const std::string& folder);
  // Every entry below `folder` that is no folder, by path relative to it. Links are not followed.
  // An Error is that of `folder`; `lost` is told of what couldn't be listed below it.
  Result<std::vector<Entry>> walk(const std::string& folder,
                                  const std::function<void(std::string path, std::string why)>& lost);
  // A small file, whole. An Error says why not: absent, no regular file, outside, too large.
  Result<std::string> read(const std::string& path, u64 most);

  static constexpr std::size_t kMostEntries = 200'000;
  static constexpr int kDeepest = 32;

 private:
  Tree(int descriptor, std::filesystem::path root, std::filesystem::path spelled)
      : descriptor_(descriptor), root_(std::move(root)), spelled_(std::move(spelled)) {}

  int descriptor_;
  std::filesystem::path root_;
  std::filesystem::path spelled_;               // absolute, as it was asked for: links may be written with it
  std::set<std::string, std::less<>> folders_;  // seen to be real
  std::size_t entries_ = 0;
};

// "a FIFO or device", "a link out of the folder", …
std::string_view describe(Tree::Kind kind);

}  // namespace steelyard::io
