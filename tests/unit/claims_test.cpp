// Probes of claims against scripted models: one that has the ability and one that hasn't, for each.
#include "bench/claims.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace steelyard::bench {
namespace {

using engine::Tokens;
using engine::Type;

// A model of bytes: what it says and how likely it finds a text are functions.
struct Mind {
  std::function<std::string(const std::string& prompt)> says = [](const auto&) { return ""; };
  std::function<double(const std::string& before, const std::string& text)> likes = [](const auto&, const auto&) {
    return 0.0;
  };
};

std::string text_of(const Tokens& tokens) {
  std::string out;
  for (const engine::Token token : tokens) out += static_cast<char>(token);
  return out;
}

class Scripted final : public engine::Channel {
 public:
  explicit Scripted(Mind mind) : mind_(std::move(mind)) { give(Type::hello, engine::Hello{{"seccomp"}, ""}); }

  Result<bool> send(const std::vector<std::byte>& frame) override {
    const Bytes payload = Bytes(frame).subspan(engine::kFrameHead);
    switch (static_cast<Type>(frame[4])) {
      case Type::load:
        give(Type::loaded, engine::Loaded{.vocabulary = 256, .chat_template = "t"});
        break;
      case Type::tokenize: {
        engine::Tokenize request;
        EXPECT_TRUE(engine::decode(payload, request));
        engine::TokenList list;
        for (const char c : request.text) list.tokens.push_back(static_cast<unsigned char>(c));
        give(Type::tokens, list);
        break;
      }
      case Type::apply_template: {
        engine::ApplyTemplate request;
        EXPECT_TRUE(engine::decode(payload, request));
        give(Type::text, engine::Text{request.messages.back().content});
        break;
      }
      case Type::generate: {
        engine::Generate request;
        EXPECT_TRUE(engine::decode(payload, request));
        for (u32 i = 0; i < request.prompts.size(); ++i) {
          const std::string said = mind_.says(text_of(request.prefix) + text_of(request.prompts[i]));
          engine::Generated one{.prompt = i, .tokens = {1}, .text = said};
          give(Type::generated, one);
        }
        break;
      }
      case Type::score: {
        engine::Score request;
        EXPECT_TRUE(engine::decode(payload, request));
        const std::string before = text_of(request.prefix);
        for (u32 i = 0; i < request.continuations.size(); ++i) {
          const Tokens& tokens = request.continuations[i].tokens;
          engine::Scored one{
              .continuation = i, .logprobs = std::vector<float>(tokens.size()), .best = Tokens(tokens.size(), 1)};
          one.logprobs.back() = static_cast<float>(mind_.likes(before, text_of(tokens)));
          give(Type::scored, one);
        }
        break;
      }
      default:
        ADD_FAILURE() << "a request that no probe makes";
    }
    frames_.push_back({Type::done, {}});
    return true;
  }
  Result<Frame> receive(Clock::time_point, int) override {
    if (frames_.empty()) return fail(ErrorCode::resource, "silence");
    Frame frame = frames_.front();
    frames_.erase(frames_.begin());
    return frame;
  }
  void cancel() override {}
  void rearm() override {}

