#include "scan/copies.hpp"

#include <gtest/gtest.h>

namespace steelyard::scan {
namespace {

stores::Model model(const std::string& name, const std::vector<std::pair<std::string, u64>>& files) {
  stores::Model out;
  out.store = "s";
  out.names = {name};
  for (const auto& [file, inode] : files) {
    stores::File entry;
    entry.name = file;
    entry.stat = {.device = 1, .inode = inode};
    out.files.push_back(entry);
  }
  return out;
}

evidence::Record record(const std::vector<std::pair<std::string, std::string>>& files) {
  evidence::Record out;
  for (const auto& [digest, format] : files) {
    out.found.artifacts.push_back({std::nullopt, static_cast<u32>(out.subjects.size()), "f", format, {}, {}, 0});
    out.subjects.push_back({"file", "f", digest, 1});
  }
  return out;
}

TEST(Copies, TheVerySameFiles) {
  Copies copies;
  copies.keep(model("first", {{"a/m.gguf", 7}, {"config.json", 8}}), record({{"aa", "gguf"}, {"bb", "json"}}));
  EXPECT_EQ(copies.of(model("x", {{"m.gguf", 7}})), "s:first");
  EXPECT_EQ(copies.of(model("x", {{"m.gguf", 7}, {"b/config.json", 8}})), "s:first");
  EXPECT_EQ(copies.of(model("x", {{"m.gguf", 9}})), "") << "another file";
  EXPECT_EQ(copies.of(model("x", {{"m.gguf", 7}, {"more", 9}})), "") << "one file more";
  EXPECT_EQ(copies.of(model("x", {{"config.json", 7}})), "") << "under a name that means something else";
  EXPECT_EQ(copies.of(model("x", {})), "");
  auto promised = model("x", {{"m.gguf", 7}});
  promised.files[0].digest = "sha256:other";
  EXPECT_EQ(copies.of(promised), "") << "a promise that was not compared";
  auto flawed = model("x", {{"m.gguf", 7}});
  flawed.findings.push_back({"STO005", Severity::info, std::nullopt, std::nullopt, json::Object{}});
  EXPECT_EQ(copies.of(flawed), "");
  flawed = model("x", {{"m.gguf", 7}});
  flawed.files[0].rule = "STO003";
  EXPECT_EQ(copies.of(flawed), "");
}

TEST(Copies, TheSameContents) {
  Copies copies;
  copies.keep(model("first", {{"m.gguf", 7}}), record({{"aa", "gguf"}, {"bb", "json"}}));
  EXPECT_EQ(copies.of(record({{"aa", "gguf"}})), "s:first");
  EXPECT_EQ(copies.of(record({{"bb", "json"}, {"aa", "gguf"}})), "s:first");
  EXPECT_EQ(copies.of(record({{"cc", "gguf"}})), "");
  EXPECT_EQ(copies.of(record({{"bb", "config"}})), "") << "the same bytes, read as something else";
  EXPECT_EQ(copies.of(record({{"", "gguf"}})), "") << "without a digest";
  EXPECT_EQ(copies.of(record({})), "");
  auto flawed = record({{"aa", "gguf"}});
  flawed.found.findings.push_back({"STO001", Severity::high, 0, std::nullopt, json::Object{}});
  EXPECT_EQ(copies.of(flawed), "") << "tampering is never dropped";
  auto partial = record({{"aa", "gguf"}});
  partial.status = evidence::Status::partial;
  EXPECT_EQ(copies.of(partial), "");
}

TEST(Copies, WhatWasNotExaminedWholeHasNoCopies) {
  Copies copies;
  auto partial = record({{"aa", "gguf"}});
  partial.status = evidence::Status::partial;
  copies.keep(model("first", {{"m.gguf", 7}}), partial);
  EXPECT_EQ(copies.of(model("x", {{"m.gguf", 7}})), "");
  EXPECT_EQ(copies.of(record({{"aa", "gguf"}})), "");
}

}  // namespace
}  // namespace steelyard::scan
