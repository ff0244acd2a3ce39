#include "engine/pool.hpp"

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

namespace steelyard::engine {
namespace {

// Runs `work(engine, begin, end)` on contiguous shares of `count` items, a thread for each engine.
template <class Item, class Work>
Result<std::vector<Item>> share_out(std::vector<std::unique_ptr<Engine>>& engines, std::size_t count,
                                    const Listener& listener, const Work& work) {
  const std::size_t shares = std::max<std::size_t>(1, std::min(engines.size(), count));
  std::vector<std::optional<Result<std::vector<Item>>>> parts(shares);
  std::vector<std::atomic<u64>> done(shares);
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (std::size_t share = 0; share < shares; ++share) {
    threads.emplace_back([&, share] {
      const auto told = [&, share](u64 part, u64) {
        done[share] = part;
        if (!listener) return;
        u64 sum = 0;
        for (const auto& one : done) sum += one;
        const std::lock_guard lock(mutex);
        listener(sum, count);
      };
      parts[share] = work(*engines[share], count * share / shares, count * (share + 1) / shares, told);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<Item> out;
  for (auto& part : parts) {
    if (!*part) return std::unexpected(part->error());
    for (Item& item : **part) out.push_back(std::move(item));
  }
  return out;
}

}  // namespace

Result<Pool> Pool::start(const Options& options, u32 workers) {
  Pool pool;
  for (u32 i = 0; i < std::max<u32>(workers, 1); ++i) {
    SY_TRY(auto engine, Engine::start(options));
    pool.engines_.push_back(std::move(engine));
  }
  return pool;
}

Result<std::vector<Generated>> Pool::generate(const Generate& request, const Listener& listener) {
  const auto work = [&](Engine& engine, std::size_t begin, std::size_t end, const Listener& told) {
    Generate part = request;
    part.prompts.assign(request.prompts.begin() + static_cast<std::ptrdiff_t>(begin),
                        request.prompts.begin() + static_cast<std::ptrdiff_t>(end));
    part.sampling.seed += static_cast<u32>(begin);
    return engine.generate(part, told);
  };
  SY_TRY(auto answers, share_out<Generated>(engines_, request.prompts.size(), listener, work));
  for (std::size_t i = 0; i < answers.size(); ++i) answers[i].prompt = static_cast<u32>(i);
  return answers;
}

Result<std::vector<Scored>> Pool::score(const Score& request, const Listener& listener) {
  const auto work = [&](Engine& engine, std::size_t begin, std::size_t end, const Listener& told) {
    Score part = request;
    part.continuations.assign(request.continuations.begin() + static_cast<std::ptrdiff_t>(begin),
                              request.continuations.begin() + static_cast<std::ptrdiff_t>(end));
    return engine.score(part, told);
  };
  SY_TRY(auto scores, share_out<Scored>(engines_, request.continuations.size(), listener, work));
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i].continuation = static_cast<u32>(i);
  return scores;
}

}  // namespace steelyard::engine
