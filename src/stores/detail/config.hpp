// The user's own configuration of other programs: one setting of a TOML file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace steelyard::stores {

// The text at `keys` ("ramalama", "store"); empty when the file or the setting isn't there.
std::string toml_text(const std::filesystem::path& file, const std::vector<std::string>& keys);

}  // namespace steelyard::stores
