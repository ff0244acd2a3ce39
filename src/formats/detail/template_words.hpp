// What a piece of a template says: how much natural language it holds, whether it instructs, whether it hides
// something.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::formats::chat {

// Words of natural language, without markers (<|im_start|>, [INST]) and the words that mark roles.
std::size_t words(std::string_view text);

// The longest row of words that only spaces and commas part.
std::size_t phrase(std::string_view text);

// Why a text looks like an instruction that nobody should find in a template: "hides something from the user"; "" for
// none.
std::string_view instructs(std::string_view text);
// A link, an address or a command that leads out: "a link", "a command"; "" for none.
std::string_view leads_out(std::string_view text);
// A long row of letters and digits without spaces: Base64, hexadecimal.
bool encoded(std::string_view text);

// A character that is there but not seen: "U+202E"; "" for none.
std::string hidden_character(std::string_view text);
// A word whose letters are of two scripts that look alike: the word, or "".
std::string look_alike(std::string_view text);

// Every marker a line break.
std::string without_markers(std::string_view text);

// Built like a marker (<think>, /no_think, [TOOL]), not like a word that people write.
bool is_marker(std::string_view text);

// One line, cut.
std::string excerpt(std::string_view text, std::size_t bytes = 160);

}  // namespace steelyard::formats::chat
