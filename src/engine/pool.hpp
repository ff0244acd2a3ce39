// Pool: the same model in several engines, of one thread each unless asked otherwise, so that requests use all cores
// and no answer depends on how many there are. What was answered before is taken from where it is kept, if the engine
// is exact. Not thread-safe. Tested by tests/cli/engine_test.py.
#pragma once

#include <optional>

#include "engine/answers.hpp"
#include "engine/engine.hpp"

namespace steelyard::engine {

class Pool {
 public:
  // `workers` engines, or as many as fit, with as many of the sequences as fit; the files are mapped by all of them.
  static Result<Pool> start(const Options& options, u32 workers);
  // Used from now on; written by finish().
  void remember(Answers answers);
  Result<bool> finish() { return answers_ ? answers_->write() : Result<bool>(true); }
  // Of one engine that runs already.
  static Pool over(std::unique_ptr<Engine> engine);
  Engine& first() { return *engines_.front(); }
  const std::vector<std::unique_ptr<Engine>>& engines() const { return engines_; }

  // As those of Engine, with the prompts shared out.
  Result<std::vector<Generated>> generate(const Generate& request, const Listener& listener = {});
  Result<std::vector<Scored>> score(const Score& request, const Listener& listener = {});

 private:
  std::vector<std::unique_ptr<Engine>> engines_;
  std::optional<Answers> answers_;
};

}  // namespace steelyard::engine
