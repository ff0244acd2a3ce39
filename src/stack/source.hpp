// Source: from the archive of a package registry to the files of an upstream commit, proved offline.
//
// The archive must have the lock's SHA-256. The git objects in it must yield the lock's commit, and that
// the lock's tree; every file is written under the name and mode that the tree gives it, and must have the
// content that the tree names. Nothing of the archive is run, and no path of it is used.
// Attacks resisted: another archive, a changed, added or missing file, a file that is there twice, links
// and paths that lead out (paths come from the tree, where they are checked), corrupt objects.
// The trust in this is that of SHA-256 for the archive; git's SHA-1 shows where it comes from.
// Tested by tests/unit/stack_source_test.cpp (rules STK001 to STK003).
#pragma once

#include "core/examination.hpp"
#include "stack/git_tree.hpp"
#include "stack/lock.hpp"

namespace steelyard::stack {

// What is wrong is told by findings; without a finding of severity high or above, it holds.
struct Proof {
  std::string sha256;  // of the archive
  u64 bytes = 0;
  Commit commit;
  std::string signer;  // key id of the commit's signature; empty: unsigned, or it can't be read
  Listing files;       // of the upstream tree
  u64 compared = 0;    // files whose content was compared
};

// Unpacks the proved source to `folder`, which must be empty or hold an earlier, perhaps broken, attempt; git's
// objects go to `objects`.
Result<Proof> prove(const io::File& archive, const Lock& lock, const std::filesystem::path& folder,
                    const std::filesystem::path& objects, Examination& found);

// Every entry below `folder` against the tree: extra, missing and changed files become findings.
// Returns how many were compared.
Result<u64> compare(const std::filesystem::path& folder, const Listing& files, Examination& found);

bool refused(const Examination& found);

}  // namespace steelyard::stack
