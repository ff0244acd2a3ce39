// tokenizer.json: what trainers write is silent; replaced words, other numbers and swapped tokens are found.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "formats/detail/pattern_cost.hpp"
#include "formats/detail/token_programs.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

// A byte-pair vocabulary as trainers number it, with two tokens swapped when asked for.
std::string tokenizer(std::size_t swap_a = 0, std::size_t swap_b = 0, const std::string& more = "") {
  std::vector<std::string> tokens;
  std::string merges;
  for (char c = 'a'; c <= 'z'; ++c) tokens.emplace_back(1, c);
  for (char a = 'a'; a <= 'z'; ++a) {
    for (char b = 'a'; b <= 'z'; ++b) {
      tokens.push_back({a, b});
      merges += fmt::format("{}\"{} {}\"", merges.empty() ? "" : ",", a, b);
    }
  }
  for (std::size_t i = 26; i < 26 + 676 && tokens.size() < 1500; ++i) {
    tokens.push_back(tokens[i] + "z");
    merges += fmt::format(",\"{} z\"", tokens[i]);
  }
  std::swap(tokens[swap_a], tokens[swap_b]);
  std::string vocab;
  for (std::size_t i = 0; i < tokens.size(); ++i) vocab += fmt::format("{}\"{}\":{}", i == 0 ? "" : ",", tokens[i], i);
  return fmt::format(R"({{"version":"1.0","truncation":null,{}"model":{{"type":"BPE","vocab":{{{}}},"merges":[{}]}}}})",
                     more, vocab, merges);
}

std::vector<std::string> rules(const std::string& text) {
  std::vector<std::string> out;
  for (const Finding& finding : examine(MemorySource(as_bytes(text)), "tokenizer.json").findings)
    out.push_back(finding.rule);
  return out;
}
using Rules = std::vector<std::string>;

TEST(Tokenizer, WhatTrainersWriteIsSilent) {
  const Examination found = examine(MemorySource(as_bytes(tokenizer())), "tokenizer.json");
  EXPECT_EQ(found.artifacts[0].format, "tokenizer_json");
  EXPECT_TRUE(found.findings.empty());
  EXPECT_EQ(found.coverage[0].examined, found.coverage[0].bytes);
  EXPECT_EQ(found.fact("tokenizer.tokens")->value.integer(), 1378);
  EXPECT_EQ(found.fact("tokenizer.merges")->value.integer(), 1352);
}

TEST(Tokenizer, SwappedTokensAreFound) {
  EXPECT_EQ(rules(tokenizer(100, 900)), Rules{"TOK004"});
  EXPECT_EQ(rules(tokenizer(300, 302)), Rules{"TOK004"});
}

TEST(Tokenizer, AddedTokensContradictTheVocabulary) {
  EXPECT_EQ(rules(tokenizer(0, 0, R"("added_tokens":[{"id":5,"content":"f","special":true}],)")), Rules{});
  EXPECT_EQ(rules(tokenizer(0, 0, R"("added_tokens":[{"id":5000,"content":"<x>","special":true}],)")), Rules{});
  EXPECT_EQ(rules(tokenizer(0, 0, R"("added_tokens":[{"id":5,"content":"harmless","special":false}],)")),
            Rules{"TOK003"});
  EXPECT_EQ(rules(tokenizer(0, 0, R"("added_tokens":[{"id":5000,"content":"a"},{"id":5000,"content":"b"}],)")),
            Rules{"TOK003"});
}

TEST(Tokenizer, MappingsAreEqualWhateverTheOrder) {
  const auto digest = [](const std::string& text, const char* name) {
    const Examination found = examine(MemorySource(as_bytes(text)), name);
    return found.fact("tokenizer.mapping") ? json::compact(found.fact("tokenizer.mapping")->value) : std::string();
  };
  const std::string one = digest(R"({"a":0,"b":1})", "vocab.json");
  EXPECT_NE(one, "");
  EXPECT_EQ(digest(R"({"b":1,"a":0})", "vocab.json"), one);
  EXPECT_EQ(digest("a\nb\n", "vocab.txt"), one);
  EXPECT_EQ(digest(R"({"version":"1.0","added_tokens":[],"model":{"vocab":{"a":0,"b":1}}})", "tokenizer.json"), one);
  EXPECT_NE(digest("b\na\n", "vocab.txt"), one);
}

TEST(Tokenizer, Patterns) {
  for (const std::string_view pattern : {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
                                         "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
                                         "'s|'t| ?\\p{L}+| ?\\p{N}+", " {2,}", "[\\r\\n]+", "(a|b)+c", "[(+)*]+",
                                         "(\\d{3})+", "(?>a+)+", "(?:[^\\s]+\\s)?x", "\\(+"})
    EXPECT_FALSE(explosive_pattern(pattern)) << pattern;
  for (const std::string_view pattern : {"(a+)+$", "(a*)*", "((a+)b?)+", "(?:x+y*)*z", "(.*a){10,}", "([a-z]+)*!"})
    EXPECT_TRUE(explosive_pattern(pattern)) << pattern;
}

TEST(Tokenizer, CatastrophicPatterns) {
  for (const std::string_view pattern :
       {"(a+)+$", "(a+)+$|b", "((x*)*)*y", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*a){10,}b", "([a-z]+)*!", "(a|a)*b",
        "(?:\\w+\\s?)+$", "(?i:[a-z]+)+(?=!)", "(\\p{L}+)+\\d", "((a+)b?)+c", "(?<w>a+)+\\b", "(?:(?:a+))+(?:x|y)?z"})
    EXPECT_TRUE(catastrophic(pattern)) << pattern;
  for (const std::string_view pattern :
       {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
        "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
        "(a+)+", "(a*)*b?", "(?:\\d+,)*\\d+$", "(?>a+)+$", "(?:a++)+$", "(\\d{3})+(?=\\D|$)", "(a+)+a", "(ab+)*c",
        "(?:[^\\s]+\\s)+x", "((", "[", "(?", "\\p{", "a{2,", "(a|b)+c", ""})
    EXPECT_FALSE(catastrophic(pattern)) << pattern;
}

}  // namespace
}  // namespace steelyard::formats
