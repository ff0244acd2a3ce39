#include "base/cursor.hpp"

#include <gtest/gtest.h>

#include "base/checked.hpp"
#include "base/environment.hpp"

namespace steelyard {
namespace {

TEST(Cursor, ReadsBothByteOrders) {
  const MemorySource source(as_bytes({"\x01\x02\x03\x04\x05\x06\x07\x08", 8}));
  EXPECT_EQ(Cursor(source).read<u32>("n"), 0x04030201u);
  EXPECT_EQ(Cursor(source, 0, 8, std::endian::big).read<u64>("n"), 0x0102030405060708u);
}

TEST(Cursor, FirstFaultSticksWithItsPlace) {
  const MemorySource source(as_bytes("abcdef"));
  Cursor cursor(source, 2, 6);
  EXPECT_EQ(cursor.text(2, 100, "name"), "cd");
  EXPECT_EQ(cursor.read<u32>("count"), 0u);
  EXPECT_EQ(cursor.read<u8>("next"), 0u);
  ASSERT_FALSE(cursor.ok());
  EXPECT_EQ(to_string(*cursor.fault()), "count at 0x4: 4 bytes wanted, 2 available");
  EXPECT_EQ(cursor.offset(), 4u);
}

TEST(Cursor, ReadingUpToTheLimitIsFine) {
  const MemorySource source(as_bytes("abcd"));
  Cursor cursor(source);
  EXPECT_TRUE(cursor.skip(4, "all"));
  EXPECT_EQ(cursor.remaining(), 0u);
  EXPECT_TRUE(cursor.ok());
  EXPECT_FALSE(cursor.skip(1, "more"));
}

TEST(Cursor, HugeLengthsNeitherWrapNorAllocate) {
  const MemorySource source(as_bytes("abcd"));
  Cursor cursor(source, 1, 4);
  EXPECT_EQ(cursor.text(UINT64_MAX, UINT64_MAX, "name"), "");
  EXPECT_EQ(cursor.fault()->wanted, UINT64_MAX);
  Cursor skipping(source, 1, 4);
  EXPECT_FALSE(skipping.skip(UINT64_MAX - 1, "gap"));
}

// A file that shrank after it was opened: the size promises more than can be read.
class Shrunk final : public Source {
 public:
  u64 size() const override { return 100; }
  std::size_t read(u64 offset, std::span<std::byte> out) const override {
    return offset < 10 ? std::min<std::size_t>(out.size(), 10 - static_cast<std::size_t>(offset)) : 0;
  }
};

TEST(Cursor, ShrunkFileIsAFaultNotALoop) {
  const Shrunk source;
  Cursor cursor(source);
  EXPECT_EQ(cursor.text(50, 100, "body"), "");
  EXPECT_NE(to_string(*cursor.fault()).find("could not be read"), std::string::npos);
}

TEST(Checked, OverflowIsAValue) {
  EXPECT_EQ(checked_mul(u64{1} << 32, u64{1} << 32), std::nullopt);
  EXPECT_EQ(checked_align(UINT64_MAX, 32), std::nullopt);
  EXPECT_EQ(checked_align(33, 32), 64u);
  EXPECT_EQ(checked_align(64, 32), 64u);
}

TEST(Time, RoundTripAndRejection) {
  EXPECT_EQ(format_time(1795515148), "2026-11-24T10:12:28Z");
  EXPECT_EQ(parse_time("2026-11-24T10:12:28Z"), 1795515148);
  for (const char* bad : {"2026-13-24T10:12:28Z", "2026-11-24 10:12:28Z", "2026-11-24T25:12:28Z", "", "now"})
    EXPECT_EQ(parse_time(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace steelyard
