// Structure: what is claimed, hidden, doubled and contradictory. What the two readers select is compared
// with the real ones by tests/oracle/archives_test.py.

#include "wire/zip.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "recipe/recipe.hpp"

namespace steelyard::wire::zip {
namespace {

struct Built {
  std::vector<std::byte> bytes;
  Archive archive;
};

Built built(const std::string& text) {
  auto bytes = recipe::build(text);
  EXPECT_TRUE(bytes) << bytes.error().message;
  const MemorySource source(*bytes);
  Archive archive = read(source);
  return {std::move(*bytes), std::move(archive)};
}

std::string member(const std::string& words, const std::string& content = "hello") {
  return "member " + words + " {\ntext \"" + content + "\"\n}\n";
}

TEST(Zip, EveryByteOfAnOrdinaryArchiveIsClaimed) {
  for (const char* method : {"stored", "deflated", "bzip2", "lzma", "stored flags 8", "deflated flags 8",
                             "stored align 64", "stored zip64 1"}) {
    const Built zip =
        built("zip comment \"a comment\" {\n" + member(std::string("a/b ") + method) + member("c stored", "") + "}\n");
    EXPECT_EQ(zip.archive.claimed, zip.bytes.size()) << method;
    EXPECT_TRUE(zip.archive.unclaimed.empty()) << method;
    EXPECT_TRUE(zip.archive.hidden.empty());
    EXPECT_TRUE(zip.archive.overlaps.empty());
    EXPECT_TRUE(zip.archive.mismatches.empty()) << method;
    EXPECT_TRUE(zip.archive.twins.empty());
    EXPECT_TRUE(zip.archive.why_not(Reader::zipfile).empty() && zip.archive.why_not(Reader::miniz).empty());
    EXPECT_EQ(zip.archive.entries.size(), 2U);
    EXPECT_EQ(zip.archive.declared_entries, 2U);
  }
}

TEST(Zip, OfEqualNamesMinizGivesWhatItsSearchMeets) {
  // Alone, the same one; with another member beside them, the first.
  const std::string twice = member("a/data.pkl stored", "first") + member("a/data.pkl stored", "other");
  const Built alone = built("zip {\n" + twice + "}\n");
  ASSERT_EQ(alone.archive.names.size(), 1U);
  EXPECT_FALSE(alone.archive.names[0].differs);
  EXPECT_EQ(alone.archive.twins.size(), 1U);
  const Built zip = built("zip {\n" + twice + member("a/version stored", "3") + "}\n");
  ASSERT_EQ(zip.archive.names.size(), 2U);
  const Name& name = zip.archive.names[0];
  EXPECT_TRUE(name.differs);
  EXPECT_EQ(zip.archive.pick(Reader::zipfile, name), 1U);
  EXPECT_EQ(zip.archive.pick(Reader::miniz, name), 0U);
  EXPECT_EQ(zip.archive.twins.size(), 1U);
}

TEST(Zip, NamesThatDifferInCaseAreOneToMiniz) {
  const Built zip =
      built("zip {\n" + member("a/data.pkl stored", "good") + member("a/DATA.PKL stored", "evil") + "}\n");
  EXPECT_EQ(zip.archive.twins.size(), 1U);
  EXPECT_EQ(std::ranges::count(zip.archive.names, true, &Name::differs), 1);
}

TEST(Zip, ANulEndsANameForOneReader) {
  const Built zip = built("zip {\n" + member("\"a/data.pkl\\0x\" stored") + "}\n");
  ASSERT_EQ(zip.archive.names.size(), 1U);
  EXPECT_EQ(zip.archive.names[0].name, "a/data.pkl");
  EXPECT_TRUE(zip.archive.names[0].differs);
  EXPECT_EQ(zip.archive.why_not(Reader::miniz, zip.archive.names[0]), "not found");
}

TEST(Zip, APrefixShiftsOneReaderOnly) {
  const Built zip = built("text \"#!/bin/sh\"\nzip {\n" + member("a stored") + "}\n");
  EXPECT_TRUE(zip.archive.why_not(Reader::zipfile).empty());
  EXPECT_FALSE(zip.archive.why_not(Reader::miniz).empty());
  ASSERT_EQ(zip.archive.unclaimed.size(), 1U);
  EXPECT_EQ(zip.archive.unclaimed[0], (Range{0, 9}));
  EXPECT_TRUE(zip.archive.names[0].differs);
}

TEST(Zip, UnlistedMembersAndGapsAreFound) {
  const Built zip = built("zip {\n" + member("a stored") + member("b deflated listed 0", "hidden") +
                          "text \"some gap\"\n" + member("c stored listed 0 flags 8 local-crc 0", "streamed") +
                          member("d stored") + "}\ntext \"trailing\"\n");
  ASSERT_EQ(zip.archive.hidden.size(), 2U);
  EXPECT_EQ(zip.archive.hidden[0].local.name, "b");
  EXPECT_EQ(zip.archive.hidden[1].local.name, "c");
  ASSERT_EQ(zip.archive.unclaimed.size(), 2U);
  EXPECT_EQ(zip.archive.unclaimed[0].end - zip.archive.unclaimed[0].begin, 8U);
  EXPECT_EQ(zip.archive.unclaimed[1].end, zip.bytes.size());
}

TEST(Zip, WithoutADirectoryTheMembersAreStillFound) {
  const Built zip = built("zip end 0 directory 0 {\n" + member("a stored") + member("b deflated") + "}\n");
  EXPECT_EQ(zip.archive.why_not(Reader::zipfile), "no end record");
  EXPECT_EQ(zip.archive.hidden.size(), 2U);
  EXPECT_EQ(zip.archive.claimed, zip.bytes.size());
}

TEST(Zip, ContradictionsOfTheTwoHeaders) {
  const Built zip =
      built("zip {\n" + member("a stored local-name b local-method 8 local-flags 1 local-crc 5 local-size 3") + "}\n");
  std::vector<std::string> fields;
  for (const Mismatch& one : zip.archive.mismatches) fields.push_back(one.field);
  EXPECT_EQ(fields, (std::vector<std::string>{"name", "method", "flags", "checksum", "size"}));
}

TEST(Zip, OverlapsAreFound) {
  const Built same =
      built("zip {\n" + member("a stored") + member("b stored local 0 offset 0 size 5 packed 5") + "}\n");
  EXPECT_EQ(same.archive.overlaps.size(), 1U);
  const Built wide = built("zip {\n" + member("a deflated packed 60 size 900") + member("b stored") + "}\n");
  EXPECT_EQ(wide.archive.overlaps.size(), 2U) << "the next member and the directory";
}

TEST(Zip, TheEntryCountCountsForMinizOnly) {
  const Built zip = built("zip entries 1 {\n" + member("a/x stored") + member("a/y stored") + "}\n");
  ASSERT_EQ(zip.archive.names.size(), 2U);
  EXPECT_FALSE(zip.archive.names[0].differs);
  EXPECT_TRUE(zip.archive.names[1].differs);
  EXPECT_EQ(zip.archive.why_not(Reader::miniz, zip.archive.names[1]), "not found");
}

TEST(Zip, EveryTruncationAndEveryByteValueEnds) {
  const auto bytes = recipe::build("zip {\n" + member("a deflated flags 8") + member("b stored zip64 1") + "}\n");
  ASSERT_TRUE(bytes);
  for (std::size_t length = 0; length <= bytes->size(); ++length) {
    const Archive archive = read(MemorySource(Bytes(*bytes).first(length)));
    EXPECT_LE(archive.claimed, length);
  }
  for (std::size_t at = 0; at < bytes->size(); ++at) {
    for (const u8 value : {u8{0}, u8{1}, u8{0x7F}, u8{0xFF}}) {
      auto changed = *bytes;
      changed[at] = std::byte{value};
      const Archive archive = read(MemorySource(changed));
      u64 unclaimed = 0;
      for (const Range& range : archive.unclaimed) unclaimed += range.end - range.begin;
      EXPECT_EQ(archive.claimed + unclaimed, changed.size()) << at << " " << int{value};
    }
  }
}

TEST(Zip, EntriesAreLimited) {
  const auto bytes = recipe::build("zip {\nrepeat 33000 {\nmember $i stored local 0 offset 0 {\n}\n}\n}\n");
  ASSERT_TRUE(bytes) << bytes.error().message;
  const Archive archive = read(MemorySource(*bytes));
  EXPECT_TRUE(archive.limited);
  EXPECT_LE(archive.entries.size(), kMostEntries);
}

}  // namespace
}  // namespace steelyard::wire::zip
