// Verify: what can be said about programs that run models, ours or anybody's: where each file comes from,
// how it is hardened, and whether a running server has loaded those very files.
//
// A file is "built" when the record of a proved build has its digest, "packaged" when the package database has it,
// "changed" when either knows it under another digest, and "unknown" otherwise: what nobody vouches for is
// undetermined, never fine. Attacks resisted: a program exchanged on disk after it was started (device and inode of
// the mapping are compared), deleted files that are still mapped, libraries from elsewhere, damaged ELF files.
// The record lies with the build: whoever may write there may forge both, so its folder is the user's own.
// Reads only; nothing is run. Tested by tests/unit/stack_verify_test.cpp (STK006, STK007, STK008, STK010).
#pragma once

#include "base/environment.hpp"
#include "evidence/record.hpp"

namespace steelyard::stack {

struct Wanted {
  std::vector<std::filesystem::path> files;  // programs and libraries, or folders of them
  std::optional<u64> process;
};

// `built`: the record of the newest build and its folder, when there is one. Without files and process: all of it.
Result<evidence::Record> verify(const Wanted& wanted, const evidence::Record* built,
                                const std::filesystem::path& folder, const Environment& environment);

}  // namespace steelyard::stack
