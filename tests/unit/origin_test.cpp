// Holding what a store promises against the bytes: STO001.

#include "scan/origin.hpp"

#include <gtest/gtest.h>

#include "base/sha256.hpp"

namespace steelyard::scan {
namespace {

// The name that `git hash-object` gives "hello\n".
constexpr const char* kGitHello = "ce013625030ba8dba906f756967f9e9ca394464a";

TEST(GitBlob, NamesAsGitDoes) {
  GitBlob blob(6);
  blob.update(as_bytes("hello\n"));
  EXPECT_EQ(blob.finish(), kGitHello);
  EXPECT_EQ(GitBlob(0).finish(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

class Origin : public testing::Test {
 protected:
  void add(const std::string& name, const std::string& digest, const std::string& content,
           const std::string& git = "") {
    TargetFile file{"/" + name, name, {}};
    file.digest = digest;
    target_.files.push_back(file);
    record_.subjects.push_back({"file", name, content.empty() ? "" : sha256(content), content.size()});
    record_.found.artifacts.push_back(
        {std::nullopt, static_cast<u32>(record_.subjects.size() - 1), name, "unknown", {}, {}, 0});
    git_.push_back(git);
  }
  std::vector<std::string> mismatches() {
    target_.facts.push_back({"source.store", "hf", std::nullopt, std::nullopt, Assurance::claimed});
    add_origin(target_, git_, record_);
    std::vector<std::string> out;
    for (const Finding& finding : record_.found.findings) {
      if (finding.rule == "STO001") out.push_back(record_.found.artifacts[*finding.artifact].path);
    }
    return out;
  }
  json::Value compared() { return record_.found.fact("source.digests")->value; }
  Target target_{"hf:org/name", {}};
  std::vector<std::string> git_;
  evidence::Record record_;
};

TEST_F(Origin, WhatIsAsNamedIsSilent) {
  add("a", "sha256:" + sha256("content"), "content");
  add("b", std::string("git-sha1:") + kGitHello, "hello\n", kGitHello);
  add("c", "", "anything");
  EXPECT_TRUE(mismatches().empty());
  EXPECT_EQ(compared(), json::Value().set("files", 3).set("named", 2).set("compared", 2));
}

TEST_F(Origin, WhatIsNotAsNamedIsFound) {
  add("a", "sha256:" + sha256("content"), "other");
  add("b", std::string("git-sha1:") + kGitHello, "hello", "0000000000000000000000000000000000000000");
  EXPECT_EQ(mismatches(), (std::vector<std::string>{"a", "b"}));
  const Finding& first = record_.found.findings.front();
  EXPECT_EQ(first.data["expected"].string(), "sha256:" + sha256("content"));
  EXPECT_EQ(first.data["found"].string(), "sha256:" + sha256("other"));
}

TEST_F(Origin, WithoutDigestsNothingIsCompared) {
  add("a", "sha256:" + sha256("content"), "");
  add("b", std::string("git-sha1:") + kGitHello, "hello");
  EXPECT_TRUE(mismatches().empty());
  EXPECT_EQ(compared(), json::Value().set("files", 2).set("named", 2).set("compared", 0));
}

TEST_F(Origin, RecordsOfOtherOriginsAreNotReused) {
  EXPECT_TRUE(origin_key(target_).is_null());
  add("a", "sha256:" + sha256("content"), "content");
  target_.facts.push_back({"source.revision", "aa", std::nullopt, std::nullopt, Assurance::claimed});
  const json::Value key = origin_key(target_);
  EXPECT_EQ(origin_key(target_), key);
  Target other = target_;
  other.facts[0].value = "bb";
  EXPECT_NE(origin_key(other), key);
  other = target_;
  other.files[0].digest = "";
  EXPECT_NE(origin_key(other), key);
  other = target_;
  other.findings.push_back({"STO005", Severity::info, std::nullopt, std::nullopt, json::Value().set("count", 1)});
  EXPECT_NE(origin_key(other), key);
}

}  // namespace
}  // namespace steelyard::scan
