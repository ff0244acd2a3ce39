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
  EXPECT_TRUE(read->items[1].checker);
}

TEST(Tasks, WhatIsNoItemIsNamedByItsLine) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"{\"prompt\": \"a\", \"choices\": [\"x\"], \"answer\": 0}", "at least two"},
      {"{\"prompt\": \"a\", \"choices\": [\"x\", \"y\"], \"answer\": 2}", "index of a choice"},
      {"{\"prompt\": \"a\", \"choices\": [\"x\", \"y\"], \"answer\": -1}", "index of a choice"},
      {"{\"prompt\": \"a\", \"choices\": [\"x\", \"\"], \"answer\": 0}", "isn't empty"},
      {"{\"prompt\": 3}", "\"prompt\" must be a text"},
      {"{\"prompt\": \"a\", \"checker\": \"guess\"}", "one of exact"},
      {"{\"prompt\": \"a\", \"checker\": \"regex\", \"expected\": \"(\"}", "regular expression"},
      {"{\"prompt\": \"a\", \"checker\": \"json_schema\", \"expected\": {\"requird\": []}}", "/requird"},
      {"{\"prompt\": \"a\", \"checker\": \"json\", \"tokens\": 0}", "from 1 to"},
      {"{\"prompt\": \"a\", \"checker\": \"json\", \"stop\": [\"\"]}", "\"stop\""},
      {"{\"prompt\": \"a\", \"checker\": \"json\", \"stops\": []}", "unknown key \"stops\""},
      {"{\"question\": \"a\", \"answer\": \"#### 1\"}", "\"prompt\" must be a text"},
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

// Data sets, by hand in the formats of the public ones.
TEST(Loaders, DataSetsAreRecognisedByTheirItems) {
  const auto gsm8k = task(
      "{\"question\": \"Two ducks lay 600 eggs each. How many?\", \"answer\": \"2*600=<<2*600=1200>>1200\\n#### "
      "1,200\"}\n");
  ASSERT_TRUE(gsm8k) << gsm8k.error().message;
  EXPECT_EQ(gsm8k->name, "gsm8k");
  EXPECT_EQ(gsm8k->items[0].checker->check("First 600, so it is 1200.00 eggs."), Outcome::passed);
  EXPECT_EQ(gsm8k->items[0].checker->check("#### 120"), Outcome::failed);

  const auto code = task(
      "{\"task_id\": \"T/0\", \"prompt\": \"def twice(n):\\n\", \"entry_point\": \"twice\", \"test\": \"def "
      "check(f):\\n    assert f(2) == 4\\n\"}\n");
  ASSERT_TRUE(code) << code.error().message;
  EXPECT_EQ(code->name, "humaneval");
  EXPECT_TRUE(code->items[0].plain);
  EXPECT_EQ(code->items[0].checker->check("    return n * 2\n"), Outcome::passed);
  EXPECT_EQ(code->items[0].checker->check("    return n\n"), Outcome::failed);

  const auto endings = task("{\"ctx\": \"A dog\", \"endings\": [\"barks.\", \"sings.\"], \"label\": \"0\"}\n");
  ASSERT_TRUE(endings) << endings.error().message;
  EXPECT_EQ(endings->items[0].choices, (std::vector<std::string>{" barks.", " sings."}));

  const auto arc = task(
      "{\"question\": {\"stem\": \"Ice is\", \"choices\": [{\"text\": \"hot\", \"label\": \"A\"}, {\"text\": \"cold\", "
      "\"label\": \"B\"}]}, \"answerKey\": \"B\"}\n");
  ASSERT_TRUE(arc) << arc.error().message;
  EXPECT_EQ(arc->items[0].answer, 1U);

  const auto mmlu = task(
      "{\"question\": \"What is ice?\", \"subject\": \"high_school_physics\", \"choices\": [\"Hot.\", \"Cold.\"], "
      "\"answer\": 1}\n");
  ASSERT_TRUE(mmlu) << mmlu.error().message;
  EXPECT_EQ(mmlu->name, "mmlu");
  EXPECT_EQ(mmlu->items[0].prompt,
            "The following are multiple choice questions (with answers) about high school physics.\n\n"
            "What is ice?\nA. Hot.\nB. Cold.\nAnswer:");
  EXPECT_EQ(mmlu->items[0].choices, (std::vector<std::string>{" A", " B"}));
  EXPECT_EQ(mmlu->items[0].answer, 1U);
  EXPECT_FALSE(task("{\"question\": \"a\", \"choices\": [\"b\", \"c\"], \"answer\": 2}\n")) << "no such choice";
  EXPECT_FALSE(task("{\"question\": \"a\", \"answer\": \"#### 1\"}\n{\"prompt\": \"a\"}\n")) << "two kinds of items";
}

TEST(Loaders, BigBenchHardIsOneDocument) {
  const auto read = task(
      "{\"examples\": [{\"input\": \"Which?\\nOptions:\\n(A) one\\n(B) two\", \"target\": \"(B)\"}, {\"input\": \"What "
      "else?\\nOptions:\\n(A) one\\n(B) two\\n(C) six\", \"target\": \"six\"}]}");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->name.starts_with("bbh_"));
  EXPECT_EQ(read->items[0].choices, (std::vector<std::string>{" (A)", " (B)"}));
  EXPECT_EQ(read->items[0].answer, 1U);
  EXPECT_TRUE(read->items[1].choices.empty()) << "its target is none of the options";
  const auto few = task(
      "{\"examples\": [{\"input\": \"not True is\", \"target\": \"False\"}, {\"input\": \"not False is\", \"target\": "
      "\"True\"}]}");
  ASSERT_TRUE(few);
  EXPECT_EQ(few->items[0].choices, (std::vector<std::string>{" False", " True"}));

  const auto shot = with_shots(*few, 1);
  ASSERT_TRUE(shot) << shot.error().message;
  EXPECT_EQ(shot->examples, "Q: not True is\nA: False\n\n");
  EXPECT_EQ(shot->items.size(), 1U) << "an example isn't asked";
  EXPECT_FALSE(with_shots(*few, 2));
  EXPECT_FALSE(with_shots(*task("{\"prompt\": \"a\", \"checker\": \"json\"}\n"), 1));
}

}  // namespace
}  // namespace steelyard::bench
