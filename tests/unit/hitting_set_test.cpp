// The smallest sufficient set of mitigations against brute force, and at the size of a large fleet of tools.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <tuple>

#include "policy/verdict.hpp"

namespace steelyard::policy {
namespace {

using Key = std::tuple<u64, std::size_t, std::vector<std::string>>;

Key key(const std::vector<Mitigation>& set) {
  Key out;
  for (const Mitigation& mitigation : set) {
    std::get<0>(out) += mitigation.cost;
    std::get<2>(out).push_back(mitigation.id);
  }
  std::get<1>(out) = set.size();
  std::ranges::sort(std::get<2>(out));
  return out;
}

bool sufficient(const std::vector<Scenario>& scenarios, const std::vector<Mitigation>& set) {
  return std::ranges::all_of(scenarios, [&](const Scenario& scenario) {
    return std::ranges::any_of(
        set, [&](const Mitigation& m) { return std::ranges::find(scenario.cuts, m.id) != scenario.cuts.end(); });
  });
}

std::optional<Key> brute_force(const std::vector<Scenario>& scenarios, const std::vector<Mitigation>& available) {
  std::optional<Key> best;
  for (u32 bits = 0; bits < (1U << available.size()); ++bits) {
    std::vector<Mitigation> set;
    for (std::size_t i = 0; i < available.size(); ++i) {
      if (bits >> i & 1U) set.push_back(available[i]);
    }
    if (!sufficient(scenarios, set)) continue;
    if (Key candidate = key(set); !best || candidate < *best) best = std::move(candidate);
  }
  return best;
}

u32 below(std::mt19937& random, u32 limit) { return static_cast<u32>(random() % limit); }

std::vector<Mitigation> mitigations(std::mt19937& random, u32 number, u32 costs) {
  std::vector<Mitigation> out;
  for (u32 i = 0; i < number; ++i) out.push_back({"m" + std::to_string(i), "", "gateway", below(random, costs)});
  std::ranges::shuffle(out, random);
  return out;
}

TEST(HittingSet, EqualsBruteForce) {
  std::mt19937 random(1);
  for (int round = 0; round < 1500; ++round) {
    const u32 number = 1 + below(random, round < 1470 ? 9 : 14);
    // Few different costs make ties, which the order of ids has to break.
    const auto available = mitigations(random, number, 1 + below(random, 4));
    std::vector<Scenario> scenarios(below(random, 14));
    for (Scenario& scenario : scenarios) {
      const u32 width = below(random, 30) == 0 ? 0 : 1 + below(random, 4);
      for (u32 i = 0; i < width; ++i)
        scenario.cuts.push_back("m" + std::to_string(below(random, number + (round % 10 == 0 ? 1 : 0))));
    }
    const auto expected = brute_force(scenarios, available);
    const auto found = smallest_sufficient(scenarios, available);
    ASSERT_EQ(found.has_value(), expected.has_value()) << "round " << round;
    if (!expected) continue;
    ASSERT_EQ(key(*found), *expected) << "round " << round;
  }
}

TEST(HittingSet, NothingToCutNeedsNothing) {
  const auto found = smallest_sufficient({}, {{"a", "", "gateway", 1}});
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->empty());
}

TEST(HittingSet, CutsThatNobodyOffersDontCount) {
  EXPECT_FALSE(smallest_sufficient({{"s", "", "", {"unknown"}}}, {{"a", "", "gateway", 1}}));
  EXPECT_FALSE(smallest_sufficient({{"s", "", "", {}}}, {{"a", "", "gateway", 1}}));
}

// Worst case of a context: every untrusted source reaches every tool; each path can be cut at its
// source (dear) or at its tool, in one of three ways.
TEST(HittingSet, TwoHundredToolsAndFiveThousandPaths) {
  std::vector<Scenario> scenarios;
  std::vector<Mitigation> available;
  for (int tool = 0; tool < 200; ++tool) {
    for (const char* kind : {"block", "confirm", "remove"})
      available.push_back({kind + std::string(":t") + std::to_string(tool), "", "gateway", kind[0] == 'c' ? 1U : 2U});
  }
  for (int source = 0; source < 25; ++source) {
    const std::string drop = "drop:s" + std::to_string(source);
    available.push_back({drop, "", "gateway", source % 2 == 0 ? 4U : 9U});
    for (int tool = 0; tool < 200; ++tool) {
      const std::string name = std::to_string(tool);
      scenarios.push_back({"", "", "", {"block:t" + name, "confirm:t" + name, "remove:t" + name, drop}});
    }
  }
  const auto found = smallest_sufficient(scenarios, available);
  ASSERT_TRUE(found);
  EXPECT_EQ(std::get<0>(key(*found)), 13U * 4 + 12U * 9);  // all sources; all tools would cost 200
  EXPECT_TRUE(sufficient(scenarios, *found));
}

// Contrived to cost quadratic time: one path with ever cheaper cuts, and as many paths with one cut each.
TEST(HittingSet, LongRowsAndManyForcedOnesEnd) {
  constexpr u32 kMany = 20000;
  Scenario wide{"s", "", "", {}};
  std::vector<Mitigation> available;
  std::vector<Scenario> narrow;
  for (u32 i = 0; i < kMany; ++i) {
    available.push_back({"m" + std::to_string(100000 + i), "", "gateway", kMany - i});
    wide.cuts.push_back(available.back().id);
    narrow.push_back({"", "", "", {available.back().id}});
  }
  const auto one = smallest_sufficient({wide}, available);
  ASSERT_TRUE(one);
  EXPECT_TRUE(sufficient({wide}, *one));
  const auto all = smallest_sufficient(narrow, available);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), kMany);
}

// Random paths with equal costs have many smallest sets and no structure to exploit; whatever the
// fuel allows, the answer suffices and none of it is superfluous.
TEST(HittingSet, HardInstancesStillEnd) {
  std::mt19937 random(2);
  const auto available = mitigations(random, 200, 1);
  std::vector<Scenario> scenarios(600);
  for (Scenario& scenario : scenarios) {
    for (u32 i = 0; i < 4; ++i) scenario.cuts.push_back("m" + std::to_string(below(random, 200)));
  }
  const auto found = smallest_sufficient(scenarios, available);
  ASSERT_TRUE(found);
  ASSERT_TRUE(sufficient(scenarios, *found));
  for (const Mitigation& one : *found) {
    auto fewer = *found;
    std::erase_if(fewer, [&](const Mitigation& m) { return m.id == one.id; });
    EXPECT_FALSE(sufficient(scenarios, fewer)) << one.id;
  }
}

}  // namespace
}  // namespace steelyard::policy
