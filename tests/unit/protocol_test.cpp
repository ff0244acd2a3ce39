#include "scan/protocol.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "evidence/record.hpp"

namespace steelyard::scan {
namespace {

Examination sample() {
  Examination found;
  found.artifacts.push_back({std::nullopt, 0, "", "gguf", {0, 100}, {}, 100});
  found.artifacts.push_back({0, 0, "member", "gguf", {10, 20}, {}, 10});
  found.facts.push_back({"model.parameters", json::Value().set("a", json::Array{1, "x", true, nullptr, -5}), 0,
                         Range{0, 8}, Assurance::verified});
  found.facts.push_back({"identity.maker", "Ünïcode", std::nullopt, std::nullopt, Assurance::claimed});
  found.findings.push_back({"GGF001", Severity::high, 0, Range{8, 12}, json::Value().set("fault", "x")});
  found.coverage.push_back({0, 100, 90, {{{90, 100}, "trailing"}}});
  found.coverage.push_back({1, 10, 10, {}});
  return found;
}

std::vector<std::byte> encoded(const Examination& found, u32 item = 0) {
  std::vector<std::byte> out;
  encode(item, found, [&](Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); });
  return out;
}

const std::vector<u64> kSizes = {100};

std::string shown(Examination found) {
  evidence::Record record;
  for (auto& artifact : found.artifacts) artifact.subject = 0;
  record.subjects.push_back({"file", "x", "", 100});
  record.found = std::move(found);
  return json::canonical(evidence::statement(record));
}

TEST(Protocol, RoundTrip) {
  const Decoded decoded = decode(encoded(sample()), kSizes);
  ASSERT_TRUE(decoded.items[0]) << decoded.faults.at(0);
  EXPECT_EQ(shown(*decoded.items[0]), shown(sample()));
}

struct Lie {
  const char* what;
  std::function<void(Examination&)> tell;
};
class Protocol : public testing::TestWithParam<int> {};

const std::vector<Lie>& lies() {
  static const std::vector<Lie> all = {
      {"a rule that doesn't exist", [](auto& f) { f.findings[0].rule = "XXX999"; }},
      {"a range behind the file", [](auto& f) { f.findings[0].at = Range{0, 101}; }},
      {"a range that runs backwards", [](auto& f) { f.facts[0].at = Range{9, 8}; }},
      {"an artifact that isn't there", [](auto& f) { f.findings[0].artifact = 2; }},
      {"a member of another size than its range", [](auto& f) { f.artifacts[1].bytes = 11; }},
      {"a member outside the file", [](auto& f) { f.artifacts[1].range = {95, 105}; }},
      {"a file that is encoded", [](auto& f) { f.artifacts[0].encoding = "gzip"; }},
      {"an encoding that is no word", [](auto& f) { f.artifacts[1].encoding = "g zip"; }},
      {"coverage of another size", [](auto& f) { f.coverage[0].bytes = 99; }},
      {"more examined than there is", [](auto& f) { f.coverage[0].examined = 101; }},
      {"unexamined bytes without a gap", [](auto& f) { f.coverage[0].gaps.clear(); }},
      {"no coverage", [](auto& f) { f.coverage.clear(); }},
      {"no artifact",
       [](auto& f) {
         f.artifacts.clear();
         f.facts.clear();
         f.findings.clear();
         f.coverage.clear();
       }},
      {"a first artifact that is not the file",
       [](auto& f) {
         f.artifacts[0].range = {0, 50};
         f.coverage[0].bytes = 50;
         f.coverage[0].examined = 50;
         f.coverage[0].gaps.clear();
       }},
      {"a second root", [](auto& f) { f.artifacts[1].parent.reset(); }},
      {"a path for the file itself", [](auto& f) { f.artifacts[0].path = "other"; }},
      {"a key that isn't one", [](auto& f) { f.facts[0].key = "Model Parameters"; }},
      {"a text that isn't UTF-8", [](auto& f) { f.facts[1].value = "\xff"; }},
      {"a value nested too deeply",
       [](auto& f) {
         json::Value v = 1;
         for (int i = 0; i < 8; ++i) v = json::Value().push(v);
         f.facts[0].value = json::Value().push(v);
         f.facts[0].key = "Deep";
       }},
      {"data that aren't an object", [](auto& f) { f.findings[0].data = 1; }},
      {"a member twice", [](auto& f) { f.findings[0].data = json::Value().set("a", 1).set("a", 2); }},
  };
  return all;
}

TEST_P(Protocol, LiesAreRefused) {
  const Lie& lie = lies()[static_cast<std::size_t>(GetParam())];
  Examination found = sample();
  lie.tell(found);
  const Decoded decoded = decode(encoded(found), kSizes);
  EXPECT_FALSE(decoded.items[0]) << lie.what;
  EXPECT_FALSE(decoded.faults.empty()) << lie.what;
}
INSTANTIATE_TEST_SUITE_P(All, Protocol, testing::Range(0, static_cast<int>(lies().size())));

TEST(Protocol, SeverityIsTheCataloguesNotTheWorkers) {
  Examination found = sample();
  found.findings[0].severity = Severity::info;
  EXPECT_EQ(decode(encoded(found), kSizes).items[0]->findings[0].severity, Severity::high);
}

TEST(Protocol, AssurancesBeyondTheFileAreRefused) {
  // The encoder can't write them, so the byte is changed: the last one before the findings' count.
  auto bytes = encoded(sample());
  int refused = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != static_cast<std::byte>(Assurance::claimed)) continue;
    auto forged = bytes;
    forged[i] = static_cast<std::byte>(Assurance::signed_by);
    const Decoded decoded = decode(forged, kSizes);
    if (!decoded.items[0]) {
      refused += decoded.faults[0].contains("may only verify") ? 1 : 0;
      continue;
    }
    for (const Fact& fact : decoded.items[0]->facts)
      EXPECT_TRUE(fact.assurance == Assurance::verified || fact.assurance == Assurance::claimed);
  }
  EXPECT_EQ(refused, 1);
}

