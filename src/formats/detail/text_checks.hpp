// What a text may hide, whatever its format: characters that nobody sees, credentials, and whether it is
// text at all.
//
// Attack resisted: instructions smuggled in tag characters or runs of zero-width ones (models read
// them, people don't), bidirectional overrides that show code in another order than it runs
// (CVE-2021-42574). Characters that writing needs (joiners in emoji, Persian or Indic scripts, marks of
// right-to-left text, flags of regions) are not hidden ones. Pure; thread-safe.
// Tested by tests/unit/text_checks_test.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "formats/item.hpp"

namespace steelyard::formats {

struct HiddenText {
  enum class Kind { smuggled, bidi, invisible };
  Kind kind;
  std::size_t begin;  // in the text
  std::size_t end;
};
// The first place of each kind.
std::vector<HiddenText> hidden_text(std::string_view text);

struct Credential {
  std::string_view what;  // "a private key"
  std::size_t begin;
};
// At most 16. Placeholders (repeated characters, EXAMPLE) don't count.
std::vector<Credential> credentials(std::string_view text);

// Reports both as TXT001 to TXT003 and SEC001, for a text at `offset` of the item's content.
// `where` names it: "the template", "README.md".
void check_text(std::string_view text, u64 offset, std::string_view where, Reporter& report);

// Reads the item as text, in overlapping windows, and checks it. Returns the offset of the first byte
// that is no UTF-8 text, or nothing.
std::optional<u64> check_whole_text(Item& item);

// The item's content as one text, at most `most` bytes.
std::string read_text(const Source& source, u64 most);

// Both: checks the whole item and returns its first `most` bytes, which are what counts as examined.
std::string checked_text(Item& item, u64 most);

// Whether `head` is text: UTF-8 without control characters, at least to its last character.
bool looks_like_text(std::string_view head);

}  // namespace steelyard::formats
