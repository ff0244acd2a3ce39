// Structure; what tarfile lists is compared with CPython's by tests/oracle/archives_test.py.

#include "wire/tar.hpp"

#include <gtest/gtest.h>

#include "recipe/recipe.hpp"

namespace steelyard::wire::tar {
namespace {

struct Built {
  std::vector<std::byte> bytes;
  Archive archive;
};

Built built(const std::string& text) {
  auto bytes = recipe::build(text);
  EXPECT_TRUE(bytes) << bytes.error().message;
  Archive archive = read(MemorySource(*bytes));
  return {std::move(*bytes), std::move(archive)};
}

std::string file(const std::string& words, const std::string& content = "hello") {
  return "file " + words + " {\ntext \"" + content + "\"\n}\n";
}

TEST(Tar, EveryByteOfAnOrdinaryArchiveIsClaimed) {
  for (const char* magic : {"ustar", "gnu", "old"}) {
    const Built tar = built("tar {\n" + file("a/b magic " + std::string(magic)) + "pax path \"a long name\" size 5\n" +
                            file("c") + file("d/ type 5", "") + file("e base256 1") + "}\nzeros 9216\n");
    EXPECT_EQ(tar.archive.claimed, tar.bytes.size()) << magic;
    EXPECT_TRUE(tar.archive.unclaimed.empty());
    EXPECT_TRUE(tar.archive.problem.empty());
    EXPECT_TRUE(tar.archive.ended);
    ASSERT_EQ(tar.archive.members.size(), 4U);
    EXPECT_EQ(tar.archive.members[0].name, "a/b");
    EXPECT_EQ(tar.archive.members[1].name, "a long name");
    EXPECT_EQ(tar.archive.members[1].data, (Range{2560, 2565}));
    EXPECT_EQ(tar.archive.members[3].size, 5U);
  }
}

TEST(Tar, WhatFollowsTheEndIsFound) {
  const Built tar = built("tar {\n" + file("a") + "}\ntar {\n" + file("b") + "}\ntext \"and more\"\n");
  ASSERT_EQ(tar.archive.members.size(), 2U);
  EXPECT_FALSE(tar.archive.members[0].behind_end);
  EXPECT_TRUE(tar.archive.members[1].behind_end);
  ASSERT_EQ(tar.archive.unclaimed.size(), 1U);
  EXPECT_EQ(tar.archive.unclaimed[0].end, tar.bytes.size());
}

TEST(Tar, ABrokenHeaderHidesNothing) {
  const Built tar = built("tar {\n" + file("a") + file("b checksum 1") + file("c") + "}\n");
  EXPECT_EQ(tar.archive.problem, "a header is invalid");
  EXPECT_EQ(tar.archive.problem_at, 1024U);
  ASSERT_EQ(tar.archive.members.size(), 2U);
  EXPECT_EQ(tar.archive.members[1].name, "c");
  EXPECT_TRUE(tar.archive.members[1].behind_end);
}

TEST(Tar, SizesThatContradictEachOther) {
  const Built pax = built("tar {\npax size 1024\n" + file("a size 5") + "zeros 512\n}\n");
  ASSERT_EQ(pax.archive.members.size(), 1U);
  EXPECT_TRUE(pax.archive.members[0].pax_size);
  EXPECT_EQ(pax.archive.members[0].size, 1024U);
  EXPECT_EQ(pax.archive.members[0].header_size, 5U);
  const Built link = built("tar {\n" + file("a type 2 link /etc/passwd size 512", "") + file("b") + "}\n");
  ASSERT_EQ(link.archive.members.size(), 2U);
  EXPECT_EQ(link.archive.members[0].link, "/etc/passwd");
  EXPECT_EQ(link.archive.members[0].size, 512U);
  EXPECT_FALSE(link.archive.members[0].has_content());
}

TEST(Tar, ImpossibleSizesEnd) {
  for (const char* options : {"size 77777777777 base256 1", "size 0x7fffffffffffffff base256 1", "size 8589934591"}) {
    const Built tar = built("tar {\n" + file(std::string("a ") + options) + "}\n");
    ASSERT_EQ(tar.archive.members.size(), 1U) << options;
    EXPECT_TRUE(tar.archive.members[0].cut);
    EXPECT_FALSE(tar.archive.problem.empty());
  }
}

TEST(Tar, EveryTruncationAndEveryByteEnds) {
  const auto bytes =
      recipe::build("tar {\npax path x size 3\n" + file("a", "abc") + file("b type L", "long\\0") + file("c") + "}\n");
  ASSERT_TRUE(bytes);
  const auto accounted = [](Bytes content) {
    const Archive archive = read(MemorySource(content));
    u64 bytes_seen = archive.claimed;
    for (const Range& range : archive.unclaimed) bytes_seen += range.end - range.begin;
    return bytes_seen;
  };
  for (std::size_t length = 0; length <= bytes->size(); ++length)
    EXPECT_EQ(accounted(Bytes(*bytes).first(length)), length);
  for (std::size_t at = 0; at < bytes->size(); ++at) {
    auto changed = *bytes;
    changed[at] ^= std::byte{0x35};
    EXPECT_EQ(accounted(changed), changed.size()) << at;
  }
}

TEST(Tar, ChainsOfExtendedHeadersAreBounded) {
  const Built tar = built("tar {\nrepeat 300 {\npax path x\n}\n" + file("a") + "}\n");
  EXPECT_TRUE(tar.archive.limited);
}

TEST(Tar, OnlyAnArchiveBeginsLikeOne) {
  EXPECT_TRUE(begins_archive(MemorySource(built("tar {\n" + file("a") + "}\n").bytes)));
  EXPECT_TRUE(begins_archive(MemorySource(built("tar {\n" + file("a magic old") + "}\n").bytes)));
  EXPECT_FALSE(begins_archive(MemorySource(built("zeros 2048\n").bytes)));
  EXPECT_FALSE(begins_archive(MemorySource(built("fill 65 2048\n").bytes)));
}

}  // namespace
}  // namespace steelyard::wire::tar
