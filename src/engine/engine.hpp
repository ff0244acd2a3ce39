// Engine: the client of steelyard-engine, which runs one model in a sandboxed process of its own.
//
//   SY_TRY(auto engine, Engine::start({.program = path, .model = {&file}, .load = {.context = 2048, .sequences =
//   16}})); SY_TRY(Tokens tokens, engine->tokenize({.text = "The capital of France is"}));
//   SY_TRY(std::vector<Generated> answers, engine->generate({.prefix = tokens, .prompts = {{}}, .most = 32}));
//
// A crash, a refusal or a silence of the worker is the Error of that request (ErrorCode::resource); after a crash every
// further request fails too, and a new engine may be started. What comes back is checked: numbers of answers, indices
// and tokens. Whether the model may be loaded at all is the caller's question: scan it first. One request at a time;
// cancel() may be called from another thread. Tested by tests/unit/engine_test.cpp and tests/cli/engine_test.py.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

#include "base/result.hpp"
#include "engine/needs.hpp"
#include "engine/protocol.hpp"

namespace steelyard::io {
class File;
}

namespace steelyard::engine {

// Called while a request runs, at most ten times a second.
using Listener = std::function<void(u64 done, u64 total)>;

// How frames travel: a process, or a script in tests.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual Result<bool> send(const std::vector<std::byte>& frame) = 0;
  struct Frame {
    Type type = Type::failed;
    std::vector<std::byte> payload;
  };
  using Clock = std::chrono::steady_clock;
  // The next frame, at most `seconds` after `since`.
  virtual Result<Frame> receive(Clock::time_point since, int seconds) = 0;
  virtual void cancel() = 0;
  virtual void rearm() = 0;                   // forgets an earlier cancel()
  virtual u64 peak_rss() const { return 0; }  // bytes; 0: not known
};

struct Options {
  std::filesystem::path program;        // steelyard-engine of a stack
  std::vector<const io::File*> model;   // its parts in their order; open while the engine starts
  const io::File* reference = nullptr;  // for compare()
  Load load;
  Needs needs;            // held against what this machine has
  u64 memory_bytes = 0;   // address space; 0: what follows from the needs
  int seconds = 600;      // without anything new: the worker is given up
  bool sandboxed = true;  // false: only to measure what the sandbox costs
};

class Engine {
 public:
  static Result<std::unique_ptr<Engine>> start(const Options& options);
  // Over a channel that is there: waits for the first frame, loads nothing.
  static Result<std::unique_ptr<Engine>> over(std::unique_ptr<Channel> channel, int seconds);

  const Hello& hello() const { return hello_; }
  const Loaded& loaded() const { return loaded_; }

  Result<Loaded> load(const Load& load, const Listener& listener = {});
  Result<Tokens> tokenize(const Tokenize& request);
  // The model's own chat template over a conversation.
  Result<std::string> apply_template(const ApplyTemplate& request);
  // In the order of the prompts.
  Result<std::vector<Generated>> generate(const Generate& request, const Listener& listener = {});
  // In the order of the continuations.
  Result<std::vector<Scored>> score(const Score& request, const Listener& listener = {});
  // Model and reference over the second half of `tokens`, each token with all before it.
  Result<Compared> compare(const Tokens& tokens);
  Result<Embedding> embed(const Tokens& tokens);
  void cancel() { channel_->cancel(); }
  // Resident memory of the worker at its peak, in bytes; 0 when it isn't known.
  u64 peak_rss() const { return channel_->peak_rss(); }

 private:
  Engine(std::unique_ptr<Channel> channel, int seconds) : channel_(std::move(channel)), seconds_(seconds) {}
  using Take = std::function<bool(const Channel::Frame&)>;
  // `most_work`: the most that progress can tell.
  Result<bool> ask(const std::vector<std::byte>& request, u64 most_work, const Take& take, const Listener& listener);
  template <class M>
  Result<M> ask_one(const std::vector<std::byte>& request, Type type, u64 most_work = 0, const Listener& listener = {});

  std::unique_ptr<Channel> channel_;
  int seconds_;
  Hello hello_;
  Loaded loaded_;
};

}  // namespace steelyard::engine
