// joblib's arrays and pickles inside pickles, as the judge sees them.
//
// Spec: joblib/numpy_pickle.py, NumpyArrayWrapper.read_array: right after BUILD of a wrapper the loader
// takes the array's bytes from the stream, or loads another pickle for arrays of objects.
// Attack resisted: bytes that are an array to joblib.load and opcodes to pickle.load.
#include <algorithm>
#include <charconv>

#include "base/checked.hpp"
#include "formats/detail/pickle_judge.hpp"

namespace steelyard::formats {
namespace {

using wire::pickle::Form;
using wire::pickle::Kind;
using wire::pickle::Node;
using wire::pickle::Value;

constexpr int kHasObject = 1;  // of a dtype's flags

std::optional<u64> natural(const Value& value) {
  if (!value.is(Kind::integer) || value.form != Form::plain || value.integer < 0) return std::nullopt;
  return static_cast<u64>(value.integer);
}

}  // namespace

// numpy.dtype(…).__setstate__((version, order, subtype, names, fields, size, alignment, flags)).
void PickleJudge::remember_dtype(const Machine& machine, const Event& event) {
  const Node* target = event.target.is(Kind::object) ? machine.node(event.target) : nullptr;
  const Node* state = event.argument.is(Kind::tuple) ? machine.node(event.argument) : nullptr;
  if (target == nullptr || state == nullptr || state->items.size() < 8 || dtypes_.size() >= 4096) return;
  const auto flags = natural(state->items[7]);
  Dtype known = dtype_of(machine, event.target).value_or(Dtype{});
  if (const auto size = natural(state->items[5]); size && *size > 0) known.size = *size;
  known.objects = known.objects || (flags && (*flags & kHasObject) != 0);
  dtypes_[target->number] = known;
}

// From the arguments of numpy.dtype('f8', …), unless its state has told more.
std::optional<PickleJudge::Dtype> PickleJudge::dtype_of(const Machine& machine, const Value& value) const {
  const Node* node = value.is(Kind::object) ? machine.node(value) : nullptr;
  if (node == nullptr) return std::nullopt;
  if (const auto known = dtypes_.find(node->number); known != dtypes_.end()) return known->second;
  const Node* arguments = machine.node(node->items[1]);
  if (arguments == nullptr || arguments->items.empty() || !arguments->items[0].is(Kind::text)) return std::nullopt;
  const std::string name = machine.text(arguments->items[0]);
  Dtype out;
  if (name.size() < 2) return std::nullopt;
  std::from_chars(name.data() + 1, name.data() + name.size(), out.size);
  if (name[0] == 'U') out.size *= 4;
  out.objects = name[0] == 'O';
  return out;
}

u64 PickleJudge::after_build(const Machine& machine, const Event& event) {
  const PickleRules rules(machine, lookup_);
  if (other_view_ || rules.type_of(event.target) != "joblib.numpy_pickle:NumpyArrayWrapper") return 0;
  const Node* state = event.argument.is(Kind::dict) ? machine.node(event.argument) : nullptr;
  if (state == nullptr) return 0;
  std::optional<Dtype> dtype;
  std::optional<u64> elements;
  bool padded = false;
  for (std::size_t i = 0; i + 1 < state->items.size(); i += 2) {
    if (!state->items[i].is(Kind::text)) continue;
    const std::string key = machine.text(state->items[i]);
    const Value& value = state->items[i + 1];
    if (key == "dtype") dtype = dtype_of(machine, value);
    if (key == "numpy_array_alignment_bytes") padded = value.is(Kind::integer);
    if (const Node* shape = machine.node(value); key == "shape" && value.is(Kind::tuple) && shape != nullptr) {
      elements = 1;
      for (const Value& length : shape->items) {
        const auto count = natural(length);
        elements = elements && count ? checked_mul(*elements, *count) : std::nullopt;
      }
    }
  }
  if (!dtype || !elements) return 0;

  // What pickle.load() makes of the same bytes: it knows no arrays.
  if (scope_ == Scope::all) {
    PickleJudge plain(findings_, loader_, Scope::harm);
    plain.other_view_ = true;
    plain.set_harm_rule("PKL019");
    Machine other(machine, plain, {.stop_at_fault = true, .fuel = 1'000'000});
    other.resume();
  }
  const u64 begin = machine.offset();
  if (dtype->objects) {
    PickleJudge inner(findings_, loader_, scope_);
    inner.other_view_ = true;
    Machine nested(machine.source(), begin, machine.source().size(), inner);
    const u64 end = nested.run().end;
    inner.finish();
    return end - begin;
  }
  u64 padding = 0;
  if (padded) {
    std::byte byte{};
    machine.source().read(begin, std::span(&byte, 1));
    padding = 1 + std::to_integer<u64>(byte);
  }
  const auto size = checked_mul(*elements, dtype->size);
  const auto skip = size ? checked_add(*size, padding) : std::nullopt;
  return skip.value_or(UINT64_MAX);
}

void PickleJudge::add_nested(const Value& value, bool given) {
  // What a loader is given was just seen as bytes.
  if (!findings_.nested.empty() && findings_.nested.back().value.offset == value.offset) {
    findings_.nested.back().given |= given;
    return;
  }
  if (findings_.nested.size() < PickleFindings::kMostNested)
    findings_.nested.push_back({value, given});
  else
    ++findings_.more_nested;
}

// A pickle in bytes: nobody may ever load it, but it was not put there for nothing.
void PickleJudge::bytes(const Machine& machine, const Value& value) {
  if (value.size < 8 || scope_ == Scope::harm) return;
  const std::string head = machine.text(value, 8);
  const bool binary = head.starts_with('\x80') && head.size() > 2 && head[1] >= 0 && head[1] <= 5;
  const bool text =
      (head.starts_with('c') || head.starts_with("(c") || head.starts_with("(i")) && value.size < (1U << 20);
  if (binary || text) add_nested(value);
}

}  // namespace steelyard::formats
