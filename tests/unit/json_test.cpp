#include "base/json.hpp"

#include <gtest/gtest.h>

namespace steelyard::json {
namespace {

TEST(Json, CanonicalSortsByUtf16CodeUnits) {
  // RFC 8785 section 3.2.3: U+FB33 sorts after the surrogate pair of U+1F600.
  const Value value = Value().set("\uFB33", 1).set("\U0001F600", 2).set("\u20ac", 3).set("\r", 4).set("1", 5);
  EXPECT_EQ(canonical(value), "{\"\\r\":4,\"1\":5,\"\u20ac\":3,\"\U0001F600\":2,\"\uFB33\":1}");
}

TEST(Json, LargeIntegersBecomeStrings) {
  EXPECT_EQ(canonical(Value(u64{1} << 53)), "9007199254740992");
  EXPECT_EQ(canonical(Value((u64{1} << 53) + 1)), "\"9007199254740993\"");
  EXPECT_EQ(Value(UINT64_MAX).unsigned_integer(), UINT64_MAX);
  EXPECT_EQ(Value("18446744073709551616").unsigned_integer(), std::nullopt);
  EXPECT_EQ(Value("-1").unsigned_integer(), std::nullopt);
}

TEST(Json, ParseAcceptsWhatItWrote) {
  const Value value = Value().set("a", Array{1, "x\n\x01", true, nullptr}).set("b", Object{});
  for (const auto& text : {canonical(value), pretty(value), compact(value)}) {
    const auto parsed = parse(text);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(*parsed, value);
  }
}

struct Bad {
  const char* text;
  const char* message;
};

class JsonRejects : public testing::TestWithParam<Bad> {};

TEST_P(JsonRejects, WithAReason) {
  const auto parsed = parse(GetParam().text);
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message.find(GetParam().message), std::string::npos) << parsed.error().message;
}

INSTANTIATE_TEST_SUITE_P(All, JsonRejects,
                         testing::Values(Bad{"{\"a\":1,\"a\":2}", "the key \"a\" appears twice"},
                                         Bad{"[1,,2]", "not JSON"}, Bad{"[1.5]", "a decimal number"},
                                         Bad{"{\"a\":nul}", "not JSON"}, Bad{"", "not JSON"},
                                         Bad{"\"\xff\"", "not JSON"}));

}  // namespace
}  // namespace steelyard::json
