// Which well-known licences a text is, told by sentences that only they have (data/licences/*.toml).
//
// Read-only after its first use; thread-safe. Tested by tests/unit/licence_test.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace steelyard::formats {

// The ids as hubs and SPDX write them ("apache-2.0", "llama3.1"), in the order of the data; mostly one.
std::vector<std::string> licences_in(std::string_view text);

}  // namespace steelyard::formats
