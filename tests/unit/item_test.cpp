// Nested artifacts: their paths and places, and the budgets of a file as a whole.

#include "formats/item.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "formats/format.hpp"
#include "recipe/recipe.hpp"

namespace steelyard::formats {
namespace {

// A format of its own for this test: N members of 8 bytes, each a copy of the rest one level deeper.
void nest(Item& item) {
  for (u64 at = 0; at + 8 <= item.size(); at += 8) {
    const std::vector<std::byte> rest(static_cast<std::size_t>(item.size()), std::byte{0x80});
    (void)item.child(MemorySource(rest), {.name = "m", .range = {at, at + 8}, .encoding = "copy", .loader = {}});
    item.coverage().examined += 8;
  }
}

Examination with(void (*parse)(Item&), std::size_t bytes) {
  const std::vector<std::byte> content(bytes);
  const Format format{"nest", "", "", "", nullptr, parse};
  return examine_as(format, MemorySource(content), "file");
}

// A worker's answer with other bytes would be refused as a whole, findings and all.
TEST(Item, QuotedBytesAreEscapedWhereverTheyStand) {
  const auto quote = [](Item& item) {
    item.report().add("PKG001", std::nullopt,
                      json::Value().set("says", "a\xff").set("list", json::Array{"b\\\xfe", 1}).set("fine", "ü\\"));
    item.report().fact("x", "\xff", std::nullopt, Assurance::claimed);
  };
  const Examination found = with(quote, 1);
  EXPECT_EQ(json::compact(found.findings[0].data),
            R"({"says":{"escaped":"a\\xff"},"list":[{"escaped":"b\\\\\\xfe"},1],"fine":"ü\\"})");
  EXPECT_EQ(json::compact(found.facts[0].value), R"({"escaped":"\\xff"})");
}

TEST(Item, ChildIsDetectedAndHasItsPlace) {
  const auto model = recipe::build("zeros 3\ngguf 3 0 1\nkv_str general.architecture \"llama\"\n");
  ASSERT_TRUE(model);
  const Format outer{"outer", "", "", "", nullptr, [](Item& item) {
                       std::vector<std::byte> content(static_cast<std::size_t>(item.size() - 3));
                       item.source().read(3, content);
                       const auto index = item.child(
                           MemorySource(content),
                           {.name = "inner/model.gguf", .range = {3, item.size()}, .encoding = {}, .loader = {}});
                       EXPECT_EQ(index, 1U);
                       item.coverage().examined = item.size();
                     }};
  const Examination found = examine_as(outer, MemorySource(*model), "file.zip");
  ASSERT_EQ(found.artifacts.size(), 2U);
  EXPECT_EQ(found.artifacts[1].path, "inner/model.gguf");
  EXPECT_EQ(found.artifacts[1].format, "gguf");
  EXPECT_EQ(found.artifacts[1].bytes, model->size() - 3);
  ASSERT_NE(found.fact("model.architecture"), nullptr);
  EXPECT_EQ(found.fact("model.architecture")->artifact, 1U);
  ASSERT_EQ(found.coverage.size(), 2U);
  EXPECT_EQ(found.coverage[0].artifact, 0U);
  EXPECT_EQ(found.coverage[1].artifact, 1U);
}

TEST(Item, TheNumberOfMembersIsLimited) {
  const Examination found = with(nest, 8 * 3000);
  EXPECT_LE(found.artifacts.size(), 2049U);
  EXPECT_TRUE(std::ranges::any_of(found.findings, [](const Finding& f) { return f.rule == "LIM006"; }));
  EXPECT_FALSE(found.coverage[0].gaps.empty());
}

TEST(Item, DepthIsLimited) {
  struct Down {
    static void parse(Item& item) {
      static thread_local int left = 0;
      if (item.artifact() == 0) left = 100;
      const std::vector<std::byte> rest(8);
      const MemorySource source(rest);
      // Straight down, without detection: the budget is the item's.
      if (left-- > 0) {
        if (const auto child = item.child(source, {.name = "d", .range = {0, 0}, .encoding = "copy", .loader = {}})) {
          Item inner(const_cast<Examination&>(item.found()), item.fuel(), source, "d", *child, *child, {});
          parse(inner);
        }
      }
    }
  };
  const Examination found = with(Down::parse, 8);
  EXPECT_LE(found.artifacts.size(), 10U);
  EXPECT_TRUE(std::ranges::any_of(found.findings, [](const Finding& f) { return f.rule == "LIM006"; }));
}

TEST(Item, AFlatFileHasOneArtifactAndNoGap) {
  const Examination found = with([](Item& item) { item.coverage().examined = item.size(); }, 64);
  EXPECT_EQ(found.artifacts.size(), 1U);
  EXPECT_TRUE(found.findings.empty());
  EXPECT_TRUE(found.coverage[0].gaps.empty());
}

TEST(Item, FuelGrowsWithTheFile) {
  EXPECT_EQ(Fuel::for_file(0).unpacking.fuel, u64{256} << 20);
  EXPECT_EQ(Fuel::for_file(UINT64_MAX).unpacking.fuel, UINT64_MAX);
  EXPECT_GT(Fuel::for_file(u64{1} << 30).unpacking.fuel, u64{1} << 36);
}

}  // namespace
}  // namespace steelyard::formats
