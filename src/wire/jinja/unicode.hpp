// The few properties of characters that Python's str and Jinja's lexer need, over valid UTF-8.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace steelyard::wire::jinja {

// The character at `at` and how many bytes it takes; a broken byte counts as itself.
struct Character {
  u32 code = 0;
  u32 bytes = 1;
};
Character character_at(std::string_view text, std::size_t at);
std::size_t previous_character(std::string_view text, std::size_t at);  // the offset where it begins
void append_character(std::string& out, u32 code);
std::size_t count_characters(std::string_view text);
// The byte offset of the character with that index, or the size of the text.
std::size_t offset_of(std::string_view text, std::size_t character);

bool is_space(u32 code);       // str.isspace
bool is_identifier(u32 code);  // \w, approximately beyond ASCII
bool is_letter(u32 code);      // str.isalpha, approximately beyond ASCII
u32 to_lower(u32 code);        // ASCII, Latin-1, Greek and Cyrillic
u32 to_upper(u32 code);

}  // namespace steelyard::wire::jinja
