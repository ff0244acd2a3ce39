#include "wire/json_pull.hpp"

#include <gtest/gtest.h>

#include <random>

#include "base/json.hpp"

namespace steelyard::wire {
namespace {

using Token = JsonPull::Token;

bool accepts(std::string_view text) {
  const MemorySource source(as_bytes(text));
  Cursor cursor(source);
  JsonPull pull(cursor);
  Token token = pull.next();
  while (token != Token::end && token != Token::fault) token = pull.next();
  return token == Token::end;
}

TEST(JsonPull, TokensInOrder) {
  const std::string text = R"({"a": [1, -2.5e3, "x\u00e9\ud83d\ude00\n"], "a": {}, "b": true})";
  const MemorySource source(as_bytes(text));
  Cursor cursor(source);
  JsonPull pull(cursor);
  std::string seen;
  for (Token token = pull.next(); token != Token::end; token = pull.next()) {
    ASSERT_NE(token, Token::fault) << to_string(*cursor.fault());
    static constexpr std::string_view kNames = "{}[]ks#tfn";
    seen += kNames[static_cast<std::size_t>(token)];
    if (token == Token::text) EXPECT_EQ(pull.content(), "xé😀\n");
  }
  EXPECT_EQ(seen, "{k[##s]k{}kt}") << "equal keys stay visible";
}

TEST(JsonPull, RefusesWhatStrictReadersRefuse) {
  for (const char* bad : {"",
                          "{",
                          "[1,]",
                          "{\"a\":1,}",
                          "{a:1}",
                          "[01]",
                          "[1.]",
                          "[.5]",
                          "[1e]",
                          "[-]",
                          "[+1]",
                          "[nul]",
                          "[\"\t\"]",
                          "[\"\\x\"]",
                          "[\"\\ud800\"]",
                          "[\"\\udc00\\ud800\"]",
                          "[\"\xff\"]",
                          "[\"\xc0\xaf\"]",
                          "[\"\xed\xa0\x80\"]",
                          "[1] 2",
                          "[1}",
                          "]",
                          "{\"a\" 1}",
                          "[1 2]",
                          "/*x*/[]",
                          "[\"abc"})
    EXPECT_FALSE(accepts(bad)) << bad;
  for (const char* good : {"{}", "[]", " [1] ", "\"x\"", "0", "-0.5E+3", "null", "[[[[]]]]", "{\"\":{\"\":[]}}"})
    EXPECT_TRUE(accepts(good)) << good;
  EXPECT_FALSE(accepts(std::string(100, '[') + std::string(100, ']'))) << "too deep";
}

TEST(JsonPull, AgreesWithSimdjsonOnMutations) {
  const std::string seed =
      R"({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {"a\n": "\u00e9é😀"}, "n": [true, false, null, -1.5e2]})";
  std::mt19937 random(5);
  static constexpr std::string_view kBytes = "{}[],:\"\\0123456789.eE+-tfnu aé\x01\xff";
  int accepted = 0;
  for (int i = 0; i < 30'000; ++i) {
    std::string text = seed;
    for (unsigned k = 0; k < 1 + random() % 2; ++k) {
      const std::size_t at = random() % text.size();
      if (random() % 3 == 0) {
        text.erase(at, 1);
      } else {
        text[at] = kBytes[random() % kBytes.size()];
      }
    }
    const bool theirs = json::parse(text, {.decimals = true, .duplicates = true}).has_value();
    EXPECT_EQ(accepts(text), theirs) << text;
    accepted += theirs ? 1 : 0;
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace steelyard::wire
