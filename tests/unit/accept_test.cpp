// What somebody accepted, and the ways in which it must not say more than that.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "accept/matcher.hpp"
#include "accept/pattern.hpp"
#include "base/environment.hpp"

namespace steelyard::accept {
namespace {

constexpr Layer kLayers[] = {Layer::model, Layer::infrastructure, Layer::integration};
const i64 kNow = *parse_time("2026-11-25T12:00:00Z");

evidence::Record record() {
  evidence::Record r;
  r.kind = "scan";
  r.subjects = {{"file", "a.gguf", std::string(64, 'a'), 10}, {"file", "sub/b.pt", std::string(64, 'b'), 20}};
  r.method = {"0.1.0", 1, "", "", json::Object{}, "", {}};
  r.found.artifacts = {{std::nullopt, 0, "a.gguf", "gguf", {0, 10}, {}, 10},
                       {std::nullopt, 1, "sub/b.pt", "zip", {0, 20}, {}, 20},
                       {1, 1, "sub/b.pt!data.pkl", "pickle", {5, 9}, "deflate", 40}};
  r.found.findings = {{"GGF004", Severity::high, 0, Range{1, 2}, json::Value().set("key", "k")},
                      {"IDN001", Severity::medium, 0, std::nullopt, json::Object{}},
                      {"GGF004", Severity::high, 2, Range{1, 2}, json::Value().set("key", "k")}};
  return r;
}

const std::array<std::filesystem::path, 2> kPaths = {"/work/models/a.gguf", "/work/models/sub/b.pt"};

std::vector<std::size_t> hits(std::vector<Ignore> ignores, std::optional<Baseline> baseline = {}, i64 now = kNow) {
  Matcher matcher(std::move(ignores), "/work", "steelyard.toml", std::move(baseline), now);
  std::vector<std::size_t> out;
  for (const Accepted& one : matcher.look(record(), kPaths))
    out.push_back(std::stoul(one.finding.substr(one.finding.rfind('/') + 1)));
  return out;
}

Ignore ignore(std::string rule, std::string artifact, std::string until = "2027-01-31") {
  return {std::move(rule), std::move(artifact), "known", std::move(until), 3};
}

using Hits = std::vector<std::size_t>;

TEST(Pattern, StarsStopAtSlashesAndDoubleStarsDoNot) {
  for (const auto& [pattern, path] : std::vector<std::pair<const char*, const char*>>{{"a", "a"},
                                                                                      {"*", "abc"},
                                                                                      {"*.gguf", "a.gguf"},
                                                                                      {"a/*/c", "a/b/c"},
                                                                                      {"**", "a/b/c"},
                                                                                      {"a/**", "a/b/c"},
                                                                                      {"a/**/c", "a/c"},
                                                                                      {"a/**/c", "a/b/b/c"},
                                                                                      {"**/c", "c"},
                                                                                      {"**/c", "a/b/c"},
                                                                                      {"a/", "a/b/c"},
                                                                                      {"a?c", "abc"},
                                                                                      {"a**c", "a/b/c"},
                                                                                      {"*a*", "bab"},
                                                                                      {"", ""},
                                                                                      {"**/*.pt", "x/y.pt"},
                                                                                      {"**/*.pt", "y.pt"}}) {
    EXPECT_TRUE(matches(pattern, path)) << pattern << " " << path;
  }
  for (const auto& [pattern, path] : std::vector<std::pair<const char*, const char*>>{{"a", "b"},
                                                                                      {"*", "a/b"},
                                                                                      {"a/*", "a/b/c"},
                                                                                      {"a?c", "a/c"},
                                                                                      {"a/", "a"},
                                                                                      {"a/", "ab/c"},
                                                                                      {"", "a"},
                                                                                      {"a", ""},
                                                                                      {"**/c", "ac"},
                                                                                      {"a/**/c", "ac"},
                                                                                      {"*.gguf", "x/a.gguf"},
                                                                                      {"a/**/c", "a/bc"},
                                                                                      {"models/", "other/models/x"}}) {
    EXPECT_FALSE(matches(pattern, path)) << pattern << " " << path;
  }
  const std::string stars(2000, '*');
  EXPECT_FALSE(matches("*a*a*a*a*a*a*a*a*b", std::string(4000, 'a')));
  EXPECT_TRUE(matches(stars, std::string(4000, 'a')));
}

TEST(Matcher, FilesGoByPlaceOrDigest) {
  EXPECT_EQ(hits({ignore("GGF004", "models/a.gguf")}), (Hits{0}));
  EXPECT_EQ(hits({ignore("GGF004", "/work/models/**")}), (Hits{0, 2}));
  EXPECT_EQ(hits({ignore("GGF004", "sha256:" + std::string(64, 'b'))}), (Hits{2}));
  EXPECT_EQ(hits({ignore("GGF004", "models/sub/b.pt!data.pkl")}), (Hits{2}));
  EXPECT_EQ(hits({ignore("GGF004", "models/sub/b.pt")}), (Hits{2}));
  // Not by the name that the record gives it, nor by a part of it.
  EXPECT_EQ(hits({ignore("GGF004", "a.gguf")}), Hits{});
  EXPECT_EQ(hits({ignore("GGF004", "models")}), Hits{});
  EXPECT_EQ(hits({ignore("GGF", "models/**")}), Hits{});
  EXPECT_EQ(hits({ignore("GGF004", "sha256:" + std::string(64, 'c'))}), Hits{});
}

TEST(Matcher, WithoutDigestNothingGoesByDigest) {
  evidence::Record blind = record();
  for (auto& subject : blind.subjects) subject.sha256.clear();
  Matcher matcher({ignore("GGF004", "sha256:")}, "/work", "steelyard.toml", std::nullopt, kNow);
  EXPECT_TRUE(matcher.look(blind, kPaths).empty());
  EXPECT_EQ(fingerprint(blind, blind.found.findings[0]), std::nullopt);
}

TEST(Matcher, AnEndIsKeptAndSeriousFindingsNeedOne) {
  EXPECT_EQ(hits({ignore("GGF004", "models/a.gguf", "2026-11-25")}), (Hits{0}));  // its last day
  EXPECT_EQ(hits({ignore("GGF004", "models/a.gguf", "2026-11-24")}), Hits{});
  EXPECT_EQ(hits({ignore("GGF004", "models/a.gguf", "")}), Hits{});
  EXPECT_EQ(hits({ignore("IDN001", "models/a.gguf", "")}), (Hits{1}));
}

std::vector<std::string> notes(const Ignore& one, std::span<const Layer> layers = kLayers) {
  Matcher matcher({one}, "/work", "steelyard.toml", std::nullopt, kNow);
  (void)matcher.look(record(), kPaths);
  return matcher.notes(layers);
}

TEST(Matcher, TellsOfIgnoresThatDoNothing) {
  EXPECT_TRUE(notes(ignore("GGF004", "models/a.gguf")).empty());
  EXPECT_EQ(notes(ignore("GGF005", "models/a.gguf")),
            std::vector<std::string>{
                "steelyard.toml:3: the ignore of GGF005 for models/a.gguf is unused: the rule doesn't fire there"});
  EXPECT_EQ(notes(ignore("GGF004", "models/x.gguf")),
            std::vector<std::string>{
                "steelyard.toml:3: the ignore of GGF004 for models/x.gguf is unused: nothing in this run matches it"});
  EXPECT_EQ(
      notes(ignore("GGF004", "models/a.gguf", "2026-01-31")),
      std::vector<std::string>{
          "steelyard.toml:3: the ignore of GGF004 for models/a.gguf ended on 2026-01-31: its finding counts again"});
  // About rules that this command doesn't apply there is nothing to tell.
  EXPECT_TRUE(notes(ignore("HST001", ""), std::span(kLayers).first(1)).empty());
}

TEST(Matcher, WhatIsNoFileGoesByItsName) {
  evidence::Record host;
  host.kind = "host";
  host.subjects = {{"host", "this machine", std::string(64, 'd'), 0}};
  host.found.findings = {{"HST001", Severity::high, std::nullopt, std::nullopt, json::Object{}}};
  Matcher any({ignore("HST001", "")}, "/work", "steelyard.toml", std::nullopt, kNow);
  EXPECT_EQ(any.look(host, {}, "this machine").size(), 1u);
  Matcher other({ignore("HST001", "mail-assistant")}, "/work", "steelyard.toml", std::nullopt, kNow);
  EXPECT_EQ(other.look(host, {}, "this machine").size(), 0u);
}

TEST(Baseline, HoldsForTheSameBytesOnly) {
  const auto text = write_baseline({record()}, "0.1.0", kNow, "at adoption", "2027-01-31");
  ASSERT_TRUE(text) << text.error().message;
  auto baseline = read_baseline(*text, "baseline.json");
  ASSERT_TRUE(baseline) << baseline.error().message;
  EXPECT_EQ(hits({}, *baseline), (Hits{0, 1, 2}));
  EXPECT_EQ(hits({}, *baseline, *parse_time("2027-02-01T00:00:00Z")), Hits{});

  const evidence::Record before = record();
  const std::string print = *fingerprint(before, before.found.findings[2]);
  evidence::Record moved = record();
  moved.subjects[1].path = "elsewhere.pt";
  moved.found.artifacts[2].path = "elsewhere.pt!data.pkl";
  EXPECT_EQ(fingerprint(moved, moved.found.findings[2]), print);
  for (auto change : {+[](evidence::Record& r) { r.subjects[1].sha256[0] = 'c'; },
                      +[](evidence::Record& r) { r.found.artifacts[2].path = "sub/b.pt!other.pkl"; },
                      +[](evidence::Record& r) { r.found.findings[2].rule = "GGF005"; },
                      +[](evidence::Record& r) { r.found.findings[2].at = Range{1, 3}; },
                      +[](evidence::Record& r) { r.found.findings[2].data = json::Value().set("key", "other"); }}) {
    evidence::Record changed = record();
    change(changed);
    EXPECT_NE(fingerprint(changed, changed.found.findings[2]), print);
  }
}

TEST(Baseline, NeedsAReasonAndForSeriousFindingsAnEnd) {
  EXPECT_FALSE(write_baseline({record()}, "0.1.0", kNow, "", "2027-01-31"));
  EXPECT_FALSE(write_baseline({record()}, "0.1.0", kNow, "why", ""));
  EXPECT_FALSE(write_baseline({record()}, "0.1.0", kNow, "why", "31.1.2027"));
  evidence::Record mild = record();
  mild.found.findings.resize(2);
  mild.found.findings.erase(mild.found.findings.begin());
  EXPECT_TRUE(write_baseline({mild}, "0.1.0", kNow, "why", ""));
  for (const char* bad : {"", "{}", "[]", R"({"schema":"steelyard/baseline/1","reason":"","until":null,"findings":[]})",
                          R"({"schema":"steelyard/baseline/1","reason":"x","until":"soon","findings":[]})",
                          R"({"schema":"steelyard/baseline/1","reason":"x","until":null})",
                          R"({"schema":"steelyard/baseline/1","reason":"x","until":null,"findings":[{}]})"}) {
    EXPECT_FALSE(read_baseline(bad, "b")) << bad;
  }
}

TEST(Accepted, ReadsBackAndRefusesWhatIsIncomplete) {
  const Accepted one{"ev1:ab#findings/0", "ignore", "why", "2027-01-31"};
  const auto back = decode(encode(one));
  ASSERT_TRUE(back);
  EXPECT_EQ(encode(*back), encode(one));
  for (const char* bad : {R"({})", R"({"finding":"ev1:a","by":"ignore","reason":"","until":null})",
                          R"({"finding":"ev1:a","by":"me","reason":"x","until":null})",
                          R"({"finding":"ev1:a","by":"ignore","reason":"x","until":"2027-02-30"})",
                          R"({"finding":"ev1:a","by":"ignore","reason":"x","until":7})",
                          R"({"finding":"x","by":"ignore","reason":"x","until":null})"}) {
    EXPECT_FALSE(decode(json::parse(bad).value())) << bad;
  }
}

std::string mistakes(const std::string& text) {
  const auto document = toml::Document::parse(text, "steelyard.toml");
  if (!document) return document.error().message;
  toml::Table root(**document, (*document)->root(), "settings");
  (void)read_ignores(root);
  const auto checked = (*document)->check();
  return checked ? std::string() : checked.error().message;
}

TEST(Ignores, AreReadStrictly) {
  const std::string good = "[[ignore]]\nrule = \"GGF004\"\nartifact = \"a/**\"\nreason = \"x\"\nuntil = 2027-01-31\n";
  EXPECT_EQ(mistakes(good), "");
  EXPECT_EQ(mistakes("[[ignore]]\nrule = \"HST005\"\nreason = \"x\"\nuntil = \"2027-01-31\"\n"), "");
  const auto without = [&](const std::string& line) {
    std::string text = good;
    const std::size_t at = text.find(line);
    return text.erase(at, text.find('\n', at) - at + 1);
  };
  for (const auto& [text, expected] : std::vector<std::pair<std::string, std::string>>{
           {without("until"), "until is required"},
           {without("reason"), "reason is required"},
           {without("artifact"), "artifact is required"},
           {without("rule"), "rule is required"},
           {good + "untill = 1\n", "did you mean \"until\"?"},
           {"[[ignore]]\nrule = \"GGF04\"\nartifact = \"a\"\nreason = \"x\"\n", "did you mean \"GGF004\"?"},
           {"[[ignore]]\nrule = \"IDN001\"\nartifact = \"sha256:ab\"\nreason = \"x\"\n", "64 lowercase hex digits"},
           {"[[ignore]]\nrule = \"IDN001\"\nartifact = \"a\"\nreason = \"x\"\nuntil = 2027-02-30\n", ""},
           {"[[ignore]]\nrule = \"IDN001\"\nartifact = \"a\"\nreason = \"x\"\nuntil = \"soon\"\n",
            "until must be a day"},
           {"[ignore]\nrule = \"IDN001\"\n", "[[ignore]]"}}) {
    const std::string found = mistakes(text);
    EXPECT_NE(found.find(expected), std::string::npos) << text << found;
    EXPECT_NE(found.find('^'), std::string::npos) << found;
  }
}

}  // namespace
}  // namespace steelyard::accept
