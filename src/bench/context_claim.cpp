// Whether facts are found again in a long text.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ranges>

#include "bench/claims.hpp"
#include "bench/statistics.hpp"

namespace steelyard::bench {
namespace {

constexpr u32 kShort = 1024;  // tokens of the control
constexpr u32 kReserve = 96;  // for a question
constexpr std::size_t kOthers = 3;
constexpr std::array<std::string_view, 16> kThings = {
    "red box",    "old tower", "garden gate", "blue lamp", "stone bridge", "wooden chest", "silver key",  "north door",
    "green boat", "iron safe", "white horse", "glass jar", "black piano",  "yellow tent",  "round table", "small mill"};
constexpr std::array<std::string_view, 8> kWho = {"The gardener", "A traveller", "The teacher", "My neighbour",
                                                  "The captain",  "A child",     "The baker",   "An old friend"};
constexpr std::array<std::string_view, 8> kDid = {"walked along", "looked at", "talked about", "painted",
                                                  "remembered",   "crossed",   "photographed", "waited near"};
constexpr std::array<std::string_view, 8> kWhat = {"the quiet river",  "the village square", "a field of barley",
                                                   "the market",       "the long avenue",    "a hill above the sea",
                                                   "the railway line", "the oldest orchard"};

// The same on every machine.
class Dice {
 public:
  std::size_t roll(std::size_t sides) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>(state_ >> 33U) % sides;
  }

 private:
  u64 state_ = 7;
};

std::string fact(std::size_t thing, std::size_t code) {
  return fmt::format(" The code of the {} is {}.", kThings[thing], code);
}

// `sentences` of filler with the facts spread evenly among them.
std::string text_of(std::size_t sentences, const std::array<std::size_t, kThings.size()>& codes) {
  Dice dice;
  std::string out = "Notes of a summer.";
  std::size_t next = 0;
  for (std::size_t i = 0; i < sentences; ++i) {
    while (next < kThings.size() && next * sentences / kThings.size() == i) {
      out += fact(next, codes[next]);
      ++next;
    }
    out += fmt::format(" {} {} {}.", kWho[dice.roll(8)], kDid[dice.roll(8)], kWhat[dice.roll(8)]);
  }
  return out;
}

// How many of the facts are found: the code of a thing is likelier than those of others.
Result<u64> found_in(engine::Engine& engine, u32 tokens, const engine::Listener& listener) {
  std::array<std::size_t, kThings.size()> codes{};
  Dice dice;
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = 1000 + 500 * i + dice.roll(500);
  engine::Score request;
  const u32 room = tokens - kReserve;
  // A sentence of filler has four tokens at least; what is too long is cut down by its proportion.
  std::size_t sentences = room / 4;
  for (int round = 0; round < 8; ++round) {
    SY_TRY(request.prefix, engine.tokenize({.text = text_of(sentences, codes), .special = true, .parse = false}));
    if (request.prefix.size() <= room) break;
    sentences = sentences * room / request.prefix.size();
    sentences -= std::min<std::size_t>(sentences, 1);
  }
  if (request.prefix.size() > room) return fail(ErrorCode::resource, "the model's tokens are too small for the probe");
  for (std::size_t thing = 0; thing < kThings.size(); ++thing) {
    for (std::size_t k = 0; k <= kOthers; ++k) {
      const std::size_t code = codes[(thing + k * 5) % codes.size()];
      SY_TRY(engine::Tokens words, engine.tokenize({.text = fact(thing, code), .special = false, .parse = false}));
      request.continuations.push_back({.tokens = std::move(words)});
    }
  }
  SY_TRY(const auto scores, engine.score(request, listener));
  u64 found = 0;
  for (std::size_t thing = 0; thing < kThings.size(); ++thing) {
    std::array<double, kOthers + 1> sums{};
    for (std::size_t k = 0; k < sums.size(); ++k) {
      for (const float value : scores[thing * sums.size() + k].logprobs) sums[k] += static_cast<double>(value);
    }
    found += std::ranges::all_of(sums | std::views::drop(1), [&](double other) { return sums[0] > other; }) ? 1U : 0U;
  }
  return found;
}

}  // namespace

Result<Found> probe_context(engine::Engine& engine, u32 tokens, u32 claimed, const engine::Listener& listener) {
  SY_TRY(const u64 control, found_in(engine, kShort, {}));
  SY_TRY(const u64 found, found_in(engine, tokens, listener));
  const u64 n = kThings.size();
  const std::string why =
      fmt::format("of {} facts {} are found in {} tokens, {} in {}", n, found, tokens, control, kShort);
  const Measurement here = share(found, n), there = share(control, n);
  if (std::stod(there.interval[0]) < 0.5) return Found{"undetermined", why + ": too few in the short text to tell"};
  if (std::stod(here.interval[1]) < std::stod(there.interval[0])) return Found{"refuted", why};
  if (std::stod(here.interval[0]) < 0.5) return Found{"undetermined", why};
  if (tokens < claimed) return Found{"undetermined", fmt::format("{}; {} are claimed", why, claimed)};
  return Found{"confirmed", why};
}

}  // namespace steelyard::bench
