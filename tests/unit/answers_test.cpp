// Answers that are kept: found for the same question only, and never out of a file that was damaged.
#include "engine/answers.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace steelyard::engine {
namespace {

namespace fs = std::filesystem;

class AnswersTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "answers-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  Answers open(const std::string& model = "m", const std::string& engine = "e", u32 context = 64) const {
    auto out = Answers::open(folder_, model, engine, context);
    EXPECT_TRUE(out);
    return std::move(*out);
  }
  void put(const Generate& request, Tokens tokens) const {
    Answers answers = open();
    answers.keep(request, 0, Generated{.prompt = 3, .tokens = std::move(tokens), .first_us = 5});
    ASSERT_TRUE(answers.write());
  }
  fs::path file() const { return fs::directory_iterator(folder_)->path(); }

  fs::path folder_;
};

TEST_F(AnswersTest, TheSameQuestionOnly) {
  const Generate asked{.prefix = {1, 2}, .prompts = {{3}}, .most = 4};
  put(asked, {7, 8});
  const auto found = open().find(asked, 0);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->tokens, (Tokens{7, 8}));
  EXPECT_EQ(found->first_us, 0U);
  EXPECT_FALSE(open("n").find(asked, 0));
  EXPECT_FALSE(open("m", "f").find(asked, 0));
  EXPECT_FALSE(open("m", "e", 65).find(asked, 0));
  // The same tokens, however they are split, and whatever the seed of a greedy answer.
  Generate same{.prefix = {1}, .prompts = {{9}, {2, 3}}, .most = 4};
  same.sampling.seed = 12;
  ASSERT_TRUE(open().find(same, 1));
  EXPECT_EQ(open().find(same, 1)->prompt, 1U);
  EXPECT_FALSE(open().find(same, 0));
  for (const auto change : {+[](Generate& one) { one.most = 5; }, +[](Generate& one) { one.ignore_end = true; },
                            +[](Generate& one) { one.stops = {"x"}; }, +[](Generate& one) { one.sampling.top_k = 1; },
                            +[](Generate& one) { one.sampling.temperature = 1; },
                            +[](Generate& one) { one.sampling.grammar = "root ::= [0-9]"; },
                            +[](Generate& one) { one.sampling.biases = {{1, 2}}; }}) {
    Generate other = asked;
    change(other);
    EXPECT_FALSE(open().find(other, 0));
  }
}

TEST_F(AnswersTest, ASeedCountsWithItsPrompt) {
  Generate asked{.prefix = {1}, .prompts = {{3}}, .most = 4};
  asked.sampling.temperature = 1;
  asked.sampling.seed = 5;
  put(asked, {7});
  Generate later{.prefix = {1}, .prompts = {{2}, {3}}, .most = 4};
  later.sampling = asked.sampling;
  EXPECT_FALSE(open().find(later, 1));
  later.sampling.seed = 4;
  EXPECT_TRUE(open().find(later, 1));
}

TEST_F(AnswersTest, ScoresToo) {
  const Score asked{{1}, {{{}, {2}}, {{}, {3, 4}}}};
  Answers answers = open();
  answers.keep(asked, 1, Scored{.continuation = 1, .logprobs = {-1, -2}, .best = {3, 5}});
  ASSERT_TRUE(answers.write());
  ASSERT_TRUE(open().find(asked, 1));
  EXPECT_EQ(open().find(asked, 1)->logprobs, (std::vector<float>{-1, -2}));
  EXPECT_FALSE(open().find(asked, 0));
  EXPECT_TRUE(open().find(Score{{}, {{{1}, {3, 4}}}}, 0)) << "the same tokens";
  EXPECT_FALSE(open().find(Score{{}, {{{1, 3}, {4}}}}, 0)) << "another part of them";
}

TEST_F(AnswersTest, DamageEndsTheFileAndIsCutOff) {
  const Generate first{.prefix = {1}, .prompts = {{2}}}, second{.prefix = {1}, .prompts = {{3}}};
  put(first, {7});
  const auto whole = fs::file_size(file());
  put(second, {8});
  const auto both = fs::file_size(file());
  for (const auto size : {both - 1, whole + 40, whole + 3}) {
    fs::resize_file(file(), size);
    EXPECT_TRUE(open().find(first, 0));
    EXPECT_FALSE(open().find(second, 0));
    put(second, {8});
    EXPECT_TRUE(open().find(second, 0)) << "after a torn write of " << size;
    EXPECT_EQ(fs::file_size(file()), both);
  }
  std::fstream(file(), std::ios::in | std::ios::out | std::ios::binary).seekp(static_cast<std::streamoff>(whole) - 1)
      << '\x55';
  EXPECT_FALSE(open().find(first, 0));
}

TEST_F(AnswersTest, TwoWritersLoseNothing) {
  const Generate first{.prefix = {1}, .prompts = {{2}}}, second{.prefix = {1}, .prompts = {{3}}};
  Answers a = open(), b = open();
  a.keep(first, 0, Generated{.tokens = {7}});
  b.keep(second, 0, Generated{.tokens = {8}});
  ASSERT_TRUE(a.write());
  ASSERT_TRUE(b.write());
  EXPECT_TRUE(open().find(first, 0));
  EXPECT_TRUE(open().find(second, 0));
}

}  // namespace
}  // namespace steelyard::engine
