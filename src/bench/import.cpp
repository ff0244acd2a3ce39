#include "bench/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "bench/statistics.hpp"
#include "wire/json_tree.hpp"

namespace steelyard::bench {
namespace {

using wire::JsonNode;
using Kind = JsonNode::Kind;

constexpr u32 kAnalyzer = 1;
constexpr std::size_t kMostBytes = std::size_t{64} << 20;
constexpr std::size_t kMostScores = 4096;
constexpr std::size_t kName = 100;
constexpr std::string_view kPerByte = "acc_norm", kError = "_stderr";
constexpr double kZ = 1.959963984540054;

const JsonNode* at(const JsonNode& node, std::initializer_list<std::string_view> path) {
  const JsonNode* out = &node;
  for (const std::string_view key : path) out = out == nullptr ? nullptr : out->find(key);
  return out;
}

std::optional<double> number(const JsonNode* node) {
  if (node == nullptr || !node->is(Kind::number) || !node->text.empty()) return std::nullopt;
  return node->number.approximate();
}

u64 whole(const JsonNode* node) {
  return node != nullptr && node->is(Kind::number) ? node->number.whole().value_or(0) : 0;
}

struct Score {
  std::string name, filter;  // "acc", "none"
  double value = 0;
  std::optional<double> error;
};

// The scores of a task for which more is better, in the order of the file.
std::vector<Score> scores_of(const JsonNode& document, const std::string& task, const JsonNode& entries) {
  std::vector<Score> out;
  for (const auto& [key, value] : entries.members) {
    const std::size_t comma = std::min(key.find(','), key.size());
    const std::string name = key.substr(0, comma), filter = key.substr(comma);
    const auto score = number(&value);
    const JsonNode* higher = at(document, {"higher_is_better", task, name});
    const bool better = higher == nullptr ? !name.contains("perplexity") && !name.contains("bits_per")
                                          : higher->is(Kind::boolean) && higher->flag;
    if (!score || *score < 0 || *score > 1 || name.ends_with(kError) || name == "sample_len" || !better) continue;
    out.push_back({name, filter.empty() ? "" : filter.substr(1), *score,
                   number(entries.find(fmt::format("{}{}{}", name, kError, filter)))});
  }
  return out;
}

std::optional<Measurement> measurement(const Score& score, u64 n) {
  Measurement out;
  if (score.error && *score.error >= 0) {
    out.interval = {decimal(std::max(0.0, score.value - kZ * *score.error)),
                    decimal(std::min(1.0, score.value + kZ * *score.error))};
    out.level = "0.95";
    out.interval_method = "normal";
  } else if (n > 0) {
    out = share(static_cast<u64>(std::llround(score.value * static_cast<double>(n))), n);
  } else {
    return std::nullopt;
  }
  out.value = decimal(score.value);
  out.unit = "1";
  out.n = n;
  return out;
}

}  // namespace

Result<evidence::Record> import_scores(std::string_view text, evidence::Subject subject) {
  auto document =
      wire::read_json(text, {.bytes = kMostBytes, .values = 1'000'000, .dialect = wire::JsonPull::Dialect::python});
  if (!document) return std::unexpected(document.error());
  const JsonNode* results = document->find("results");
  if (results == nullptr || !results->is(Kind::object) || document->find("configs") == nullptr)
    return fail(ErrorCode::usage, "no results of lm-evaluation-harness: expected \"results\" and \"configs\"");
  const auto said = [&](std::string_view key) { return text::display(document->text_of(key), kName); };
  evidence::Record record;
  record.kind = "scores";
  record.subjects.push_back(std::move(subject));
  record.method.tool = STEELYARD_VERSION;
  record.method.analyzer = kAnalyzer;
  record.method.params = json::Value()
                             .set("format", "lm-evaluation-harness")
                             .set("version", said("lm_eval_version"))
                             .set("results", "sha256:" + sha256(text));
  const JsonNode* revision = at(*document, {"config", "model_sha"});
  const std::string commit = revision != nullptr ? text::display(revision->text, kName) : std::string();
  record.found.facts.push_back({"scores.model", json::Value().set("name", said("model_name")).set("revision", commit),
                                std::nullopt, std::nullopt, Assurance::claimed});
  auto& measurements = record.found.measurements;
  for (const auto& [task, entries] : results->members) {
    const u64 n = whole(at(*document, {"n-samples", task, "effective"}));
    const u64 original = whole(at(*document, {"n-samples", task, "original"}));
    bool first = true;
    for (const Score& score : scores_of(*document, task, entries)) {
      auto one = measurement(score, n);
      if (!one) continue;
      if (measurements.size() == kMostScores) return fail(ErrorCode::usage, "more scores than are read");
      const bool per_byte = score.name == kPerByte;
      one->metric = per_byte ? "quality_per_byte" : first ? "quality" : "score";
      first = first && per_byte;
      one->slice = json::Value()
                       .set("task", text::display(task, kName))
                       .set("score", text::display(score.name, kName))
                       .set("items", n > 0 && n == original ? "all"
                                     : n > 0                ? "a part"
                                                            : "not said");
      if (!score.filter.empty()) one->slice.set("filter", text::display(score.filter, kName));
      if (const JsonNode* shots = at(*document, {"n-shot", task}); shots != nullptr)
        one->slice.set("shots", std::to_string(whole(shots)));
      measurements.push_back(std::move(*one));
    }
  }
  if (measurements.empty())
    return fail(ErrorCode::usage, "no score between 0 and 1 with a standard error or a number of samples");
  record.run.digest_source = "hashed";
  return record;
}

}  // namespace steelyard::bench
