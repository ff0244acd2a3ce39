// Compressed files: zlib, gzip, bzip2, xz, LZMA, LZ4 and Zstandard around anything.
//
// joblib and pandas read pickles out of all of them by content, whatever the name; tar archives and
// single weights come like this too. Specs and attacks: wire/unpack.hpp. Tested by data/rules/ARC/,
// tests/unit/unpack_test.cpp, tests/oracle/archives_test.py; fuzzed.

#include <array>

#include "base/text.hpp"
#include "formats/detail/members.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

// zlib's two bytes and the header of .lzma are no magic numbers: something must come out.
bool unpacks(const Sniff& sniff, wire::Packing packing) {
  wire::UnpackBudget budget{.fuel = 64 * 1024};
  const SliceSource beginning(sniff.source, 0, 4096);
  const wire::Unpacked content(beginning, 0, beginning.size(), packing, budget);
  return content.ended() == wire::Unpacked::End::complete || content.size() > 0;
}

int sniff(const Sniff& sniff) {
  const auto packing = wire::recognise_packing(sniff.head);
  if (!packing) return 0;
  if (*packing == wire::Packing::zlib || *packing == wire::Packing::lzma) return unpacks(sniff, *packing) ? 60 : 0;
  return 85;
}

// "model.pkl.gz" -> "model.pkl"
std::string inner_name(std::string_view name) {
  static constexpr std::array<std::string_view, 9> kEndings = {".gz",  ".bz2",  ".xz", ".lzma", ".lz4",
                                                               ".zst", ".zlib", ".z",  ".tgz"};
  for (const std::string_view ending : kEndings) {
    if (text::lower(name).ends_with(ending)) return std::string(name.substr(0, name.size() - ending.size()));
  }
  return name.empty() ? "content" : std::string(name);
}

void parse(Item& item) {
  std::array<std::byte, 16> head{};
  const std::size_t length = item.source().read(0, head);
  const auto packing = wire::recognise_packing(Bytes(head).first(length));
  if (!packing) return;
  const std::string name = inner_name(item.name());
  const Range all{0, item.size()};
  const u64 used = examine_packed(
      item,
      {.name = name, .range = all, .packing = *packing, .single = false, .size = {}, .checksum = {}, .loader = {}});
  const bool whole = item.coverage().gaps.empty();
  item.coverage().examined = item.size();
  if (!whole) item.coverage().examined = 0;
  if (!whole || used >= item.size()) return;
  const Range rest{used, item.size()};
  item.report().add("ARC003", rest,
                    json::Value().set("name", text::to_value(name.substr(0, 256))).set("bytes", rest.end - rest.begin));
  examine_stored(item, "bytes behind the stream", rest, {});
}

}  // namespace

extern const Format compressed_format;
const Format compressed_format{"compressed",
                               "compressed file: zlib, gzip, bzip2, xz, lzma, lz4, zstd",
                               "gz,bz2,xz,lzma,lz4,zst,z",
                               "RFC 1950 to 1952; bzip2; .xz; .lzma; LZ4 and Zstandard frames",
                               sniff,
                               parse};

}  // namespace steelyard::formats
