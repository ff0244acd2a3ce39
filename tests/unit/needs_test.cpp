#include "engine/needs.hpp"

#include <gtest/gtest.h>

namespace steelyard::engine {
namespace {

constexpr Needs kNeeds{.shared = 1000, .own = 100, .per_token = 2, .available = 2000};

TEST(Needs, TooLittleMemoryIsSaidWithTheNumbers) {
  EXPECT_TRUE(kNeeds.check({.context = 450}));
  const auto refused = kNeeds.check({.context = 451});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::resource);
  EXPECT_NE(refused.error().message.find("451 tokens"), std::string::npos) << refused.error().message;
  EXPECT_FALSE(kNeeds.check({.context = 226, .sequences = 2}));
}

TEST(Needs, WhatIsNotKnownRefusesNothing) {
  Load load{.context = 1'000'000};
  u32 engines = 2;
  const Needs unknown{.shared = 1000, .own = 100, .per_token = 2};
  EXPECT_TRUE(unknown.check(load));
  unknown.fit(load, engines);
  EXPECT_EQ(engines, 2U);
}

TEST(Needs, SequencesGoBeforeEngines) {
  Load load{.context = 50, .sequences = 16};
  u32 engines = 2;
  kNeeds.fit(load, engines);  // 2 engines of 100 + n × 100 bytes beside 1000
  EXPECT_EQ(load.sequences, 4U);
  EXPECT_EQ(engines, 2U);
  load = {.context = 400, .sequences = 16};
  kNeeds.fit(load, engines);
  EXPECT_EQ(load.sequences, 1U);
  EXPECT_EQ(engines, 1U);
  load.context = 4000;  // fits nowhere: check() says so
  kNeeds.fit(load, engines);
  EXPECT_EQ(engines, 1U);
}

TEST(Needs, PlainAttentionCountsOnlyWhereItIsUsed) {
  const Needs needs{.per_token = 1, .per_position = 10, .plain_per_position = 100, .available = 1};
  EXPECT_EQ(needs.bytes({.context = 10, .sequences = 3}), 30U + 100 + 1000);
  EXPECT_EQ(needs.bytes({.context = 10, .sequences = 3, .fastest = true}), 30U + 100);
  EXPECT_EQ(needs.bytes({.context = kMostPlain + 1}), u64{kMostPlain + 1} * 11);
}

TEST(Needs, SumsSaturate) {
  const Needs huge{.shared = UINT64_MAX - 1, .own = UINT64_MAX / 2, .per_token = UINT64_MAX / 2, .available = 1};
  EXPECT_EQ(huge.bytes({.context = UINT32_MAX, .sequences = UINT32_MAX}, UINT32_MAX), UINT64_MAX);
  EXPECT_FALSE(huge.check({}));
  EXPECT_LE(huge.address_space({.context = UINT32_MAX, .sequences = UINT32_MAX}, UINT64_MAX), u64{1} << 46);
}

TEST(Needs, LongContextsHaveTheirAddressSpace) {
  const Needs needs{.shared = 0, .own = 0, .per_token = 1 << 20};
  EXPECT_GE(needs.address_space({.context = 65'536}, 0), u64{64} << 30);
  EXPECT_GE(Needs{}.address_space({.context = 65'536}, 0), u64{16} << 30);
}

}  // namespace
}  // namespace steelyard::engine
