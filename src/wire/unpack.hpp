// Unpacked: the plain bytes of a compressed stream, as a Source.
//
// Specs: RFC 1950 to 1952 (zlib, deflate, gzip), bzip2 1.0.8, the .xz and .lzma file formats, LZMA in
// zip (APPNOTE 5.8), the LZ4 and Zstandard frame formats. Concatenated streams are one content, as
// Python's and the command line's readers have it; a checksum that doesn't match is reported and what
// came before it is kept, because a reader that streams has used it by then.
//
// Attacks resisted: bombs (output and input are taken off a fuel that all streams of a file share),
// dictionaries of gigabytes, content that is read back and forth (starting again costs fuel too).
// Content up to kKept stays in memory; of more only a window does. Not thread-safe.
// Tested by tests/unit/unpack_test.cpp and, against CPython's modules, tests/oracle/archives_test.py.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/source.hpp"

namespace steelyard::wire {

enum class Packing : u8 { deflate, zlib, gzip, bzip2, xz, lzma, zip_lzma, lz4, zstd };

std::string_view to_string(Packing packing);
// What the first bytes begin: the kinds that have a magic number, zlib and .lzma by plausible headers.
std::optional<Packing> recognise_packing(Bytes head);

u32 crc32(u32 so_far, Bytes bytes);

// What the streams of one file may still cost, all nested ones together.
struct UnpackBudget {
  u64 fuel = 0;                        // bytes, weighted by how slow a method is
  u64 memory = u64{36} * 1024 * 1024;  // that contents and dictionaries may hold at one time
};

class Unpacked final : public Source {
 public:
  static constexpr u64 kKept = u64{4} * 1024 * 1024;

  enum class End {
    complete,
    truncated,  // the packed bytes end within the stream
    damaged,    // why() says how
    fuel,       // there is more; the budget was spent
    memory,     // there is more; it needs a dictionary beyond the budget
  };

  // Unpacks [begin, end) of `packed` once. `single`: one stream, as in a zip member; bytes behind it
  // are trailing. `packed` and `budget` must outlive this.
  Unpacked(const Source& packed, u64 begin, u64 end, Packing packing, UnpackBudget& budget, bool single = false);
  ~Unpacked() override;

  u64 size() const override { return size_; }
  std::size_t read(u64 offset, std::span<std::byte> out) const override;

  End ended() const { return end_; }
  const std::string& why() const { return why_; }
  // Packed bytes that belong to streams, from `begin`.
  u64 consumed() const { return consumed_; }
  u64 streams() const { return streams_; }
  u32 crc32() const { return crc32_; }  // of the content, if `single`

 private:
  class Reader;

  u64 size_ = 0;
  End end_ = End::complete;
  std::string why_;
  u64 consumed_ = 0;
  u64 streams_ = 0;
  u32 crc32_ = 0;
  std::vector<std::byte> kept_;
  UnpackBudget& budget_;
  u64 reserved_ = 0;
  std::unique_ptr<Reader> reader_;  // unless the content is kept
};

}  // namespace steelyard::wire
