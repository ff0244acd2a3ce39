// Instructions that a program can check: how long an answer is, how it begins, which letters it has. docs/tasks.md
// lists them. Pure; linear in the answer. Tested by tests/unit/checker_test.cpp.
#pragma once

#include <functional>

#include "wire/json_tree.hpp"

namespace steelyard::bench {

// "max_words" and 50: whether an answer follows it. Errors name what there is and what the value has to be.
Result<std::function<bool(const std::string&)>> instruction(std::string_view name, const wire::JsonNode& value);

}  // namespace steelyard::bench
