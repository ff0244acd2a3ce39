#include "engine/worker/lanes.hpp"

#include <algorithm>

namespace steelyard::engine {
namespace {

constexpr std::size_t kWorthWaiting = 8;  // tokens
constexpr std::size_t kWorthCopying = 8;
constexpr std::size_t kLookAhead = 256;  // prompts

std::size_t shared(const Tokens& a, const Tokens& b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

Lanes::Lanes(llama_context* context, const Shape& shape, std::vector<Tokens> prompts, std::vector<std::size_t> wanted)
    : context_(context),
      shape_(shape),
      prompts_(std::move(prompts)),
      wanted_(std::move(wanted)),
      lanes_(std::min<std::size_t>(shape.lanes, prompts_.size())),
      batch_(shape.batch) {
  llama_memory_clear(llama_get_memory(context_), true);
  for (u32 i = 0; i < prompts_.size(); ++i) order_.push_back(i);
  std::ranges::stable_sort(order_, [&](u32 a, u32 b) { return prompts_[a] < prompts_[b]; });
}

bool Lanes::finished() const {
  return order_.empty() && std::ranges::none_of(lanes_, [](const Lane& one) { return one.number.has_value(); });
}

u64 Lanes::held() const {
  u64 sum = 0;
  for (const Lane& lane : lanes_) sum += lane.number ? lane.held.size() : 0;
  return sum;
}

std::optional<u32> Lanes::next() {
  for (std::size_t i = 0; i < std::min(order_.size(), kLookAhead); ++i) {
    const Tokens& prompt = prompts_[order_[i]];
    std::size_t there = 0, coming = 0;
    Lane* awaited = nullptr;
    for (Lane& lane : lanes_) {
      there = std::max(there, shared(prompt, lane.held));
      const std::size_t common = lane.starting ? shared(prompt, prompts_[*lane.number]) : 0;
      if (common > coming) coming = common, awaited = &lane;
    }
    if (coming > there + kWorthWaiting) {
      awaited->until = std::min(awaited->until, coming);
      continue;
    }
    const u32 number = order_[i];
    order_.erase(order_.begin() + static_cast<std::ptrdiff_t>(i));
    return number;
  }
  return std::nullopt;
}

// Has the lane hold as much of the prompt as any does, but nothing whose logits are wanted.
void Lanes::reuse(std::size_t at, u32 number) {
  Lane& lane = lanes_[at];
  const Tokens& prompt = prompts_[number];
  llama_memory_t memory = llama_get_memory(context_);
  const auto of = [&](const Lane& one) { return std::min(shared(prompt, one.held), wanted_[number]); };
  std::size_t common = of(lane);
  const auto best = std::ranges::max_element(lanes_, {}, of);
  const auto id = static_cast<llama_seq_id>(at);
  if (of(*best) > common + kWorthCopying) {
    llama_memory_seq_rm(memory, id, -1, -1);
    llama_memory_seq_cp(memory, static_cast<llama_seq_id>(best - lanes_.begin()), id, -1, -1);
    lane.held = best->held;
    common = of(lane);
  }
  // Recurrent models can't go back.
  if (common < lane.held.size() && !llama_memory_seq_rm(memory, id, static_cast<llama_pos>(common), -1)) {
    llama_memory_seq_rm(memory, id, -1, -1);
    common = 0;
  }
  lane.held.resize(common);
  lane.waiting.assign(prompt.begin() + static_cast<std::ptrdiff_t>(common), prompt.end());
}

void Lanes::fill() {
  for (Lane& lane : lanes_) lane.until = SIZE_MAX;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i].number) continue;
    const auto number = next();
    if (!number) return;
    reuse(i, *number);
    lanes_[i].number = number;
    lanes_[i].starting = true;
  }
}

void Lanes::decode() {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    lane.outputs.clear();
    if (!lane.number) continue;
    // What doesn't fit goes on in the next round.
    const std::size_t count = std::min<std::size_t>(
        {lane.waiting.size(), shape_.stretch, shape_.batch - batch_.size(), lane.until - lane.held.size()});
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t position = lane.held.size();
      const bool wanted = position >= wanted_[*lane.number];
      const std::int32_t index = batch_.add(lane.waiting[k], position, static_cast<u32>(i), wanted);
      lane.held.push_back(lane.waiting[k]);
      if (wanted) lane.outputs.push_back({position, index});
    }
    lane.waiting.erase(lane.waiting.begin(), lane.waiting.begin() + static_cast<std::ptrdiff_t>(count));
    if (lane.waiting.empty()) lane.starting = false;
  }
  batch_.decode(context_);
}

}  // namespace steelyard::engine
