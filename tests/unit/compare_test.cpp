#include "bench/compare.hpp"

#include <gtest/gtest.h>

#include "report/comparison.hpp"

namespace steelyard {
namespace {

Measurement measured(std::string metric, const char* key, const char* value, std::string number, std::string low,
                     std::string high) {
  Measurement out;
  out.metric = std::move(metric);
  out.slice = json::Value().set(key, value);
  out.value = std::move(number);
  out.unit = "1";
  out.n = 6;
  out.interval = {std::move(low), std::move(high)};
  return out;
}

evidence::Record bench(const std::string& name, u64 bytes, const std::string& peak, const std::string& kl,
                       const std::string& low, const std::string& high) {
  evidence::Record out;
  out.kind = "bench";
  out.subjects.push_back({"weights", name, std::string(64, 'a'), bytes});
  if (!peak.empty()) out.found.measurements.push_back(measured("memory", "what", "peak_rss", peak, peak, peak));
  if (!kl.empty()) out.found.measurements.push_back(measured("damage", "score", "kl", kl, low, high));
  return out;
}

report::Comparison of(const std::vector<evidence::Record>& benches, u64 memory) {
  report::Report report;
  report.records.push_back(bench::compare(benches, memory));
  EXPECT_EQ(report.records.front().method.uses.size(), benches.size());
  return *report::comparison(report);
}

const std::vector<evidence::Record> kThree = {
    bench("q8.gguf", 800, "1000", "0.001", "0.0009", "0.0011"),
    bench("q5.gguf", 500, "700", "0.01", "0.008", "0.012"),
    bench("q4.gguf", 400, "600", "0.02", "0.015", "0.025"),
};

TEST(Compare, TheLeastDamageThatFits) {
  EXPECT_EQ(of(kThree, 1000).recommended, 0U);
  EXPECT_EQ(of(kThree, 999).recommended, 1U);
  EXPECT_EQ(of(kThree, 699).recommended, 2U);
  EXPECT_NE(of(kThree, 999).why.find("2 of 3"), std::string::npos) << of(kThree, 999).why;
  EXPECT_EQ(of(kThree, 999).rows[1].divergence.text, "0.0100 ±0.0020 nat");
}

TEST(Compare, NothingIsRecommendedWithoutAReason) {
  EXPECT_FALSE(of(kThree, 599).recommended);
  EXPECT_NE(of(kThree, 599).why.find("q4.gguf"), std::string::npos);
  EXPECT_FALSE(of(kThree, 0).recommended);
  auto two = kThree;
  two.push_back(bench("q3.gguf", 300, "500", "", "", ""));
  EXPECT_FALSE(of(two, 1000).recommended);
  two.back() = bench("q3.gguf", 300, "", "0.5", "0.4", "0.6");
  EXPECT_FALSE(of(two, 1000).recommended);
}

TEST(Compare, ASmallerOneThatCouldBeAsGoodIsNamed) {
  auto near = kThree;
  near[2] = bench("q4.gguf", 400, "600", "0.011", "0.0115", "0.0125");
  EXPECT_EQ(of(near, 999).recommended, 1U);
  EXPECT_NE(of(near, 999).why.find("q4.gguf is smaller"), std::string::npos) << of(near, 999).why;
  EXPECT_EQ(of(kThree, 999).why.find("smaller"), std::string::npos);
}

TEST(Compare, HostileRowsAreShownAsText) {
  report::Report report;
  evidence::Record record;
  record.kind = "comparison";
  json::Value rows = json::Array{};
  const auto kl = [](const char* value) {
    return json::Value().set("value", value).set("low", "0").set("high", "inf");
  };
  rows.push(json::Value().set("model", "<script>\x1b[31m").set("kl", kl("nan")));
  rows.push(json::Value().set("model", "b").set("kl", "not an object"));
  record.found.facts.push_back({"bench.comparison",
                                json::Value().set("rows", std::move(rows)).set("recommended", u64{7}), std::nullopt,
                                std::nullopt, Assurance::verified});
  report.records.push_back(std::move(record));
  const auto found = report::comparison(report);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->recommended);
  EXPECT_EQ(found->rows[0].divergence.text, "–");
  html::Writer w;
  report::put_comparison(w, *found);
  const std::string page = w.take();
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace steelyard
