#include "bench/bench.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "bench/statistics.hpp"

namespace steelyard::bench {
namespace {

TEST(Statistics, DecimalsAreExactAndShort) {
  EXPECT_EQ(decimal(42), "42");
  EXPECT_EQ(decimal(0.1234567), "0.123457");
  EXPECT_EQ(decimal(-0.0000001), "0");
  EXPECT_EQ(decimal(1e300), "0");
  EXPECT_EQ(decimal(std::numeric_limits<double>::quiet_NaN()), "0");
}

TEST(Statistics, WilsonsInterval) {
  // 8 of 10: 0.4902 to 0.9433, as the literature has it.
  const Measurement one = share(8, 10);
  EXPECT_EQ(one.value, "0.8");
  EXPECT_NEAR(std::stod(one.interval[0]), 0.4902, 0.0001);
  EXPECT_NEAR(std::stod(one.interval[1]), 0.9433, 0.0001);
  const Measurement all = share(5, 5);
  EXPECT_EQ(all.interval[1], "1");
  EXPECT_GT(std::stod(all.interval[0]), 0.5);
  EXPECT_LT(std::stod(all.interval[0]), 0.6);
  EXPECT_EQ(share(0, 5).interval[0], "0");
}

TEST(Statistics, MedianAndMean) {
  EXPECT_EQ(median({3, 1, 2}).value, "2");
  EXPECT_EQ(median({4, 1, 2, 3}).value, "2.5");
  EXPECT_EQ(median({3, 1, 2}).interval, (std::vector<std::string>{"1", "3"}));
  const Measurement one = mean({1, 2, 3, 4});
  EXPECT_EQ(one.value, "2.5");
  EXPECT_NEAR(std::stod(one.interval[0]), 2.5 - 1.96 * 0.6455, 0.001);
}

TEST(Tasks, AnswersAreChecked) {
  EXPECT_TRUE(passes("exact", "5", " 5\n"));
  EXPECT_FALSE(passes("exact", "5", "55"));
  EXPECT_TRUE(passes("contains", "Paris", "It is Paris."));
  EXPECT_FALSE(passes("contains", "Paris", "It is paris."));
  EXPECT_TRUE(passes("regex", "^[0-9]+$", "1234"));
  EXPECT_FALSE(passes("regex", "^[0-9]+$", "12a"));
  EXPECT_TRUE(passes("json", "", "\n{\"a\": 1}\n"));
  EXPECT_FALSE(passes("json", "", "Sure! {\"a\": 1}"));
  EXPECT_FALSE(passes("regex", "a*b", std::string(100'000, 'a') + "b"))
      << "what lies behind the first bytes isn't seen";
}

Result<Task> task(const std::string& text) {
  const auto path =
      std::filesystem::temp_directory_path() / ("steelyard-task-" + std::to_string(::getpid()) + ".jsonl");
  std::ofstream(path) << text;
  auto read = read_task(path);
  std::filesystem::remove(path);
  return read;
}

TEST(Tasks, LinesAreItems) {
  const auto read = task(
      "{\"prompt\": \"a\", \"choices\": [\"x\", \"y\"], \"answer\": 1}\n\n{\"prompt\": \"b\", \"checker\": "
      "\"json\"}\n");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->items.size(), 2U);
  EXPECT_EQ(read->items[0].answer, 1U);
  EXPECT_EQ(read->items[1].checker, "json");
}

TEST(Tasks, WhatIsNoItemIsNamedByItsLine) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"{\"prompt\": \"a\", \"choices\": [\"x\"], \"answer\": 0}", "at least two"},
      {"{\"prompt\": \"a\", \"choices\": [\"x\", \"y\"], \"answer\": 2}", "index of a choice"},
      {"{\"prompt\": \"a\", \"choices\": [\"x\", \"y\"], \"answer\": -1}", "index of a choice"},
      {"{\"prompt\": \"a\", \"choices\": [\"x\", \"\"], \"answer\": 0}", "isn't empty"},
      {"{\"prompt\": 3}", "\"prompt\" must be a text"},
      {"{\"prompt\": \"a\", \"checker\": \"guess\"}", "one of exact"},
      {"{\"prompt\": \"a\", \"checker\": \"regex\", \"expected\": \"(\"}", "no regular expression"},
      {"{\"prompt\": ", ""},
  };
  for (const auto& [line, says] : wrong) {
    const auto read = task("{\"prompt\": \"b\", \"checker\": \"json\"}\n" + line + "\n");
    ASSERT_FALSE(read) << line;
    EXPECT_NE(read.error().message.find(":2: "), std::string::npos) << read.error().message;
    EXPECT_NE(read.error().message.find(says), std::string::npos) << read.error().message;
  }
  EXPECT_FALSE(task("\n\n"));
}

}  // namespace
}  // namespace steelyard::bench
