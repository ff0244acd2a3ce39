// Which advisories a file triggers, and which versions of a loader that concerns.

#include "rules/advisories.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/embedded.hpp"
#include "formats/format.hpp"
#include "policy/kind.hpp"
#include "recipe/recipe.hpp"
#include "rules/catalog.hpp"
#include "wire/toml.hpp"

namespace steelyard::rules {
namespace {

bool noted(const Examination& found, std::string_view id) {
  return std::ranges::any_of(found.findings,
                             [&](const Finding& f) { return f.rule == "LDR001" && f.data["advisory"].string() == id; });
}

Examination with(Finding finding) {
  Examination found;
  found.artifacts.push_back({std::nullopt, 0, "m", "gguf", {0, 10}, {}, 10});
  finding.artifact = 0;
  found.findings.push_back(std::move(finding));
  note_advisories(found);
  return found;
}

Finding finding(std::string rule, json::Value data = json::Object{}) {
  return {std::move(rule), Severity::high, std::nullopt, Range{1, 2}, std::move(data)};
}

TEST(Advisories, EachNamesRulesAndLoadersThatExist) {
  ASSERT_FALSE(advisories().empty());
  for (const Advisory& advisory : advisories()) {
    EXPECT_FALSE(advisory.loaders.empty()) << advisory.id;
    // One that no file sets off is for those who ask about a build.
    EXPECT_TRUE(!advisory.triggers.empty() || !advisory.option.empty() || !advisory.action.empty()) << advisory.id;
    for (const auto& loader : advisory.loaders) EXPECT_FALSE(loader.names.empty()) << advisory.id;
    for (const auto& trigger : advisory.triggers) EXPECT_NE(find(trigger.rule), nullptr) << advisory.id;
  }
}

// What no recipe can hold: a store's manifest, a token of 2 GiB.
const std::vector<std::string>& by_finding_only() {
  static const std::vector<std::string> ids = {"CVE-2024-37032", "CVE-2025-49847"};
  return ids;
}

TEST(Advisories, EachHasAFileThatSetsItOffAndOneThatDoesNot) {
  for (const auto& file : embedded::under("advisories/")) {
    const auto document = toml::Document::parse(std::string(file.text), std::string(file.path));
    ASSERT_TRUE(document) << document.error().message;
    toml::Table table(**document, (*document)->root(), "advisory");
    const std::string id = table.text("id");
    int fires = 0;
    int silent = 0;
    for (toml::Table& example : table.tables("example")) {
      const bool expected = example.text("expect") == "fires";
      (expected ? fires : silent) += 1;
      const auto bytes = recipe::build(example.text("recipe"));
      ASSERT_TRUE(bytes) << id << ": " << bytes.error().message;
      Examination found = formats::examine(MemorySource(*bytes), example.text("name"));
      note_advisories(found);
      EXPECT_EQ(noted(found, id), expected) << id << ": example " << fires + silent;
    }
    if (std::ranges::find(by_finding_only(), id) != by_finding_only().end()) continue;
    if (std::ranges::find(advisories(), id, &Advisory::id)->triggers.empty()) continue;
    EXPECT_GT(fires, 0) << id;
    EXPECT_GT(silent, 0) << id;
  }
}

TEST(Advisories, WhatAFindingSaysDecides) {
  const auto misplaced = [](const char* what) { return with(finding("STO004", json::Value().set("what", what))); };
  EXPECT_TRUE(noted(misplaced("a digest that is none"), "CVE-2024-37032"));
  EXPECT_FALSE(noted(misplaced("one file twice"), "CVE-2024-37032"));
  const auto token = [](u64 bytes) { return with(finding("GGF033", json::Value().set("bytes", bytes))); };
  EXPECT_TRUE(noted(token(u64{1} << 31), "CVE-2025-49847"));
  EXPECT_FALSE(noted(token((u64{1} << 31) - 1), "CVE-2025-49847"));
  EXPECT_FALSE(noted(with(finding("GGF033", json::Value().set("bytes", "many"))), "CVE-2025-49847"));
  EXPECT_FALSE(noted(with(finding("GGF033")), "CVE-2025-49847"));
  EXPECT_FALSE(noted(with(finding("TPL050")), "CVE-2019-6446"));
}

// A name that leads out of a tar file matters where PyTorch unpacks it.
TEST(Advisories, WhereAFindingLiesDecides) {
  for (const auto& [format, expected] : {std::pair{"torch_tar", true}, std::pair{"tar", false}}) {
    Examination found;
    found.artifacts.push_back({std::nullopt, 0, "m", format, {0, 10}, {}, 10});
    found.artifacts.push_back({0, 0, "m!x", "unknown", {0, 10}, {}, 10});
    found.findings.push_back(finding("ARC008"));
    found.findings.back().artifact = 1;
    note_advisories(found);
    EXPECT_EQ(noted(found, "CVE-2025-32434"), expected) << format;
    if (expected) {
      EXPECT_EQ(found.findings.back().at, (Range{1, 2}));
    }
  }
}

policy::State state(const Advisory& advisory, const std::string& loader, const std::string& version) {
  json::Value loaders = json::Array{};
  for (const auto& entry : advisory.loaders)
    for (const auto& name : entry.names)
      loaders.push(json::Value().set("name", name).set("from", entry.from).set("before", entry.before));
  std::vector<evidence::Record> records(2);
  records[0].kind = "scan";
  records[0].found.findings.push_back(
      finding("LDR001", json::Value().set("advisory", advisory.id).set("loaders", std::move(loaders))));
  records[1].kind = "host";
  json::Value runtimes = json::Array{};
  runtimes.push(json::Value().set("name", loader).set("version", version).set("path", "/x"));
  records[1].found.facts.push_back(
      {"host.runtimes", std::move(runtimes), std::nullopt, std::nullopt, Assurance::verified});
  std::vector<std::string> ids;
  for (const auto& record : records) ids.push_back(evidence::id(record));
  policy::Inputs inputs;
  inputs.records = records;
  inputs.ids = ids;
  return policy::find_kind("runtime_cve")->evaluate({}, inputs).state;
}

// The last version that has the flaw, and the first that doesn't.
TEST(Advisories, TheBoundaryOfVersionsHolds) {
  struct Boundary {
    const char* id;
    const char* loader;
    const char* flawed;
    const char* fixed;
  };
  for (const Boundary& is : {Boundary{"CVE-2025-32434", "torch", "2.5.1+cu124", "2.6.0"},
                             {"CVE-2026-24747", "torch", "2.9.1", "2.10.0+cpu"},
                             {"CVE-2024-34359", "llama_cpp_python", "0.2.71", "0.2.72"},
                             {"CVE-2025-66448", "vllm", "0.11.0", "0.11.1"},
                             {"CVE-2026-22807", "vllm", "0.13.0", "0.14.0"},
                             {"CVE-2026-22807", "vllm", "0.10.1", "0.10.0"},  // from where it is
                             {"CVE-2026-27893", "vllm", "0.17.1", "0.18.0"},
                             {"CVE-2024-37032", "ollama", "0.1.33", "0.1.34"},
                             {"CVE-2026-7482", "ollama", "0.17.0", "0.17.1"},
                             {"CVE-2019-6446", "numpy", "1.16.2", "1.16.3"},
                             {"CVE-2024-32878", "llama-cli", "b2739", "b2740"},
                             {"CVE-2025-49847", "llama-server", "b5661", "b5662"},
                             {"CVE-2025-53630", "llama-server", "b8145", "b8146"},
                             {"CVE-2026-27940", "llama-quantize", "b8145", "b8146"},
                             {"CVE-2026-33298", "llama-bench", "b7823", "b7824"}}) {
    const auto advisory = std::ranges::find(advisories(), is.id, &Advisory::id);
    ASSERT_NE(advisory, advisories().end()) << is.id;
    EXPECT_EQ(state(*advisory, is.loader, is.flawed), policy::State::unmet) << is.id << " " << is.flawed;
    EXPECT_EQ(state(*advisory, is.loader, is.fixed), policy::State::met) << is.id << " " << is.fixed;
    EXPECT_EQ(state(*advisory, "another", is.flawed), policy::State::met) << is.id;
  }
  const auto open = std::ranges::find(advisories(), "CVE-2026-5760", &Advisory::id);
  ASSERT_NE(open, advisories().end());
  EXPECT_EQ(state(*open, "sglang", "99.0"), policy::State::unmet);
}

TEST(Advisories, NothingIsNotedInAnUnsuspiciousFile) {
  Examination found;
  note_advisories(found);
  EXPECT_TRUE(found.findings.empty());
}

}  // namespace
}  // namespace steelyard::rules
