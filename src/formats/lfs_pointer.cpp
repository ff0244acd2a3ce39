// Git LFS pointers: what a clone without LFS holds instead of the large files.
//
// Spec: git-lfs docs/spec.md. The weights are not here, so nothing was examined.
// Tested by data/rules/REP/REP009.toml; fuzzed.

#include <array>
#include <charconv>

#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr std::string_view kBegin = "version https://git-lfs.github.com/spec/v1\n";
constexpr u64 kLargest = 1024;

std::string_view value_of(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + key.size());
  return rest.substr(0, rest.find('\n'));
}

void parse(Item& item) {
  const std::string text = read_text(item.source(), kLargest);
  const std::string_view digest = value_of(text, "oid sha256:");
  const std::string_view size = value_of(text, "size ");
  u64 bytes = 0;
  std::from_chars(size.data(), size.data() + size.size(), bytes);
  if (digest.size() == 64 && digest.find_first_not_of("0123456789abcdef") == std::string_view::npos)
    item.report().fact("repo.pointer", json::Value().set("sha256", digest).set("bytes", bytes), Range{0, item.size()},
                       Assurance::claimed);
  item.report().add("REP009", Range{0, item.size()}, json::Value().set("bytes", bytes));
  item.coverage().gaps.push_back({{0, item.size()}, "the content that the pointer stands for is not here"});
}

int sniff(const Sniff& sniff) { return sniff.size() <= kLargest && as_text(sniff.head).starts_with(kBegin) ? 90 : 0; }

}  // namespace

extern const Format lfs_pointer_format;
const Format lfs_pointer_format{"lfs_pointer", "Git LFS pointer", "", "git-lfs docs/spec.md", sniff, parse};

}  // namespace steelyard::formats