TEST(Protocol, OneBadFrameLosesItsFileOnly) {
  const std::vector<u64> sizes = {100, 100, 100};
  Examination bad = sample();
  bad.findings[0].rule = "XXX999";
  std::vector<std::byte> stream;
  for (const auto& part : {encoded(sample(), 0), encoded(bad, 1), encoded(sample(), 2)})
    stream.insert(stream.end(), part.begin(), part.end());
  const Decoded decoded = decode(stream, sizes);
  EXPECT_TRUE(decoded.items[0]);
  EXPECT_FALSE(decoded.items[1]);
  EXPECT_TRUE(decoded.items[2]);
}

TEST(Protocol, SecondFramesAndForeignFilesAreRefused) {
  auto stream = encoded(sample(), 0);
  const auto again = stream;
  stream.insert(stream.end(), again.begin(), again.end());
  EXPECT_FALSE(decode(stream, kSizes).items[0]) << "which of two answers holds?";
  EXPECT_FALSE(decode(encoded(sample(), 7), kSizes).items[0]);
}

TEST(Protocol, MutationsNeverCrashNorBreakTheRules) {
  const auto bytes = encoded(sample());
  std::mt19937 random(3);
  int accepted = 0;
  for (int i = 0; i < 50'000; ++i) {
    auto mutated = bytes;
    for (unsigned k = 0; k < 1 + random() % 3; ++k)
      mutated[random() % mutated.size()] = static_cast<std::byte>(random());
    if (random() % 8 == 0) mutated.resize(random() % mutated.size());
    const Decoded decoded = decode(mutated, kSizes);
    if (!decoded.items[0]) continue;
    ++accepted;
    for (const Finding& finding : decoded.items[0]->findings) {
      EXPECT_EQ(finding.rule.size(), 6u);
      EXPECT_LE(finding.at.value_or(Range{}).end, 100u);
    }
  }
  EXPECT_GT(accepted, 0);
  EXPECT_LT(accepted, 40'000);
}

TEST(Protocol, CapsAreKept) {
  Examination found = sample();
  found.facts.resize(kMostFacts + 10, found.facts[1]);
  found.findings.resize(kMostFindings + 10, found.findings[0]);
  const Decoded decoded = decode(encoded(found), kSizes);
  ASSERT_TRUE(decoded.items[0]) << decoded.faults[0];
  EXPECT_EQ(decoded.items[0]->facts.size(), kMostFacts);
  EXPECT_EQ(decoded.items[0]->findings.size(), kMostFindings);
  EXPECT_FALSE(decoded.items[0]->complete) << "what was cut is said";
}

}  // namespace
}  // namespace steelyard::scan
