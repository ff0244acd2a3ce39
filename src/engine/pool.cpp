#include "engine/pool.hpp"

#include <atomic>
#include <mutex>
#include <numeric>
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

// Asks only for what isn't known, which is known from then on. `all`: for everything, if anything is unknown.
template <class Item, class Request, class Items, class Ask>
Result<std::vector<Item>> known_or_asked(std::optional<Answers>& known, const Request& request, Items Request::* items,
                                         bool all, const Ask& ask) {
  if (!known) return ask(request);
  std::vector<Item> out((request.*items).size());
  std::vector<u32> missing;
  for (u32 i = 0; i < out.size(); ++i) {
    if (auto one = known->find(request, i))
      out[i] = std::move(*one);
    else
      missing.push_back(i);
  }
  if (missing.empty()) return out;
  if (all) {
    missing.resize(out.size());
    std::iota(missing.begin(), missing.end(), 0U);
  }
  Request rest = request;
  (rest.*items).clear();
  for (const u32 i : missing) (rest.*items).push_back((request.*items)[i]);
  SY_TRY(auto asked, ask(rest));
  for (std::size_t k = 0; k < missing.size(); ++k) {
    known->keep(request, missing[k], asked[k]);
    out[missing[k]] = std::move(asked[k]);
  }
  return out;
}

}  // namespace

Result<Pool> Pool::start(const Options& options, u32 workers) {
  Pool pool;
  Options fitting = options;
  workers = std::max<u32>(workers, 1);
  options.needs.fit(fitting.load, workers);
  for (u32 i = 0; i < workers; ++i) {
    SY_TRY(auto engine, Engine::start(fitting));
    pool.engines_.push_back(std::move(engine));
  }
  return pool;
}

Pool Pool::over(std::unique_ptr<Engine> engine) {
  Pool pool;
  pool.engines_.push_back(std::move(engine));
  return pool;
}

void Pool::remember(Answers answers) {
  if (first().loaded().exact) answers_.emplace(std::move(answers));
}

Result<std::vector<Generated>> Pool::generate(const Generate& request, const Listener& listener) {
  const auto ask = [&](const Generate& asked) {
    const auto work = [&](Engine& engine, std::size_t begin, std::size_t end, const Listener& told) {
      Generate part = asked;
      part.prompts.assign(asked.prompts.begin() + static_cast<std::ptrdiff_t>(begin),
                          asked.prompts.begin() + static_cast<std::ptrdiff_t>(end));
      part.sampling.seed += static_cast<u32>(begin);
      return engine.generate(part, told);
    };
    return share_out<Generated>(engines_, asked.prompts.size(), listener, work);
  };
  // The seed of a prompt follows from its place.
  const bool by_chance = request.sampling.temperature > 0;
  SY_TRY(auto out, known_or_asked<Generated>(answers_, request, &Generate::prompts, by_chance, ask));
  for (std::size_t i = 0; i < out.size(); ++i) out[i].prompt = static_cast<u32>(i);
  return out;
}

Result<std::vector<Scored>> Pool::score(const Score& request, const Listener& listener) {
  const auto ask = [&](const Score& asked) {
    const auto work = [&](Engine& engine, std::size_t begin, std::size_t end, const Listener& told) {
      Score part = asked;
      part.continuations.assign(asked.continuations.begin() + static_cast<std::ptrdiff_t>(begin),
                                asked.continuations.begin() + static_cast<std::ptrdiff_t>(end));
      return engine.score(part, told);
    };
    return share_out<Scored>(engines_, asked.continuations.size(), listener, work);
  };
  SY_TRY(auto out, known_or_asked<Scored>(answers_, request, &Score::continuations, false, ask));
  for (std::size_t i = 0; i < out.size(); ++i) out[i].continuation = static_cast<u32>(i);
  return out;
}

}  // namespace steelyard::engine
