// What the rules' examples can't show: facts, records that only one reader has, truncation.

#include <gtest/gtest.h>

#include <algorithm>

#include "formats/format.hpp"
#include "recipe/recipe.hpp"

namespace steelyard::formats {
namespace {

const std::string kPickle =
    "hex 8002\ntext \"(X\\x07\\0\\0\\0storage\"\ntext \"ctorch\\nHalfStorage\\n\"\ntext "
    "\"X\\x01\\0\\0\\00X\\x03\\0\\0\\0cpuM\"\nu16 16\ntext \"tQ.\"\n";
const std::string kRecords = "member archive/data.pkl stored align 64 flags 8 {\n" + kPickle +
                             "}\nmember archive/data/0 stored align 64 flags 8 {\nzeros 32\n}\n" +
                             "member archive/version stored flags 8 {\ntext \"3\\n\"\n}\n";

std::vector<std::byte> built(const std::string& text) {
  auto bytes = recipe::build(text);
  EXPECT_TRUE(bytes) << bytes.error().message;
  return std::move(*bytes);
}

bool fires(const Examination& found, std::string_view rule) {
  return std::ranges::any_of(found.findings, [&](const Finding& finding) { return finding.rule == rule; });
}

TEST(PyTorch, FactsAndCoverage) {
  const auto bytes = built("zip {\n" + kRecords + "}\n");
  const Examination found = examine(MemorySource(bytes), "model.pt");
  EXPECT_EQ(found.artifacts[0].format, "pytorch");
  EXPECT_EQ(found.fact("model.format")->value, json::Value("PyTorch"));
  EXPECT_EQ(found.fact("model.parameters")->value, json::Value(16));
  EXPECT_EQ(found.fact("model.tensor_bytes")->value, json::Value(32));
  EXPECT_EQ(found.coverage[0].examined, bytes.size());
  ASSERT_EQ(found.artifacts.size(), 2U) << "the pickle; storages and words are claimed";
  EXPECT_EQ(found.artifacts[1].path, "archive/data.pkl");
}

TEST(PyTorch, ThePickleThatOnlyPyTorchSeesIsExamined) {
  // zipfile gives data.pkl; PyTorch's search doesn't look at case.
  const auto bytes = built("zip {\n" + kRecords +
                           "member archive/DATA.PKL stored {\nhex 80027d71002e\n}\nmember archive/x stored {\n}\n}\n");
  const Examination found = examine(MemorySource(bytes), "model.pt");
  EXPECT_TRUE(fires(found, "ARC010"));
  EXPECT_TRUE(std::ranges::any_of(found.artifacts, [](const Artifact& a) { return a.path == "archive/DATA.PKL"; }));
}

TEST(PyTorch, ABadChecksumOrFlagHidesNothing) {
  for (const char* options : {"crc 5", "local-flags 1", "local-name archive/data.pk1"}) {
    std::string records = kRecords;
    records.replace(records.find("align 64 flags 8"), 16, options);
    const Examination found = examine(MemorySource(built("zip {\n" + records + "}\n")), "model.pt");
    EXPECT_EQ(found.artifacts[0].format, "pytorch") << options;
    EXPECT_TRUE(std::ranges::any_of(found.artifacts, [](const Artifact& a) { return a.path == "archive/data.pkl"; }))
        << options;
    EXPECT_FALSE(found.findings.empty()) << options;
  }
}

TEST(PyTorch, EveryTruncationEnds) {
  const std::string legacy = "hex 80028a0a6cfc9c46f9206aa850192e\nhex 80024de9032e\nhex 80027d71002e\n" + kPickle +
                             "hex 80025d7100\ntext \"X\\x01\\0\\0\\00a.\"\nu64 16\nzeros 32\n";
  for (const std::string& text : {"zip {\n" + kRecords + "}\n", legacy}) {
    const auto bytes = built(text);
    const Examination whole = examine(MemorySource(bytes), "model.pt");
    EXPECT_FALSE(fires(whole, "PTH005"));
    for (std::size_t length = 1; length < bytes.size(); ++length) {
      const Examination found = examine(MemorySource(Bytes(bytes).first(length)), "model.pt");
      const bool seen = !found.findings.empty() ||
                        std::ranges::any_of(found.coverage, [](const Coverage& c) { return !c.gaps.empty(); });
      EXPECT_TRUE(seen) << length;
      for (const Coverage& coverage : found.coverage) EXPECT_LE(coverage.examined, coverage.bytes) << length;
    }
  }
}

}  // namespace
}  // namespace steelyard::formats
