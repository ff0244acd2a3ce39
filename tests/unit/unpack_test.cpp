// Budgets, windows and what is said about how a stream ends. The contents themselves are compared with
// the reference libraries by tests/oracle/archives_test.py.

#include "wire/unpack.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "recipe/pack.hpp"

namespace steelyard::wire {
namespace {

constexpr std::array<Packing, 9> kAll = {Packing::deflate,  Packing::zlib, Packing::gzip,
                                         Packing::bzip2,    Packing::xz,   Packing::lzma,
                                         Packing::zip_lzma, Packing::lz4,  Packing::zstd};
constexpr std::array<Packing, 7> kWithMagic = {Packing::zlib, Packing::gzip, Packing::bzip2, Packing::xz,
                                               Packing::lzma, Packing::lz4,  Packing::zstd};

using Buffer = std::vector<std::byte>;

Buffer text(std::size_t bytes) {
  Buffer out;
  for (u64 i = 0; out.size() < bytes; ++i) {
    for (const char c : std::to_string(i * i)) out.push_back(static_cast<std::byte>(c));
  }
  out.resize(bytes);
  return out;
}

Buffer all(const Source& source) {
  Buffer out(static_cast<std::size_t>(source.size()));
  out.resize(source.read(0, out));
  return out;
}

UnpackBudget rich() { return {.fuel = u64{1} << 40}; }

TEST(Unpack, EveryKindIsRecognisedAndUnpacked) {
  for (const Packing packing : kAll) {
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{100'000}}) {
      const Buffer content = text(bytes);
      const Buffer packed = recipe::pack(to_string(packing), content);
      UnpackBudget budget = rich();
      {
        const MemorySource source(packed);
        const Unpacked unpacked(source, 0, packed.size(), packing, budget);
        EXPECT_EQ(unpacked.ended(), Unpacked::End::complete) << to_string(packing) << unpacked.why();
        EXPECT_EQ(all(unpacked), content) << to_string(packing);
        EXPECT_EQ(unpacked.consumed(), packed.size()) << to_string(packing);
        EXPECT_EQ(Unpacked(source, 0, packed.size(), packing, budget, true).crc32(), recipe::crc32(content));
        EXPECT_LT(budget.memory, UnpackBudget{}.memory + (bytes == 0 ? 1 : 0)) << "kept content counts";
      }
      EXPECT_EQ(budget.memory, UnpackBudget{}.memory) << "and is given back";
    }
  }
  for (const Packing packing : kWithMagic)
    EXPECT_EQ(recognise_packing(recipe::pack(to_string(packing), text(50))), packing) << to_string(packing);
  for (const std::string_view no :
       {"", "x", "PK\3\4aaaaaaaaaaaa", "\x80\4\x95zzzzzzzzzzzzzz", "GGUFaaaaaaaaaaaaa", "BZhello"})
    EXPECT_FALSE(recognise_packing(as_bytes(no))) << no;
}

TEST(Unpack, ConcatenatedStreamsAreOneContentAndTheRestIsTrailing) {
  for (const Packing packing : kWithMagic) {
    Buffer packed = recipe::pack(to_string(packing), text(1000));
    packed.insert(packed.end(), packed.begin(), packed.end());
    const std::size_t two = packed.size();
    for (const char c : std::string_view("\xff\xff trailing")) packed.push_back(static_cast<std::byte>(c));
    const MemorySource source(packed);
    UnpackBudget budget = rich();
    const Unpacked both(source, 0, packed.size(), packing, budget);
    EXPECT_EQ(both.size(), 2000U) << to_string(packing);
    EXPECT_EQ(both.streams(), 2U) << to_string(packing);
    EXPECT_EQ(both.consumed(), two) << to_string(packing);
    EXPECT_EQ(both.ended(), Unpacked::End::complete) << to_string(packing);
    const Unpacked single(source, 0, packed.size(), packing, budget, true);
    EXPECT_EQ(single.size(), 1000U) << to_string(packing);
    EXPECT_EQ(single.consumed(), two / 2) << to_string(packing);
  }
}

TEST(Unpack, LargeContentIsReadInAnyOrder) {
  const Buffer content = text(std::size_t{5} << 20);
  const Buffer packed = recipe::pack("gzip", content);
  const MemorySource source(packed);
  UnpackBudget budget = rich();
  const Unpacked unpacked(source, 0, packed.size(), Packing::gzip, budget);
  ASSERT_EQ(unpacked.size(), content.size());
  std::mt19937 random(3);
  Buffer part(10'000);
  for (int i = 0; i < 10; ++i) {
    const std::size_t offset = random() % content.size();
    const std::size_t count = unpacked.read(offset, part);
    ASSERT_EQ(count, std::min(part.size(), content.size() - offset));
    ASSERT_TRUE(std::equal(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(count),
                           content.begin() + static_cast<std::ptrdiff_t>(offset)));
  }
  EXPECT_EQ(unpacked.read(content.size(), part), 0U);
  EXPECT_EQ(unpacked.read(UINT64_MAX, part), 0U);
}

TEST(Unpack, EveryTruncationSaysSoAndKeepsWhatCameBefore) {
  const Buffer content = text(3000);
  for (const Packing packing : kAll) {
    const Buffer packed = recipe::pack(to_string(packing), content);
    for (std::size_t length = 0; length < packed.size(); ++length) {
      const MemorySource source(Bytes(packed).first(length));
      UnpackBudget budget = rich();
      const Unpacked unpacked(source, 0, length, packing, budget);
      EXPECT_EQ(unpacked.ended(), Unpacked::End::truncated) << to_string(packing) << " " << length << unpacked.why();
      const Buffer got = all(unpacked);
      ASSERT_LE(got.size(), content.size());
      EXPECT_TRUE(std::equal(got.begin(), got.end(), content.begin())) << to_string(packing);
    }
  }
}

TEST(Unpack, AWrongChecksumKeepsTheContent) {
  for (const Packing packing : {Packing::zlib, Packing::gzip, Packing::bzip2, Packing::xz, Packing::lz4}) {
    const Buffer content = text(3000);
    Buffer packed = recipe::pack(to_string(packing), content);
    const std::size_t at = packing == Packing::gzip ? packed.size() - 8
                           : packing == Packing::xz ? packed.size() - 36
                                                    : packed.size() - 1;
    packed[at] ^= std::byte{packing == Packing::bzip2 ? u8{0x80} : u8{1}};
    const MemorySource source(packed);
    UnpackBudget budget = rich();
    const Unpacked unpacked(source, 0, packed.size(), packing, budget);
    EXPECT_EQ(all(unpacked), content) << to_string(packing);
    EXPECT_TRUE(unpacked.ended() == Unpacked::End::damaged || packing == Packing::bzip2) << to_string(packing);
  }
}

TEST(Unpack, ABombEndsWhenTheFuelDoes) {
  const Buffer zeros(std::size_t{9} << 20);
  for (const Packing packing : kAll) {
    const Buffer packed = recipe::pack(to_string(packing), zeros);
    const MemorySource source(packed);
    UnpackBudget budget{.fuel = u64{4} << 20};
    const Unpacked unpacked(source, 0, packed.size(), packing, budget);
    EXPECT_EQ(unpacked.ended(), Unpacked::End::fuel) << to_string(packing);
    EXPECT_LE(unpacked.size(), (u64{4} << 20) + (64 << 10)) << to_string(packing);
    EXPECT_GE(unpacked.size(), u64{500} << 10) << to_string(packing);
    EXPECT_EQ(budget.fuel, 0U);
  }
}

TEST(Unpack, ThousandsOfEmptyStreamsCostFuelToo) {
  const Buffer one = recipe::pack("gzip", {});
  Buffer packed;
  for (int i = 0; i < 10'000; ++i) packed.insert(packed.end(), one.begin(), one.end());
  const MemorySource source(packed);
  UnpackBudget budget{.fuel = u64{8} << 20};
  const Unpacked unpacked(source, 0, packed.size(), Packing::gzip, budget);
  EXPECT_EQ(unpacked.ended(), Unpacked::End::fuel);
  EXPECT_LT(unpacked.streams(), 2100U);
}

TEST(Unpack, ReadingBackAndForthCostsFuel) {
  const Buffer packed = recipe::pack("deflate", Buffer(std::size_t{8} << 20));
  const MemorySource source(packed);
  UnpackBudget budget{.fuel = u64{40} << 20};
  const Unpacked unpacked(source, 0, packed.size(), Packing::deflate, budget);
  ASSERT_EQ(unpacked.size(), u64{8} << 20);
  Buffer byte(1);
  int read = 0;
  for (int i = 0; i < 8; ++i) read += unpacked.read(i % 2 == 0 ? unpacked.size() - 1 : 0, byte) == 1 ? 1 : 0;
  EXPECT_GE(read, 4);
  EXPECT_LT(read, 8);
}

TEST(Unpack, DictionariesAreBounded) {
  // Level 9 asks for a dictionary of 64 MiB, and the content would fill it.
  const Buffer packed = recipe::pack("xz", Buffer(std::size_t{40} << 20), 9);
  const MemorySource source(packed);
  UnpackBudget budget = rich();
  const Unpacked unpacked(source, 0, packed.size(), Packing::xz, budget);
  EXPECT_EQ(unpacked.ended(), Unpacked::End::memory);
  EXPECT_GT(unpacked.size(), u64{24} << 20);
  EXPECT_LT(unpacked.size(), u64{37} << 20);
  // A small content doesn't fill it.
  const Buffer small = recipe::pack("xz", text(100'000), 9);
  const MemorySource other(small);
  EXPECT_EQ(Unpacked(other, 0, small.size(), Packing::xz, budget).ended(), Unpacked::End::complete);
}

TEST(Unpack, OnlyTheRangeIsRead) {
  Buffer packed = recipe::pack("deflate", text(500));
  const std::size_t length = packed.size();
  packed.insert(packed.begin(), 7, std::byte{0xEE});
  packed.insert(packed.end(), 7, std::byte{0xEE});
  const MemorySource source(packed);
  UnpackBudget budget = rich();
  const Unpacked unpacked(source, 7, 7 + length, Packing::deflate, budget);
  EXPECT_EQ(all(unpacked), text(500));
  EXPECT_EQ(unpacked.consumed(), length);
  EXPECT_EQ(Unpacked(source, 1000, 2000, Packing::deflate, budget).ended(), Unpacked::End::truncated);
  EXPECT_EQ(Unpacked(source, 7, 3, Packing::deflate, budget).ended(), Unpacked::End::truncated);
}

}  // namespace
}  // namespace steelyard::wire
