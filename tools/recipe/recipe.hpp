// recipe: text in, bytes out. The language is described in tools/recipe/README.md.
//
// Binary test inputs are written as recipes, so that a reviewer reads them and no malware lies in
// the repository. Tested by tests/unit/rules_test.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace steelyard::recipe {

// An Error names the line, what was expected and what was found.
Result<std::vector<std::byte>> build(std::string_view text);

}  // namespace steelyard::recipe
