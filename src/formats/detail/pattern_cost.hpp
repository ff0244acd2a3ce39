// PatternCost: whether a regular expression can keep a backtracking engine busy for ever on a short text.
//
// Spec: the syntax that Oniguruma, fancy-regex and Python's re share. A group that repeats without end is ambiguous
// when a text can be parted among its rounds in more than one way; that costs exponential time as soon as something
// behind it can fail. Both are told from sets of characters, letters outside ASCII standing for one. What
// isn't understood counts as harmless. Attack resisted: tokenizers that never end. Pure; thread-safe.
// Tested by tests/unit/tokenizer_test.cpp; fuzzed.
#pragma once

#include <string_view>

namespace steelyard::formats {

// Takes exponential time for certain on some text.
bool catastrophic(std::string_view pattern);

}  // namespace steelyard::formats
