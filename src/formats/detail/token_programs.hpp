// Token programs: what tokenizer.json does to text before and after the model: normalizers, splitters,
// processors, decoders.
//
// Spec: the serialised components of the tokenizers library. Attack resisted: replacements of words on the
// way in or out (a model that reads "safe" where the user wrote "unsafe"), tokens that are put in front of
// every prompt, patterns that take exponential time. Pure; thread-safe. Tested by data/rules/TOK/.
#pragma once

#include <string>
#include <string_view>

#include "formats/item.hpp"

namespace steelyard::formats {

// `where`: "normalizer", "decoder", …
void check_program(std::string_view where, const json::Value& program, Range at, Reporter& report);

// Whether a backtracking engine may take exponential time: a repeated group that repeats inside.
bool explosive_pattern(std::string_view pattern);

}  // namespace steelyard::formats
