// Patterns of paths, as people write them: "models/legacy/**", "*.gguf".
#pragma once

#include <string_view>

namespace steelyard::accept {

// `*` and `?` stand for characters but '/', `**` for any; "folder/" stands for all that is in it. Takes time
// in proportion to the product of the lengths.
bool matches(std::string_view pattern, std::string_view path);

}  // namespace steelyard::accept
