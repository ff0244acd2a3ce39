#include "engine/engine.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "engine/process.hpp"
#include "io/file.hpp"

namespace steelyard::engine {
namespace {

constexpr std::size_t kMostReason = 300;
constexpr std::size_t kMostLayers = 16;
constexpr u64 kPercent = 100;

std::unexpected<Error> broken(std::string_view what) {
  return fail(ErrorCode::resource, fmt::format("the engine answered with {}", what));
}

bool known(const Tokens& tokens, u32 vocabulary) {
  return std::ranges::all_of(tokens, [&](Token token) { return token >= 0 && static_cast<u32>(token) < vocabulary; });
}

template <class Request>
u64 most_work(const Request& request, std::size_t items) {
  u64 sum = 0;
  for (std::size_t i = 0; i < items; ++i) sum += request.most_work(i);
  return sum;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::start(const Options& options) {
  SY_CHECK(options.needs.check(options.load));
  u64 files = options.reference == nullptr ? 0 : options.reference->size();
  for (const io::File* file : options.model) files += file->size();
  const u64 memory = options.memory_bytes > 0 ? options.memory_bytes : options.needs.address_space(options.load, files);
  SY_TRY(auto channel,
         launch(options.program, options.model, options.reference, memory, options.load.threads, options.sandboxed));
  SY_TRY(auto engine, over(std::move(channel), options.seconds));
  SY_CHECK(engine->load(options.load));
  if (options.reference != nullptr) {
    Load load = options.load;
    load.reference = true;
    const Loaded model = engine->loaded_;
    SY_CHECK(engine->load(load));
    engine->loaded_ = model;
  }
  return engine;
}

Result<std::unique_ptr<Engine>> Engine::over(std::unique_ptr<Channel> channel, int seconds) {
  std::unique_ptr<Engine> engine(new Engine(std::move(channel), seconds));
  SY_TRY(const Channel::Frame frame, engine->channel_->receive(Channel::Clock::now(), seconds));
  if (frame.type != Type::hello || !decode(frame.payload, engine->hello_) ||
      engine->hello_.sandbox.size() > kMostLayers)
    return fail(ErrorCode::resource, "what was started is no engine of this version");
  return engine;
}

// Frames up to `done`; `take` says whether a frame belongs there.
Result<bool> Engine::ask(const std::vector<std::byte>& request, u64 most_work, const Take& take,
                         const Listener& listener) {
  if (request.size() > kMostFrame) return fail(ErrorCode::usage, "a request of more than 16 MiB");
  channel_->rearm();
  SY_CHECK(channel_->send(request));
  u64 work = 0;
  auto heard = Channel::Clock::now();
  while (true) {
    SY_TRY(const Channel::Frame frame, channel_->receive(heard, seconds_));
    if (frame.type == Type::done && frame.payload.empty()) return true;
    if (frame.type == Type::failed) {
      Text why;
      if (!decode(frame.payload, why)) return broken("a failure that can't be read");
      return fail(ErrorCode::resource, "the engine: " + text::display(why.text, kMostReason));
    }
    if (frame.type == Type::progress) {
      Progress progress;
      if (!decode(frame.payload, progress)) return broken("progress that can't be read");
      if (progress.work > most_work) return broken("more work than there is");
      if (progress.work > work) heard = Channel::Clock::now();
      work = std::max(work, progress.work);
      if (listener) listener(std::min(progress.done, progress.total), progress.total);
      continue;
    }
    if (!take(frame)) return broken("a frame that doesn't belong there");
    heard = Channel::Clock::now();
  }
}

template <class M>
Result<M> Engine::ask_one(const std::vector<std::byte>& request, Type type, u64 most_work, const Listener& listener) {
  M answer;
  bool there = false;
  const auto take = [&](const Channel::Frame& frame) {
    if (there || frame.type != type) return false;
    there = decode(frame.payload, answer);
    return there;
  };
  SY_CHECK(ask(request, most_work, take, listener));
  if (!there) return broken("nothing");
  return answer;
}

Result<Loaded> Engine::load(const Load& load, const Listener& listener) {
  SY_TRY(loaded_, ask_one<Loaded>(encode(Type::load, load), Type::loaded, kPercent, listener));
  return loaded_;
}

Result<Tokens> Engine::tokenize(const Tokenize& request) {
  SY_TRY(TokenList list, ask_one<TokenList>(encode(Type::tokenize, request), Type::tokens));
  if (!known(list.tokens, loaded_.vocabulary)) return broken("tokens that don't exist");
  return std::move(list.tokens);
}

Result<std::string> Engine::apply_template(const ApplyTemplate& request) {
  SY_TRY(Text text, ask_one<Text>(encode(Type::apply_template, request), Type::text));
  return std::move(text.text);
}

Result<std::vector<Generated>> Engine::generate(const Generate& request, const Listener& listener) {
  std::vector<Generated> answers(request.prompts.size());
  std::vector<bool> seen(answers.size());
  const auto take = [&](const Channel::Frame& frame) {
    Generated one;
    if (frame.type != Type::generated || !decode(frame.payload, one)) return false;
    if (one.prompt >= answers.size() || seen[one.prompt] || one.tokens.size() > request.most) return false;
    if (one.stop > Stop::word || (one.stop == Stop::word && request.stops.empty()) ||
        !known(one.tokens, loaded_.vocabulary))
      return false;
    seen[one.prompt] = true;
    answers[one.prompt] = std::move(one);
    return true;
  };
  SY_CHECK(ask(encode(Type::generate, request), most_work(request, answers.size()), take, listener));
  if (std::ranges::find(seen, false) != seen.end()) return broken("fewer answers than prompts");
  return answers;
}

Result<std::vector<Scored>> Engine::score(const Score& request, const Listener& listener) {
  std::vector<Scored> scores(request.continuations.size());
  std::vector<bool> seen(scores.size());
  const auto take = [&](const Channel::Frame& frame) {
    Scored one;
    if (frame.type != Type::scored || !decode(frame.payload, one)) return false;
    if (one.continuation >= scores.size() || seen[one.continuation]) return false;
    const std::size_t length = request.continuations[one.continuation].tokens.size();
    if (one.logprobs.size() != length || one.best.size() != length || !known(one.best, loaded_.vocabulary))
      return false;
    seen[one.continuation] = true;
    scores[one.continuation] = std::move(one);
    return true;
  };
  SY_CHECK(ask(encode(Type::score, request), most_work(request, scores.size()), take, listener));
  if (std::ranges::find(seen, false) != seen.end()) return broken("fewer scores than continuations");
  return scores;
}

Result<Compared> Engine::compare(const Tokens& tokens) {
  SY_TRY(Compared out, ask_one<Compared>(encode(Type::compare, TokenList{tokens}), Type::compared));
  const std::size_t count = tokens.size() - tokens.size() / 2;
  if (out.logprobs.size() != count || out.reference.size() != count || out.divergence.size() != count ||
      out.agrees.size() != count || out.flips.size() != count)
    return broken("a comparison of another length");
  return out;
}

Result<Embedding> Engine::embed(const Tokens& tokens) {
  SY_TRY(Embedding out, ask_one<Embedding>(encode(Type::embed, TokenList{tokens}), Type::embedding));
  if (out.last.size() != loaded_.width || out.mean.size() != loaded_.width) return broken("a state of another width");
  return out;
}

}  // namespace steelyard::engine
