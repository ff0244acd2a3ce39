// Pool: the same model in several engines, of one thread each unless asked otherwise, so that requests use all cores
// and no answer depends on how many there are. Not thread-safe. Tested by tests/cli/engine_test.py.
#pragma once

#include "engine/engine.hpp"

namespace steelyard::engine {

class Pool {
 public:
  // `workers` engines; the files stay in the page cache and are mapped by all of them.
  static Result<Pool> start(const Options& options, u32 workers);
  Engine& first() { return *engines_.front(); }
  const std::vector<std::unique_ptr<Engine>>& engines() const { return engines_; }

  // As those of Engine, with the prompts shared out.
  Result<std::vector<Generated>> generate(const Generate& request, const Listener& listener = {});
  Result<std::vector<Scored>> score(const Score& request, const Listener& listener = {});

 private:
  std::vector<std::unique_ptr<Engine>> engines_;
};

}  // namespace steelyard::engine
