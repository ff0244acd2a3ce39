#include "engine/needs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.hpp"
#include "base/text.hpp"

namespace steelyard::engine {
namespace {

constexpr u64 kSpace = u64{1} << 46;            // nobody has more
constexpr u64 kFixed = u64{2} << 30;            // of address space, for buffers of any model
constexpr u64 kThread = u64{256} << 20;         // that a thread's stack and allocator reserve
constexpr u64 kUnknownPerToken = u64{1} << 18;  // of a model whose header doesn't tell

u64 sum(u64 a, u64 b) { return checked_add(a, b).value_or(UINT64_MAX); }
u64 product(u64 a, u64 b) { return checked_mul(a, b).value_or(UINT64_MAX); }

u64 tokens(const Load& load) { return product(load.context, load.sequences); }

// Of an engine, for its context.
u64 context(const Needs& needs, const Load& load) {
  const bool plain = !load.fastest && load.context <= kMostPlain;
  const u64 position = sum(needs.per_position, plain ? needs.plain_per_position : 0);
  return sum(product(tokens(load), needs.per_token), product(load.context, position));
}

}  // namespace

u64 Needs::bytes(const Load& load, u32 engines) const {
  return sum(shared, product(engines, sum(own, context(*this, load))));
}

Result<bool> Needs::check(const Load& load) const {
  if (available == 0 || bytes(load) <= available) return true;
  return fail(
      ErrorCode::resource,
      fmt::format("too little memory: the model takes about {} with a context of {} tokens{}, and {} are available",
                  text::human_bytes(bytes(load)), load.context,
                  load.sequences == 1 ? "" : fmt::format(" in {} sequences", load.sequences),
                  text::human_bytes(available)));
}

void Needs::fit(Load& load, u32& engines) const {
  while (available > 0 && bytes(load, engines) > available) {
    if (load.sequences > 1)
      load.sequences = (load.sequences + 1) / 2;
    else if (engines > 1)
      --engines;
    else
      return;
  }
}

u64 Needs::address_space(const Load& load, u64 files) const {
  const u64 context = per_token == 0 ? product(tokens(load), kUnknownPerToken) : engine::context(*this, load);
  const u64 fixed = sum(kFixed, product(load.threads, kThread));
  return std::min(kSpace, sum(sum(product(3, files), fixed), context));
}

}  // namespace steelyard::engine
