#include "base/text.hpp"

#include <gtest/gtest.h>

namespace steelyard::text {
namespace {

TEST(Text, DisplayEscapesWhatDeceives) {
  EXPECT_EQ(display("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(display("abc\u202Edef"), "abc\\u{202e}def");
  EXPECT_EQ(display("zero\u200bwidth"), "zero\\u{200b}width");
  EXPECT_EQ(display("\U000E0041"), "\\u{e0041}");
  EXPECT_EQ(display("bad\xff\xfe"), "bad\\xff\\xfe");
  EXPECT_EQ(display("\xc0\xaf"), "\\xc0\\xaf");           // overlong "/"
  EXPECT_EQ(display("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(display("a\nb\tc"), "a\\nb\\tc");
  EXPECT_EQ(display("naïve 模型 😀"), "naïve 模型 😀");
  EXPECT_EQ(display("abcdef", 3), "abc…");
}

TEST(Text, HiddenLeavesOrdinaryTextAlone) {
  EXPECT_FALSE(has_hidden("line one\nline two\twith a tab and ünïcode"));
  EXPECT_TRUE(has_hidden("pass\u200bword"));
  EXPECT_TRUE(has_hidden("\x07"));
  EXPECT_TRUE(has_hidden("\xff"));
}

TEST(Text, ToValueIsReversible) {
  EXPECT_EQ(to_value("back\\slash"), json::Value("back\\slash"));
  EXPECT_EQ(to_value("a\\\xff"), json::Value().set("escaped", "a\\\\\\xff"));
}

TEST(Text, ClosestSuggestsNearWordsOnly) {
  EXPECT_EQ(closest("ofline-chat", {"offline-chat", "mail-assistant"}), "offline-chat");
  EXPECT_EQ(closest("zzz", {"offline-chat", "mail-assistant"}), "");
}

TEST(Text, PrefixKeepsCharactersWhole) {
  EXPECT_EQ(prefix("aé😀", 100), "aé😀");
  EXPECT_EQ(prefix("aé😀", 6), "aé");
  EXPECT_EQ(prefix("aé😀", 2), "a");
  EXPECT_EQ(prefix("é", 1), "");
}

TEST(Text, HumanNumbers) {
  EXPECT_EQ(human_bytes(98362432), "93.8 MiB");
  EXPECT_EQ(human_bytes(12), "12 B");
  EXPECT_EQ(human_count(134515008), "134.5 M");
  EXPECT_EQ(human_count(64), "64");
}

}  // namespace
}  // namespace steelyard::text