 private:
  template <class M>
  void give(Type type, M message) {
    const auto bytes = engine::encode(type, message);
    frames_.push_back({type, {bytes.begin() + engine::kFrameHead, bytes.end()}});
  }
  Mind mind_;
  std::vector<Frame> frames_;
};

std::unique_ptr<engine::Engine> engine_of(Mind mind) {
  auto made = engine::Engine::over(std::make_unique<Scripted>(std::move(mind)), 1);
  EXPECT_TRUE(made);
  EXPECT_TRUE((*made)->load({}));
  return std::move(*made);
}

std::string state_of(const std::string& claim, Mind mind, const std::vector<std::string>& languages = {}) {
  engine::Pool pool = engine::Pool::over(engine_of(std::move(mind)));
  const auto fact = test_claim(pool, {}, {claim, languages}, {});
  EXPECT_TRUE(fact) << (fact ? "" : fact.error().message);
  if (!fact) return "";
  EXPECT_FALSE(fact->value["why"].string().empty());
  return fact->value["state"].string();
}

// Counts the occurrences of the fact in what came before, and forgets what lies further back than `memory`.
Mind remembers(std::size_t memory) {
  return {.likes = [memory](const std::string& before, const std::string& text) {
    return before.substr(before.size() - std::min(before.size(), memory)).contains(text) ? 0.0 : -5.0;
  }};
}

TEST(Claims, Json) {
  EXPECT_EQ(state_of("json", {.says = [](const auto&) { return "{\"capital\": \"Paris\"}"; }}), "confirmed");
  EXPECT_EQ(state_of("json", {.says = [](const auto&) { return "The capital is Paris."; }}), "refuted");
}

TEST(Claims, Tools) {
  const Mind able{.says = [](const std::string& prompt) -> std::string {
    if (prompt.ends_with("Rome?")) return R"({"name": "get_weather", "arguments": {"city": "Rome"}})";
    if (prompt.ends_with("Oslo?"))
      return R"(<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}</tool_call>)";
    return prompt.ends_with("30.") ? R"({"name": "add", "arguments": {"a": 12, "b": 30}})"
                                   : R"({"name": "add", "arguments": {"a": 7, "b": 8}})";
  }};
  EXPECT_EQ(state_of("tools", able), "confirmed");
  EXPECT_EQ(state_of("tools", {.says = [](const auto&) { return "It is sunny in Rome."; }}), "refuted");
  EXPECT_EQ(state_of("tools",
                     {.says = [](const auto&) { return R"({"name": "get_weather", "arguments": {"city": "Rome"}})"; }}),
            "refuted")
      << "one call for everything";
}

TEST(Claims, Languages) {
  // Knows sentences by heart.
  const std::vector<std::string> german = {
      "Die Sonne geht im Osten auf und im Westen unter.",
      "Wasser gefriert bei null Grad und kocht bei hundert Grad.",
      "Ein Jahr hat zwölf Monate, und eine Woche hat sieben Tage.",
      "Sie öffnete die Tür mit dem Schlüssel in ihrer Hand.",
      "Paris ist die Hauptstadt von Frankreich, und Rom ist die Hauptstadt von Italien.",
      "Der Arzt arbeitet im Krankenhaus und hilft kranken Menschen.",
      "Wenn es regnet, nehmen die Leute einen Regenschirm.",
      "Der Fisch schwimmt im Wasser, und der Vogel fliegt in der Luft.",
      "Kühe fressen Gras und geben uns Milch.",
      "Im Winter ist es kalt, und im Sommer ist es warm.",
      "Der Bauer baut Weizen an, und der Bäcker backt Brot.",
      "In der Nacht sieht man den Mond und die Sterne."};
  const Mind able{.likes = [=](const std::string& before, const std::string& text) {
    return std::ranges::find(german, before + text) != german.end() ? 0.0 : -5.0;
  }};
  EXPECT_EQ(state_of("languages", able, {"de"}), "confirmed");
  EXPECT_EQ(state_of("languages", able, {"German"}), "confirmed");
  EXPECT_EQ(state_of("languages", able, {"de", "fr"}), "refuted") << "one of them isn't known";
  EXPECT_EQ(state_of("languages", able, {"de", "tlh"}), "undetermined") << "there is no probe";
  EXPECT_EQ(state_of("languages", able), "undetermined");
  EXPECT_EQ(state_of("languages", {}, {"de"}), "refuted") << "finds all equally likely";
  // Knows each ending but doesn't look at the beginning; and one that doesn't look at the order of words.
  const Mind deaf{.likes = [](const auto&, const std::string& text) { return -static_cast<double>(text.size()); }};
  EXPECT_EQ(state_of("languages", deaf, {"de"}), "refuted");
}

TEST(Claims, Context) {
  const auto state = [](Mind mind, u32 tokens, u32 claimed) {
    const auto found = probe_context(*engine_of(std::move(mind)), tokens, claimed, {});
    EXPECT_TRUE(found) << (found ? "" : found.error().message);
    return found ? std::string(found->state) : "";
  };
  EXPECT_EQ(state(remembers(1'000'000), 8192, 8192), "confirmed");
  EXPECT_EQ(state(remembers(2048), 8192, 8192), "refuted") << "sees the end of the text only";
  EXPECT_EQ(state(remembers(1'000'000), 8192, 16384), "undetermined") << "less was tried than is claimed";
  EXPECT_EQ(state(remembers(2048), 8192, 16384), "refuted");
  EXPECT_EQ(state({}, 8192, 8192), "undetermined") << "what fails in a short text says nothing about a long one";
}

}  // namespace
}  // namespace steelyard::bench
