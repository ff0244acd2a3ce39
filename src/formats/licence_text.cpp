// LICENSE files: which of the well-known licences a text is, by sentences that only it has
// (data/licences/). The fact is a claim: that the text lies there says what its uploader says.
//
// Attack resisted: a permissive tag on the card above the text of a restrictive licence (identity compares
// them). Tested by tests/unit/licence_test.cpp; fuzzed.

#include <algorithm>

#include "base/text.hpp"
#include "formats/detail/licences.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kLargest = u64{512} << 10;

void parse(Item& item) {
  const auto broken = check_whole_text(item);
  item.coverage().examined = broken.value_or(item.size());
  if (broken)
    item.coverage().gaps.push_back({{*broken, item.size()}, "it begins as text and goes on as something else"});
  const std::string text = read_text(item.source(), kLargest);
  for (const std::string& id : licences_in(text))
    item.report().fact("identity.licence", id, Range{0, item.size()}, Assurance::claimed);
}

int sniff(const Sniff& sniff) {
  const std::string name = text::lower(sniff.name);
  const bool named = name.starts_with("license") || name.starts_with("licence") || name.starts_with("copying") ||
                     name.ends_with("license") || name.ends_with("license.txt") || name.ends_with("license.md") ||
                     name.starts_with("unlicense");
  const bool code = name.ends_with(".py") || name.ends_with(".json") || name.ends_with(".sh");
  return named && !code && looks_like_text(as_text(sniff.head)) ? 42 : 0;
}

}  // namespace

extern const Format licence_text_format;
const Format licence_text_format{"licence_text", "text of a licence", "LICENSE,COPYING", "SPDX licence list", sniff,
                                 parse};

}  // namespace steelyard::formats
