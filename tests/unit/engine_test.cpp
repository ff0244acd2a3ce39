// The engine's client against a scripted worker: what it asks, and what it makes of answers that aren't.
#include "engine/engine.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace steelyard::engine {
namespace {

class Script final : public Channel {
 public:
  std::deque<std::vector<std::byte>> frames;
  std::vector<std::vector<std::byte>>* sent = nullptr;
  std::vector<Clock::time_point>* heard = nullptr;

  Result<bool> send(const std::vector<std::byte>& frame) override {
    if (sent != nullptr) sent->push_back(frame);
    return true;
  }
  Result<Frame> receive(Clock::time_point since, int) override {
    if (heard != nullptr) heard->push_back(since);
    if (frames.empty()) return fail(ErrorCode::resource, "the engine crashed (SIGSEGV)");
    const auto frame = frames.front();
    frames.pop_front();
    return Frame{static_cast<Type>(frame[4]), {frame.begin() + kFrameHead, frame.end()}};
  }
  void cancel() override {}
  void rearm() override {}
};

// An engine whose model has a hundred tokens, and the frames that it will send.
std::unique_ptr<Engine> engine(std::vector<std::vector<std::byte>> frames,
                               std::vector<std::vector<std::byte>>* sent = nullptr,
                               std::vector<Channel::Clock::time_point>* heard = nullptr) {
  auto script = std::make_unique<Script>();
  script->sent = sent;
  script->heard = heard;
  script->frames = {encode(Type::hello, Hello{{"seccomp"}, ""}),
                    encode(Type::loaded, Loaded{.vocabulary = 100, .width = 2}), encode(Type::done)};
  for (auto& frame : frames) script->frames.push_back(std::move(frame));
  auto made = Engine::over(std::move(script), 1);
  EXPECT_TRUE(made);
  EXPECT_TRUE((*made)->load({}));
  return std::move(*made);
}

std::vector<std::byte> generated(u32 prompt, Tokens tokens) {
  return encode(Type::generated, Generated{.prompt = prompt, .tokens = std::move(tokens), .text = "x"});
}

std::string message(const auto& result) { return result ? "" : result.error().message; }

TEST(Engine, AnswersComeInTheOrderOfThePrompts) {
  const auto one =
      engine({encode(Type::progress, Progress{1, 2, 3}), generated(1, {7}), generated(0, {3, 4}), encode(Type::done)});
  u64 told = 0;
  const auto answers =
      one->generate({.prefix = {1}, .prompts = {{2}, {3}}, .most = 2}, [&](u64 done, u64) { told = done; });
  ASSERT_TRUE(answers) << message(answers);
  EXPECT_EQ((*answers)[0].tokens, (Tokens{3, 4}));
  EXPECT_EQ((*answers)[1].tokens, Tokens{7});
  EXPECT_EQ(told, 1U);
}

// A worker that was taken over can't keep its client waiting for ever with progress that is none.
TEST(Engine, OnlyWorkThatGrowsIsHeard) {
  const auto progress = [](u64 work) { return encode(Type::progress, Progress{0, 1, work}); };
  std::vector<Channel::Clock::time_point> heard;
  const auto one = engine({progress(1), progress(1), progress(0), progress(2), generated(0, {7}), encode(Type::done)},
                          nullptr, &heard);
  heard.clear();
  ASSERT_TRUE(one->generate({.prefix = {1}, .prompts = {{2}}, .most = 2}));
  ASSERT_EQ(heard.size(), 6U);
  EXPECT_LT(heard[0], heard[1]);
  EXPECT_EQ(heard[1], heard[2]);
  EXPECT_EQ(heard[2], heard[3]);
  EXPECT_LT(heard[3], heard[4]);

  const Generate asked{.prefix = {1}, .prompts = {{2}, {3}}, .most = 2};  // two prompts of two tokens, and two answers
  EXPECT_TRUE(engine({progress(8), generated(0, {1}), generated(1, {1}), encode(Type::done)})->generate(asked));
  EXPECT_FALSE(engine({progress(9), generated(0, {1}), generated(1, {1}), encode(Type::done)})->generate(asked));
}

TEST(Engine, WhatDoesNotBelongThereIsAnError) {
  const Generate asked{.prefix = {1}, .prompts = {{2}, {3}}, .most = 2};
  const std::vector<std::vector<std::vector<std::byte>>> wrong = {
      {generated(0, {1}), generated(0, {1}), encode(Type::done)},        // the same answer twice
      {generated(0, {1}), encode(Type::done)},                           // one is missing
      {generated(2, {1}), generated(0, {1}), encode(Type::done)},        // of no prompt
      {generated(0, {1, 2, 3}), generated(1, {1}), encode(Type::done)},  // longer than asked
      {generated(0, {100}), generated(1, {1}), encode(Type::done)},      // a token that doesn't exist
      {generated(0, {-1}), generated(1, {1}), encode(Type::done)},
      {encode(Type::generated, Generated{.prompt = 0, .tokens = {1}, .text = "x", .stop = Stop::word}),
       generated(1, {1}), encode(Type::done)},               // ended by a text, where none was to end it
      {encode(Type::scored, Scored{}), encode(Type::done)},  // of another request
      {encode(Type::generated), encode(Type::done)},         // cut short
      {encode(Type::hello, Hello{}), encode(Type::done)},
  };
  for (const auto& frames : wrong) {
    const auto answers = engine(frames)->generate(asked);
    EXPECT_FALSE(answers);
    EXPECT_NE(message(answers).find("the engine answered with"), std::string::npos) << message(answers);
  }
  std::vector<std::byte> longer = generated(0, {1});
  longer.push_back(std::byte{0});
  EXPECT_FALSE(engine({longer, generated(1, {1}), encode(Type::done)})->generate(asked)) << "bytes behind the message";
}

TEST(Engine, FailuresAreThoseOfTheRequest) {
  const auto one = engine(
      {encode(Type::failed, Text{"out of memory\x1b[2J"}), encode(Type::tokens, TokenList{{5}}), encode(Type::done)});
  EXPECT_EQ(message(one->generate({.prefix = {1}, .prompts = {{2}}})), "the engine: out of memory\\x1b[2J");
  EXPECT_EQ(one->tokenize({.text = "a"}).value_or(Tokens{}), Tokens{5});
  EXPECT_EQ(message(one->embed({1})), "the engine crashed (SIGSEGV)");
}

TEST(Engine, ScoresHaveTheLengthOfWhatWasAsked) {
  const Score asked{.prefix = {1}, .continuations = {{.tokens = {2, 3}}}};
  EXPECT_TRUE(engine({encode(Type::scored, Scored{0, {-1, -2}, {2, 9}}), encode(Type::done)})->score(asked));
  EXPECT_FALSE(engine({encode(Type::scored, Scored{0, {-1}, {2}}), encode(Type::done)})->score(asked));
  EXPECT_FALSE(engine({encode(Type::embedding, Embedding{{1, 2, 3}, {1, 2, 3}}), encode(Type::done)})->embed({1}));
}

TEST(Engine, CountsAreHeldAgainstTheBytesThatAreThere) {
  // A list that says it has four thousand million items, in twelve bytes.
  std::vector<std::byte> payload(12, std::byte{0xFF});
  TokenList list;
  EXPECT_FALSE(decode(payload, list));
  EXPECT_TRUE(list.tokens.empty());
  Generate nested;
  EXPECT_FALSE(decode(payload, nested));
  Load load;
  std::vector<std::byte> flag = encode(Type::load, Load{});
  flag[kFrameHead] = std::byte{2};
  EXPECT_FALSE(decode(Bytes(flag).subspan(kFrameHead), load)) << "a flag is 0 or 1";
}

TEST(Engine, MessagesComeBackAsTheyWere) {
  const Generate asked{.prefix = {1, 2},
                       .prompts = {{}, {3}},
                       .most = 9,
                       .ignore_end = true,
                       .sampling = {.temperature = 0.5F, .seed = 7}};
  Generate read;
  ASSERT_TRUE(decode(Bytes(encode(Type::generate, asked)).subspan(kFrameHead), read));
  EXPECT_EQ(read.prompts, asked.prompts);
  EXPECT_EQ(read.sampling.temperature, 0.5F);
  EXPECT_EQ(read.sampling.seed, 7U);
  EXPECT_TRUE(read.ignore_end);
}

}  // namespace
}  // namespace steelyard::engine
