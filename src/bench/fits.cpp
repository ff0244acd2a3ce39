#include "bench/fits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/checked.hpp"
#include "base/text.hpp"

namespace steelyard::bench {
namespace {

constexpr u64 kStep = 256;  // llama.cpp rounds the length of a cache up to it
constexpr u64 kMostContext = u64{1} << 28;
constexpr u64 kElement = 2;             // bytes of a 16-bit float
constexpr u64 kBatch = 512;             // tokens computed at a time
constexpr u64 kLargest = u64{1} << 56;  // beyond it no number in a header is taken for true

// Measured with the pinned llama.cpp on three models (docs/decisions.md): bytes that are resident once it has computed.
constexpr u64 kProgram = u64{12} << 20;
constexpr u64 kPerWord = 149;    // of the vocabulary: text, tables to look it up, a logit
constexpr u64 kPerMerge = 158;   // of the tokenizer
constexpr u64 kActivations = 9;  // rows of the model's width that are alive at a time, for each token of a batch
constexpr u64 kHidden = 2;       // rows of the widest matrix of a layer
constexpr u64 kMask = kBatch * kElement;  // of attention, for each token of context

// Those whose every layer keeps plain keys and values.
constexpr std::array<std::string_view, 40> kPlain = {
    "llama",     "qwen2",   "qwen2moe",   "qwen3",     "qwen3moe",   "gemma",    "gemma2",    "gemma3",
    "phi2",      "phi3",    "phimoe",     "starcoder", "starcoder2", "stablelm", "gptneox",   "gpt2",
    "falcon",    "mpt",     "bloom",      "olmo",      "olmo2",      "olmoe",    "command-r", "cohere2",
    "internlm2", "granite", "granitemoe", "smollm3",   "gpt-oss",    "exaone",   "exaone4",   "mistral3",
    "baichuan",  "orion",   "minicpm",    "qwen",      "nemotron",   "dbrx",     "xverse",    "chatglm",
};

std::optional<u64> number(const json::Value& object, const char* key) {
  const json::Value* found = object.find(key);
  return found == nullptr ? std::nullopt : found->unsigned_integer();
}

bool flag(const json::Value& object, const char* key) {
  const json::Value* found = object.find(key);
  return found != nullptr && found->is_bool() && found->boolean();
}

std::optional<u64> sum(std::initializer_list<std::optional<u64>> parts) {
  std::optional<u64> out = 0;
  for (const auto& part : parts) out = out && part ? checked_add(*out, *part) : std::nullopt;
  return out;
}

std::optional<u64> product(std::initializer_list<std::optional<u64>> parts) {
  std::optional<u64> out = 1;
  for (const auto& part : parts) out = out && part ? checked_mul(*out, *part) : std::nullopt;
  return out;
}

std::optional<u64> of(const Examination& found, std::string_view key) {
  const Fact* fact = found.fact(key);
  return fact == nullptr ? std::nullopt : fact->value.unsigned_integer();
}

// Rows of keys and values that a token leaves in all layers together.
std::optional<u64> cached_rows(const Examination& found, const json::Value& memory, std::string& why) {
  const auto plain = number(memory, "cached_rows");
  const auto fused = number(memory, "fused_rows");
  if (!plain || !fused) return std::nullopt;
  if (*fused == 0) return plain;
  const auto heads = of(found, "model.heads");
  const auto kept = found.fact("model.cached_heads") == nullptr ? heads : of(found, "model.cached_heads");
  if (!heads || !kept || *kept == 0 || *kept > *heads || *heads > 65'536) {
    why = "the numbers of heads of its attention can't be used";
    return std::nullopt;
  }
  const auto share = product({fused, 2 * *kept});
  return share ? sum({plain, *share / (*heads + 2 * *kept)}) : std::nullopt;
}

// What is said of the memory of all files together; null when one of them says nothing.
json::Value memory_of(const Examination& found) {
  constexpr std::array kSums = {"cached_rows", "fused_rows", "repacked", "repacked_avx512"};
  constexpr std::array kMost = {"width", "widest", "vocabulary"};
  constexpr std::array kFlags = {"recurrent", "compressed"};
  std::array<std::optional<u64>, kSums.size()> sums = {0, 0, 0, 0};
  std::array<u64, kMost.size()> largest{};
  std::array<bool, kFlags.size()> flags{};
  u64 parts = 0, said = 0;
  for (const Fact& fact : found.facts) {
    if (fact.key == "split.index") ++parts;
    if (fact.key != "model.memory" || !fact.value.is_object()) continue;
    ++said;
    for (std::size_t i = 0; i < kSums.size(); ++i) sums[i] = sum({sums[i], number(fact.value, kSums[i])});
    for (std::size_t i = 0; i < kMost.size(); ++i)
      largest[i] = std::max(largest[i], number(fact.value, kMost[i]).value_or(0));
    for (std::size_t i = 0; i < kFlags.size(); ++i) flags[i] = flags[i] || flag(fact.value, kFlags[i]);
  }
  if (said == 0 || (parts > 1 && parts != said)) return {};
  json::Value out = json::Object{};
  for (std::size_t i = 0; i < kSums.size(); ++i) {
    if (sums[i]) out.set(kSums[i], *sums[i]);
  }
  for (std::size_t i = 0; i < kMost.size(); ++i) out.set(kMost[i], largest[i]);
  for (std::size_t i = 0; i < kFlags.size(); ++i) out.set(kFlags[i], flags[i]);
  return out;
}

}  // namespace

std::optional<u64> Estimate::bytes(u64 context) const {
  const auto cells = checked_align(context, kStep);
  return sum({file, repacked, runtime, product({cells, per_token}), product({cells, beside})});
}

u64 Estimate::longest(u64 available) const {
  const auto fixed = bytes(0);
  const auto each = sum({per_token, beside});
  if (!fixed || !each || *each == 0 || *fixed > available) return 0;
  u64 most = trained == 0 ? kMostContext : std::min(trained, kMostContext);
  most = std::min(most, (available - *fixed) / *each);
  return most / kStep * kStep;
}

std::optional<Estimate> estimate(const Examination& found, u64 file_bytes, bool avx512, std::string& why) {
  const Fact* architecture = found.fact("model.architecture");
  const json::Value from = memory_of(found);
  why = "its header says nothing that memory could be computed from";
  if (architecture == nullptr || !architecture->value.is_string() || !from.is_object() ||
      number(from, "width").value_or(0) == 0)
    return std::nullopt;
  const std::string& name = architecture->value.string();
  if (std::ranges::find(kPlain, name) == kPlain.end()) {
    why = fmt::format("it isn't known what {} keeps for each token", text::display(name, 40));
    return std::nullopt;
  }
  if (flag(from, "recurrent") || flag(from, "compressed")) {
    why = "its layers keep something else than plain keys and values";
    return std::nullopt;
  }
  why = "the sizes in its header can't be true";
  const auto rows = cached_rows(found, from, why);
  const auto words = number(from, "vocabulary");
  const auto repacked = sum({number(from, "repacked"), avx512 ? number(from, "repacked_avx512") : u64{0}});
  const auto activations =
      product({kBatch * sizeof(float),
               sum({product({kActivations, number(from, "width")}), product({kHidden, number(from, "widest")})})});
  const auto merges = of(found, "tokenizer.merges").value_or(0);
  const auto runtime = sum({kProgram, product({words, kPerWord}), product({merges, kPerMerge}), activations});
  const auto per_token = product({rows, kElement});
  if (!rows || *rows == 0 || !repacked || *repacked > file_bytes || !runtime || !per_token || *per_token > kLargest ||
      *runtime > kLargest || file_bytes > kLargest)
    return std::nullopt;
  why.clear();
  return Estimate{file_bytes, *repacked, *runtime, *per_token, kMask, of(found, "model.context_length").value_or(0)};
}

u64 plain_attention(const Examination& found) {
  constexpr u64 kRow = kBatch * (sizeof(float) + kElement);  // scores, and their copy for the next product
  return product({of(found, "model.heads"), kRow}).value_or(0);
}

void report_fit(const Estimate& estimate, u64 available, const std::vector<u64>& contexts, Examination& into) {
  for (const u64 context : contexts) {
    const auto bytes = estimate.bytes(context);
    if (!bytes) continue;
    Measurement one;
    one.metric = "memory_estimate";
    one.slice = json::Value().set("what", "peak_rss").set("context", std::to_string(context));
    one.value = std::to_string(*bytes);
    one.unit = "byte";
    one.n = 0;
    into.measurements.push_back(std::move(one));
  }
  json::Value value = json::Value()
                          .set("file", estimate.file)
                          .set("repacked", estimate.repacked)
                          .set("runtime", estimate.runtime)
                          .set("per_token", estimate.per_token)
                          .set("beside_per_token", estimate.beside);
  if (estimate.trained > 0) value.set("trained_context", estimate.trained);
  if (available > 0) value.set("available", available).set("longest_context", estimate.longest(available));
  into.facts.push_back({"model.fits", std::move(value), std::nullopt, std::nullopt, Assurance::claimed});
}

}  // namespace steelyard::bench
