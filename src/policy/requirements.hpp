// Requirements files: require.toml, and the built-in profiles under data/profiles/.
#pragma once

#include "policy/verdict.hpp"

namespace steelyard::policy {

// Strict: unknown keys, kinds and parameters are errors with a suggestion and a caret.
Result<Requirements> parse_requirements(std::string text, const std::string& name);
// "personal", "business" or "regulated".
Result<Requirements> profile(std::string_view name);
std::vector<std::string> profile_names();
json::Value encode(const Requirements& requirements);
Result<Requirements> decode_requirements(const json::Value& document);

}  // namespace steelyard::policy
