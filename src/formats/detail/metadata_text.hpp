// What a text in a model's metadata carries besides its words.
//
// Names, descriptions and licences are shown in terminals and web pages, pasted into shells, read by
// other models and handed to loaders. Attacks resisted: markup and addresses that run in a viewer,
// escapes of templates and expressions, commands and encoded programs that wait for somebody to run
// them, instructions to a model that reads the file, controls that rewrite a terminal. What is decoded
// is looked into once more. Patterns only raise an alarm about what has no business in metadata; no
// verdict of safety rests on their silence. Pure; thread-safe.
// Tested by data/rules/MET/ and tests/unit/metadata_text_test.cpp; fuzzed through the formats.
#pragma once

#include <string_view>

#include "formats/item.hpp"

namespace steelyard::formats {

inline constexpr std::size_t kMostMetadata = 64 * 1024;  // bytes of a text that are looked at

// `at`: where the text stands in the item's content; `where` names it: "general.description".
void check_metadata(std::string_view text, Range at, std::string_view where, Reporter& report);

}  // namespace steelyard::formats
