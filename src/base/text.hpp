// Text that came from a model or the system: how it is kept, and how it may be shown.
//
// Attack resisted: names and metadata with terminal escapes, bidi overrides (CVE-2021-42574),
// zero-width and tag characters, or broken UTF-8. Tested by tests/unit/text_test.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace steelyard::text {

bool valid_utf8(std::string_view bytes);

// Safe to print anywhere: one line, controls and invisible characters as \n, \x1b or \u{202e},
// bytes that aren't UTF-8 as \xff, a backslash as itself. Cut with "…" beyond `columns` characters
// (0: never).
std::string display(std::string_view bytes, std::size_t columns = 0);

// Whether display() would escape something: a control, bidi, zero-width or tag character, or a
// byte that isn't UTF-8. Line breaks and tabs don't count.
bool has_hidden(std::string_view bytes);

// A string when `bytes` is UTF-8; otherwise {"escaped": "…\\xff…"} with every backslash doubled,
// so that the bytes can be had back.
json::Value to_value(std::string_view bytes);

// At most `bytes` bytes from the front of valid UTF-8, without splitting a character.
std::string prefix(std::string_view text, std::size_t bytes);

// The candidate closest to `word` by edit distance, or "" when none is close: for "did you mean".
std::string closest(std::string_view word, const std::vector<std::string>& candidates);

std::string lower(std::string_view ascii);

// 98362432 -> "93.8 MiB"; 134515008 -> "134.5 M".
std::string human_bytes(u64 bytes);
std::string human_count(u64 count);

}  // namespace steelyard::text
