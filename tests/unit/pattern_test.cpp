#include "base/pattern.hpp"

#include <gtest/gtest.h>

#include <string>

namespace steelyard {
namespace {

bool found(std::string_view pattern, std::string_view text) {
  const auto compiled = Pattern::compile(pattern);
  EXPECT_TRUE(compiled) << pattern;
  return compiled && compiled->found_in(text);
}

TEST(Pattern, TextIsUtf8) {
  EXPECT_TRUE(found("^.{2}$", "äö"));
  EXPECT_TRUE(found("\\u00e4", "Bär"));
  EXPECT_FALSE(found("\\\\u00e4", "Bär")) << "an escaped backslash begins no escape";
  EXPECT_TRUE(found("^\\p{Lu}", "Äpfel"));
  EXPECT_FALSE(found("^.$", "\xff"));
  EXPECT_TRUE(found("b$", "ab"));
  EXPECT_FALSE(found("a$", "a\nb")) << "the end is that of the text";
}

TEST(Pattern, WhatNeedsBacktrackingIsRefused) {
  for (const char* pattern : {"(?=a)b", "(a)\\1", "(", "[z-a]", "a{2000}"})
    EXPECT_FALSE(Pattern::compile(pattern)) << pattern;
}

TEST(Pattern, LongTextsTakeNoStack) {
  EXPECT_TRUE(found("(a|b)*c", std::string(5'000'000, 'a') + "c"));
  EXPECT_FALSE(found("(a+)+b", std::string(1'000'000, 'a')));
}

}  // namespace
}  // namespace steelyard
