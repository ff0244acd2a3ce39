#include "bench/fits.hpp"

#include <gtest/gtest.h>

#include <map>

namespace steelyard::bench {
namespace {

Examination header(const std::string& architecture, json::Value memory) {
  Examination out;
  const auto add = [&](const char* key, json::Value value) {
    out.facts.push_back({key, std::move(value), std::nullopt, std::nullopt, Assurance::claimed});
  };
  add("model.architecture", architecture);
  add("model.memory", std::move(memory));
  add("model.context_length", u64{8192});
  return out;
}

// SmolLM2-135M: 30 layers of 3 key-value heads of 64; some of it changed.
json::Value memory(const std::map<std::string, json::Value>& changed = {}) {
  const std::map<std::string, json::Value> plain = {
      {"cached_rows", u64{30 * 2 * 3 * 64}},
      {"fused_rows", u64{0}},
      {"repacked", u64{0}},
      {"repacked_avx512", u64{1000}},
      {"recurrent", false},
      {"compressed", false},
      {"width", u64{576}},
      {"widest", u64{1536}},
      {"vocabulary", u64{49152}},
  };
  json::Value out = json::Object{};
  for (const auto& [key, value] : plain) out.set(key, changed.contains(key) ? changed.at(key) : value);
  return out;
}

TEST(Fits, GroupedHeadsKeepLess) {
  std::string why;
  const auto found = estimate(header("llama", memory()), 98'362'432, false, why);
  ASSERT_TRUE(found) << why;
  EXPECT_EQ(found->per_token, 23'040U);
  EXPECT_EQ(*found->bytes(4096) - *found->bytes(2048), 2048 * (found->per_token + found->beside));
  EXPECT_EQ(*found->bytes(1), *found->bytes(256)) << "llama.cpp rounds up";
  EXPECT_EQ(estimate(header("llama", memory()), 98'362'432, true, why)->repacked, 1000U);
}

TEST(Fits, FusedMatricesHoldQueriesToo) {
  std::string why;
  // 12 heads of 64, 4 of them kept: 64 * (12 + 2 * 4) rows in each of 10 layers.
  Examination of = header("phi3", memory({{"cached_rows", u64{0}}, {"fused_rows", u64{12'800}}}));
  EXPECT_FALSE(estimate(of, 1 << 20, false, why));
  EXPECT_NE(why.find("heads"), std::string::npos) << why;
  of.facts.push_back({"model.heads", u64{12}, std::nullopt, std::nullopt, Assurance::claimed});
  of.facts.push_back({"model.cached_heads", u64{4}, std::nullopt, std::nullopt, Assurance::claimed});
  const auto found = estimate(of, 1 << 20, false, why);
  ASSERT_TRUE(found) << why;
  EXPECT_EQ(found->per_token, u64{10 * 2 * 4 * 64 * 2});
}

TEST(Fits, TheLongestContext) {
  std::string why;
  const auto found = estimate(header("llama", memory()), 98'362'432, false, why);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->longest(u64{1} << 40), 8192U) << "not more than it was made for";
  EXPECT_EQ(found->longest(*found->bytes(0) + 256 * (found->per_token + found->beside)), 256U);
  EXPECT_EQ(found->longest(*found->bytes(256) - 1), 0U);
  EXPECT_EQ(found->longest(1000), 0U);
  for (const u64 available : {u64{200'000'000}, u64{250'000'000}}) {
    const u64 context = found->longest(available);
    EXPECT_LE(*found->bytes(context), available);
    EXPECT_GT(*found->bytes(context + 256), available);
  }
}

TEST(Fits, WhatIsNotKnownIsNotGuessed) {
  std::string why;
  EXPECT_FALSE(estimate(header("mamba", memory()), 1000, false, why));
  EXPECT_NE(why.find("mamba"), std::string::npos) << why;
  EXPECT_FALSE(estimate(header("llama", memory({{"recurrent", true}})), 1000, false, why));
  EXPECT_FALSE(estimate(header("llama", memory({{"compressed", true}})), 1000, false, why));
  EXPECT_FALSE(estimate(header("llama", memory({{"cached_rows", u64{0}}})), 1000, false, why));
  EXPECT_FALSE(estimate(Examination{}, 1000, false, why));
  EXPECT_FALSE(why.empty());
}

TEST(Fits, HostileNumbersDoNotWrap) {
  std::string why;
  constexpr u64 kHuge = u64{1} << 62;
  for (const char* key : {"cached_rows", "fused_rows", "width", "widest", "vocabulary", "repacked"}) {
    Examination of = header("llama", memory({{key, kHuge}}));
    of.facts.push_back({"model.heads", u64{1}, std::nullopt, std::nullopt, Assurance::claimed});
    const auto found = estimate(of, 98'362'432, false, why);
    if (found) EXPECT_EQ(found->longest(u64{1} << 40), 0U) << key;
  }
  EXPECT_FALSE(estimate(header("llama", memory()), UINT64_MAX, false, why));
  const Estimate large{.file = u64{1} << 56, .per_token = u64{1} << 56};
  EXPECT_FALSE(large.bytes(UINT64_MAX));
  EXPECT_FALSE(large.bytes(1024));
  EXPECT_EQ(large.longest(UINT64_MAX), 0U);
}

}  // namespace
}  // namespace steelyard::bench
