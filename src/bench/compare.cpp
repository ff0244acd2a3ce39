#include "bench/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/text.hpp"

namespace steelyard::bench {
namespace {

struct Column {
  const char* name;
  const char* metric;
  const char* key;  // of the slice
  const char* value;
};
constexpr Column kColumns[] = {{"generation", "speed", "phase", "generation"},
                               {"kl", "damage", "score", "kl"},
                               {"perplexity", "damage", "score", "perplexity"},
                               {"top_agreement", "damage", "score", "top_agreement"},
                               {"flips", "damage", "score", "flips"}};

const Measurement* find(const evidence::Record& bench, std::string_view metric, std::string_view key,
                        std::string_view value) {
  const auto& all = bench.found.measurements;
  const auto found = std::ranges::find_if(all, [&](const Measurement& one) {
    const json::Value* slice = one.slice.find(std::string(key));
    return one.metric == metric && slice != nullptr && slice->is_string() && slice->string() == value;
  });
  return found == all.end() ? nullptr : &*found;
}

double real(const std::string& decimal) { return std::strtod(decimal.c_str(), nullptr); }

struct Candidate {
  std::string name;
  u64 bytes = 0;
  u64 peak = 0;  // 0: not measured
  std::optional<double> kl = {}, kl_low = {}, kl_high = {};
};

struct Choice {
  std::optional<std::size_t> index;
  std::string why;
};

Choice choose(const std::vector<Candidate>& all, u64 memory) {
  if (memory == 0) return {{}, "how much memory there is isn't known: name it with --memory"};
  const std::string room = text::human_bytes(memory);
  std::vector<std::size_t> fitting;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].peak == 0) return {{}, fmt::format("the memory that {} takes was not measured", all[i].name)};
    if (all[i].peak <= memory) fitting.push_back(i);
  }
  if (fitting.empty()) {
    const auto least = std::ranges::min_element(all, {}, &Candidate::peak);
    return {{},
            fmt::format("none of {} fits {}: the smallest, {}, takes {}", all.size(), room, least->name,
                        text::human_bytes(least->peak))};
  }
  for (const std::size_t i : fitting) {
    if (!all[i].kl) return {{}, "what quantization changed was not measured: name --reference and --text"};
  }
  const std::size_t best = *std::ranges::min_element(fitting, {}, [&](std::size_t i) { return *all[i].kl; });
  Choice out{best, fmt::format("of the {} of {} that fit {}, it diverges least from the reference (KL {:.4f} nat)",
                               fitting.size(), all.size(), room, *all[best].kl)};
  // Smaller ones that could be as good: the interval of their divergence begins below the end of the best one's.
  const Candidate* smaller = nullptr;
  for (const std::size_t i : fitting) {
    if (i != best && all[i].bytes < all[best].bytes && *all[i].kl_low <= *all[best].kl_high &&
        (smaller == nullptr || all[i].bytes < smaller->bytes))
      smaller = &all[i];
  }
  if (smaller != nullptr)
    out.why += fmt::format("; {} is smaller, and on this much text can't be told to be worse", smaller->name);
  return out;
}

}  // namespace

evidence::Record compare(std::span<const evidence::Record> benches, u64 memory) {
  evidence::Record out;
  out.kind = "comparison";
  std::vector<Candidate> candidates;
  json::Value rows = json::Array{};
  for (const evidence::Record& bench : benches) {
    const evidence::Subject& subject = bench.subjects.front();
    u64 bytes = 0;
    for (const evidence::Subject& part : bench.subjects) bytes += part.bytes;
    out.subjects.insert(out.subjects.end(), bench.subjects.begin(), bench.subjects.end());
    out.method.tool = bench.method.tool;
    out.method.uses.push_back(evidence::id(bench));
    Candidate candidate{.name = text::display(subject.path, 80), .bytes = bytes};
    json::Value row = json::Value().set("model", subject.path).set("sha256", subject.sha256).set("bytes", bytes);
    if (const Measurement* peak = find(bench, "memory", "what", "peak_rss")) {
      candidate.peak = std::strtoull(peak->value.c_str(), nullptr, 10);
      row.set("peak_rss", candidate.peak);
    }
    for (const Column& column : kColumns) {
      const Measurement* found = find(bench, column.metric, column.key, column.value);
      if (found == nullptr) continue;
      const bool interval = found->interval.size() == 2;
      const std::string& low = interval ? found->interval[0] : found->value;
      const std::string& high = interval ? found->interval[1] : found->value;
      row.set(column.name, json::Value()
                               .set("value", found->value)
                               .set("low", low)
                               .set("high", high)
                               .set("unit", found->unit)
                               .set("n", found->n));
      if (std::string_view(column.name) == "kl") {
        candidate.kl = real(found->value);
        candidate.kl_low = real(low);
        candidate.kl_high = real(high);
      }
    }
    rows.push(std::move(row));
    candidates.push_back(std::move(candidate));
  }
  const Choice choice = choose(candidates, memory);
  json::Value value = json::Value().set("rows", std::move(rows)).set("memory", memory).set("why", choice.why);
  if (choice.index) value.set("recommended", u64{*choice.index});
  out.method.analyzer = 1;
  out.found.facts.push_back({"bench.comparison", std::move(value), std::nullopt, std::nullopt, Assurance::verified});
  return out;
}

}  // namespace steelyard::bench
