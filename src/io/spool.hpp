// Spool: what comes through a pipe, kept in a file without a name, so that it can be read anywhere and
// twice. The file is gone when the program ends, however it ends.
// Tested by tests/unit/io_test.cpp.
#pragma once

#include "io/file.hpp"

namespace steelyard::io {

// Everything from `descriptor` up to `most` bytes; a regular file is taken as it is. `name` is for messages.
// An Error when it is a terminal, when more comes, or when `folder` has no room.
Result<File> spool(int descriptor, const std::string& name, const std::filesystem::path& folder, u64 most);

}  // namespace steelyard::io
