#include "policy/measured.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace steelyard::policy {
namespace {

constexpr std::size_t kMostDigits = 12;
constexpr std::size_t kMostDecimals = 6;

// "42", "0.125", "-3.5": up to 12 digits before the point and 6 behind it.
std::optional<i64> millionths(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto digits = [&text] {
    std::size_t count = 0;
    while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
    return count;
  };
  const std::size_t whole = digits();
  if (whole == 0 || whole > kMostDigits) return std::nullopt;
  i64 value = 0;
  for (std::size_t i = 0; i < whole; ++i) value = value * 10 + (text[i] - '0');
  text.remove_prefix(whole);
  i64 scale = kWhole;
  value *= scale;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    const std::size_t decimals = digits();
    if (decimals == 0 || decimals > kMostDecimals) return std::nullopt;
    for (std::size_t i = 0; i < decimals; ++i) value += (text[i] - '0') * (scale /= 10);
    text.remove_prefix(decimals);
  }
  if (!text.empty()) return std::nullopt;
  return negative ? -value : value;
}

std::string decimal(i64 number) {
  std::string text = fmt::format("{}.{:06}", number / kWhole, number % kWhole);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

bool matches(const Measurement& measurement, const Ask& ask) {
  if (measurement.metric != ask.metric) return false;
  return std::ranges::all_of(ask.slice.object(), [&](const auto& item) {
    const json::Value* value = measurement.slice.find(item.first);
    return value != nullptr && value->is_string() && value->string() == item.second.string();
  });
}

struct Held {
  State state = State::undetermined;
  std::string text;
};

Held hold(const Measurement& measurement, const Ask& ask, bool whole) {
  const auto value = millionths(measurement.value);
  auto low = value;
  auto high = value;
  if (measurement.interval.size() == 2) {
    low = millionths(measurement.interval[0]);
    high = millionths(measurement.interval[1]);
  }
  if (measurement.unit != ask.unit || !value || !low || !high || *low > *value || *value > *high)
    return {State::undetermined, fmt::format("{} in a form that is not understood", ask.what)};
  Held held;
  held.text = fmt::format("{} {} {}", ask.what, measurement.value, measurement.unit);
  if (low != high) held.text += fmt::format(" ({} to {})", measurement.interval[0], measurement.interval[1]);
  held.text += fmt::format(", n {}", measurement.n);
  const bool below = ask.least && *high < *ask.least;
  const bool above = ask.most && *low > *ask.most;
  const bool inside = (!ask.least || *low >= *ask.least) && (!ask.most || *high <= *ask.most);
  held.state = below || above ? State::unmet : inside && whole ? State::met : State::undetermined;
  if (inside && !whole) held.text += ", and the run was cut short";
  return held;
}

std::string bound(const Ask& ask) {
  if (ask.least) return fmt::format("at least {} {} asked", decimal(*ask.least), ask.unit);
  return fmt::format("at most {} {} asked", decimal(*ask.most), ask.unit);
}

}  // namespace

std::vector<Item> benches_of(const Inputs& inputs, const std::vector<Item>& scans, std::string_view kind) {
  std::vector<std::string_view> known;
  for (const Item& scan : scans) {
    for (const auto& subject : scan.record->subjects) {
      if (!subject.sha256.empty()) known.push_back(subject.sha256);
    }
  }
  std::vector<Item> benches = records_of(inputs, kind);
  std::erase_if(benches, [&](const Item& bench) {
    return bench.record->subjects.empty() || !std::ranges::all_of(bench.record->subjects, [&](const auto& subject) {
             return std::ranges::find(known, subject.sha256) != known.end();
           });
  });
  return benches;
}

Ruling judge(const Inputs& inputs, const Ask& ask) {
  const auto scans = records_of(inputs, "scan");
  if (scans.empty()) return not_scanned();
  const auto benches = benches_of(inputs, scans);
  auto all = benches;
  if (ask.claimed) {
    for (Item& item : benches_of(inputs, scans, "scores")) all.push_back(std::move(item));
  }
  std::vector<std::string> texts[3], cites[3];
  for (const Item& bench : all) {
    const auto& measurements = bench.record->found.measurements;
    for (std::size_t i = 0; i < measurements.size(); ++i) {
      if (!matches(measurements[i], ask)) continue;
      Held held = hold(measurements[i], ask, bench.record->status == evidence::Status::complete);
      if (bench.record->kind == "scores") held.text += ", as others claim";
      const auto state = static_cast<std::size_t>(held.state);
      texts[state].push_back(std::move(held.text));
      cites[state].push_back(bench.cite("measurements", i));
    }
  }
  const auto sentence = [&](State state) {
    const auto index = static_cast<std::size_t>(state);
    const std::size_t number = texts[index].size();
    return fmt::format("{}; {} ({})", listing(std::move(texts[index])), bound(ask), counted(number, "measurement"));
  };
  const auto cited = [&](State state) { return std::move(cites[static_cast<std::size_t>(state)]); };
  if (!texts[static_cast<std::size_t>(State::unmet)].empty()) return unmet(sentence(State::unmet), cited(State::unmet));
  if (!texts[static_cast<std::size_t>(State::undetermined)].empty())
    return undetermined(sentence(State::undetermined), cited(State::undetermined), ask.decide);
  if (!texts[static_cast<std::size_t>(State::met)].empty()) return met(sentence(State::met), cited(State::met));
  return undetermined(
      fmt::format("{} was not measured in {} of these files", ask.what, counted(benches.size(), "bench record")),
      ids_of(benches), ask.decide);
}

}  // namespace steelyard::policy
