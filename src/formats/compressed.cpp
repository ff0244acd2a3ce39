// Compressed files: zlib, gzip, bzip2, xz, LZMA, LZ4 and Zstandard around anything.
//
// joblib and pandas read pickles out of all of them by content, whatever the name; tar archives and
// single weights come like this too. Specs and attacks: wire/unpack.hpp. Tested by data/rules/ARC/,
// tests/unit/unpack_test.cpp, tests/oracle/archives_test.py; fuzzed.

#include <array>
#include <charconv>

#include "base/text.hpp"
#include "formats/detail/members.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

struct Start {
  wire::Packing packing = wire::Packing::zlib;
  u64 at = 0;
  bool single = false;
  std::optional<u64> size;
};

// joblib before 0.10: "ZF", the size in hexadecimal in 19 characters, perhaps a space, one zlib stream.
std::optional<Start> zfile(std::string_view head) {
  constexpr std::size_t kHeader = 21;
  if (!head.starts_with("ZF0x") || head.size() <= kHeader) return std::nullopt;
  Start start{
      .packing = wire::Packing::zlib, .at = head[kHeader] == ' ' ? kHeader + 1 : kHeader, .single = true, .size = {}};
  u64 size = 0;
  const char* end = head.data() + kHeader;
  if (std::from_chars(head.data() + 4, end, size, 16).ptr == head.data() + 4) return std::nullopt;
  start.size = size;
  return start;
}

std::optional<Start> recognise_start(Bytes head) {
  if (const auto packing = wire::recognise_packing(head))
    return Start{.packing = *packing, .at = 0, .single = false, .size = {}};
  return zfile(as_text(head));
}

// zlib's two bytes and the header of .lzma are no magic numbers: something must come out.
bool unpacks(const Sniff& sniff, wire::Packing packing) {
  wire::UnpackBudget budget{.fuel = 64 * 1024};
  const SliceSource beginning(sniff.source, 0, 4096);
  const wire::Unpacked content(beginning, 0, beginning.size(), packing, budget);
  return content.ended() == wire::Unpacked::End::complete || content.size() > 0;
}

int sniff(const Sniff& sniff) {
  const auto start = recognise_start(sniff.head);
  if (!start) return 0;
  const bool weak = start->at == 0 && (start->packing == wire::Packing::zlib || start->packing == wire::Packing::lzma);
  return !weak ? 85 : unpacks(sniff, start->packing) ? 60 : 0;
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
  std::array<std::byte, 32> head{};
  const std::size_t length = item.source().read(0, head);
  const auto start = recognise_start(Bytes(head).first(length));
  if (!start) {
    item.coverage().gaps.push_back({{0, item.size()}, "no compressed stream begins here"});
    return;
  }
  const std::string name = inner_name(item.name());
  const u64 used = start->at + examine_packed(item, {.name = name,
                                                     .range = {start->at, item.size()},
                                                     .packing = start->packing,
                                                     .single = start->single,
                                                     .size = start->size,
                                                     .checksum = {},
                                                     .loader = {}});
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
