// Stack, marks and memo of the pickle machine, within a fixed amount of memory.
//
// Attacks resisted: a billion values under one mark, a billion memo entries, memo indices near 2^63.
#include "wire/pickle.hpp"

namespace steelyard::wire::pickle {
namespace {

bool is_run(const Value& value) { return value.kind == Kind::lost && value.form == Form::run; }

}  // namespace

Value Machine::pop() {
  if (stack_.size() <= fence()) return {};
  Value& top = stack_.back();
  if (is_run(top)) {
    if (--top.integer == 0) stack_.pop_back();
    return {};
  }
  const Value value = top;
  stack_.pop_back();
  return value;
}

// Whether `count` values are above the fence; then they lie one by one at the top.
bool Machine::settle(std::size_t count) {
  for (std::size_t depth = 0; depth < count; ++depth) {
    if (stack_.size() < fence() + depth + 1) return false;
    const std::size_t index = stack_.size() - 1 - depth;
    if (!is_run(stack_[index])) continue;
    if (stack_[index].integer == 1) {
      stack_[index] = {};
    } else {
      --stack_[index].integer;
      stack_.insert(stack_.begin() + static_cast<std::ptrdiff_t>(index) + 1, Value{});
    }
  }
  return true;
}

bool Machine::marker(std::size_t& begin) {
  if (marks_.empty()) {
    begin = stack_.size();
    return tolerate("mark", "there is none");
  }
  begin = marks_.back();
  marks_.pop_back();
  return true;
}

// Above each mark the first and the last values stay, those between become a count.
void Machine::collapse() {
  std::vector<Value> kept;
  std::size_t begin = 0;
  for (std::size_t segment = 0; segment <= marks_.size(); ++segment) {
    const std::size_t end = segment < marks_.size() ? marks_[segment] : stack_.size();
    const std::size_t size = end - begin;
    const std::size_t target = kept.size();
    if (size <= 3 * kKeptItems) {
      kept.insert(kept.end(), stack_.begin() + static_cast<std::ptrdiff_t>(begin),
                  stack_.begin() + static_cast<std::ptrdiff_t>(end));
    } else {
      Value run;
      run.form = Form::run;
      const std::size_t first = begin + kKeptItems + 1;
      const std::size_t last = end - kKeptItems;
      kept.insert(kept.end(), stack_.begin() + static_cast<std::ptrdiff_t>(begin),
                  stack_.begin() + static_cast<std::ptrdiff_t>(first));
      for (std::size_t i = first; i < last; ++i) run.integer += is_run(stack_[i]) ? stack_[i].integer : 1;
      kept.push_back(run);
      kept.insert(kept.end(), stack_.begin() + static_cast<std::ptrdiff_t>(last),
                  stack_.begin() + static_cast<std::ptrdiff_t>(end));
    }
    if (segment > 0) marks_[segment - 1] = static_cast<u32>(target);
    begin = end;
  }
  stack_ = std::move(kept);
}

bool Machine::put(u64 index) {
  if (!settle(1)) return tolerate("memo", "the stack is empty");
  // CPython allocates twice the index.
  if (index > static_cast<u64>(INT64_MAX) / 16) return tolerate("memo", "an index beyond any memory");
  const Value& value = stack_.back();
  out_.largest_memo = std::max(out_.largest_memo, index);
  const u64 chunk = index / kMemoChunk;
  if (chunk < kMemoChunks) {
    if (memo_.size() <= chunk) memo_.resize(chunk + 1);
    if (!memo_[chunk]) {
      memo_[chunk] = std::make_unique<std::array<Value, kMemoChunk>>();
      for (Value& entry : *memo_[chunk]) entry.kind = Kind::absent;
    }
    Value& entry = (*memo_[chunk])[index % kMemoChunk];
    if (entry.kind == Kind::absent) ++memo_length_;
    entry = value;
    return true;
  }
  if (const auto known = far_memo_.find(index); known != far_memo_.end()) {
    known->second = value;
  } else {
    ++memo_length_;
    if ((value.kind == Kind::global || value.kind == Kind::text) && far_memo_.size() < kFarMemo) {
      far_memo_.emplace(index, value);
    } else {
      memo_dropped_ = true;
    }
  }
  return true;
}

bool Machine::get(u64 index) {
  const u64 chunk = index / kMemoChunk;
  Value value;
  value.kind = Kind::absent;
  if (chunk < kMemoChunks) {
    if (chunk < memo_.size() && memo_[chunk]) value = (*memo_[chunk])[index % kMemoChunk];
  } else if (const auto known = far_memo_.find(index); known != far_memo_.end()) {
    value = known->second;
  } else if (memo_dropped_) {
    value.kind = Kind::lost;
  }
  if (value.kind == Kind::absent) {
    value.kind = Kind::lost;
    push(value);
    return tolerate("memo", "nothing was stored under this index");
  }
  push(value);
  return true;
}

}  // namespace steelyard::wire::pickle
