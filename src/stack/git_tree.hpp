// Listing: the files of an upstream commit, by the names that git gives their contents.
//
// Spec: the object formats of git (commit, tree), OpenPGP (RFC 9580) for the issuer of a signature.
// Attacks resisted: names that lead out of a folder or into .git, trees that contain themselves or are
// endless (entries and depth are bounded, no recursion), headers smuggled into a commit's message.
// Pure but for reading objects. Tested by tests/unit/git_objects_test.cpp.
#pragma once

#include <map>

#include "stack/git_objects.hpp"

namespace steelyard::stack {

struct Commit {
  std::string tree;
  std::string author;
  std::string signature;  // armored; empty: none
  std::string subject;
};

std::optional<Commit> parse_commit(std::string_view content);

// The key id or fingerprint that an armored OpenPGP signature names, in upper-case hex; empty when none can be read.
std::string issuer_of(std::string_view armored);

struct Leaf {
  enum class Kind { file, executable, link, submodule };
  Kind kind = Kind::file;
  std::string id;
};
// By path with "/" between its parts, each of them an ordinary name.
using Listing = std::map<std::string, Leaf, std::less<>>;

inline constexpr std::size_t kMostLeaves = 100'000;
inline constexpr std::size_t kDeepestTree = 32;

// Everything below a tree. Nothing, and `why`, when an object is missing or damaged or a name can't be trusted.
std::optional<Listing> list_tree(const Objects& objects, const std::string& tree, std::string& why);

}  // namespace steelyard::stack
