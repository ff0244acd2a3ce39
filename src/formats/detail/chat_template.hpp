// A chat template, checked by what it does to conversations.
//
// Attacks resisted: templates that drop, cut, rewrite, repeat or reorder messages, forge roles, add
// text when a message says something, hide instructions, leave the sandbox, or never end. The
// template is run, not matched: on usual conversations, on conversations made from its own
// constants, and with every decision turned round that none of them reached.
// Tested by tests/oracle/templates_test.py, tests/unit/template_test.cpp and data/rules/TPL; fuzzed.
#pragma once

#include <string_view>

#include "formats/item.hpp"

namespace steelyard::formats {

inline constexpr std::size_t kMostTemplate = std::size_t{1} << 20;

// Places in the findings are offsets in `text`. False: something about it couldn't be examined.
bool check_chat_template(std::string_view text, Reporter& report);

}  // namespace steelyard::formats
