#include "engine/worker/sampler.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace steelyard::engine {
namespace {

constexpr std::int32_t kMirostatWindow = 100;  // m of the paper (arXiv 2007.14966)
// Where DRY forgets: llama.cpp's own.
constexpr std::array kBreakers = {"\n", ":", "\"", "*"};

// The last one of the chain, which picks a token.
llama_sampler* picker(const Sampling& s, std::int32_t vocabulary, u32 seed) {
  if (s.temperature <= 0) return llama_sampler_init_greedy();
  if (s.mirostat == 1)
    return llama_sampler_init_mirostat(vocabulary, seed, s.mirostat_tau, s.mirostat_eta, kMirostatWindow);
  if (s.mirostat == 2) return llama_sampler_init_mirostat_v2(seed, s.mirostat_tau, s.mirostat_eta);
  return llama_sampler_init_dist(seed);
}

bool plain(const Sampling& s) {
  return s.temperature <= 0 && s.penalty_repeat == 1 && s.penalty_frequency == 0 && s.penalty_presence == 0 &&
         s.dry_multiplier == 0 && s.grammar.empty() && s.biases.empty();
}

}  // namespace

Sampler::Sampler(const Sampling& s, const llama_vocab* vocab, u32 number)
    : chain_(nullptr, llama_sampler_free), vocabulary_(static_cast<u32>(llama_vocab_n_tokens(vocab))) {
  if (plain(s)) return;  // likeliest() needs no list of candidates
  const auto width = static_cast<std::int32_t>(vocabulary_);
  const u32 seed = s.seed + number;
  chain_.reset(llama_sampler_chain_init(llama_sampler_chain_default_params()));
  const auto add = [&](llama_sampler* one) { llama_sampler_chain_add(chain_.get(), one); };
  if (!s.grammar.empty()) {
    llama_sampler* grammar = llama_sampler_init_grammar(vocab, s.grammar.c_str(), "root");
    if (grammar == nullptr) throw std::runtime_error("the grammar can't be read");
    add(grammar);
  }
  if (!s.biases.empty()) {
    std::vector<llama_logit_bias> biases;
    for (const Bias& one : s.biases) {
      if (one.token < 0 || one.token >= width) throw std::runtime_error("a bias of a token that doesn't exist");
      biases.push_back({one.token, one.bias});
    }
    add(llama_sampler_init_logit_bias(width, static_cast<std::int32_t>(biases.size()), biases.data()));
  }
  if (s.penalty_repeat != 1 || s.penalty_frequency != 0 || s.penalty_presence != 0)
    add(llama_sampler_init_penalties(width, s.penalty_last, s.penalty_repeat, s.penalty_frequency, s.penalty_presence));
  if (s.dry_multiplier != 0) {
    std::array breakers = kBreakers;
    add(llama_sampler_init_dry(vocab, s.dry_multiplier, s.dry_base, s.dry_allowed, s.dry_last, breakers.data(),
                               breakers.size()));
  }
  if (s.temperature > 0 && s.mirostat == 0) {
    if (s.top_n_sigma > 0) add(llama_sampler_init_top_n_sigma(s.top_n_sigma));
    add(llama_sampler_init_top_k(s.top_k));
    if (s.typical_p < 1) add(llama_sampler_init_typical(s.typical_p, 1));
    add(llama_sampler_init_top_p(s.top_p, 1));
    add(llama_sampler_init_min_p(s.min_p, 1));
    if (s.xtc_probability > 0) add(llama_sampler_init_xtc(s.xtc_probability, s.xtc_threshold, 1, seed));
  }
  if (s.temperature > 0) add(llama_sampler_init_temp_ext(s.temperature, s.dynatemp_range, s.dynatemp_exponent));
  add(picker(s, width, seed));
}

Token Sampler::next(llama_context* context, std::int32_t output) {
  if (chain_) return llama_sampler_sample(chain_.get(), context, output);
  return likeliest(llama_get_logits_ith(context, output), vocabulary_);
}

Token likeliest(const float* logits, u32 vocabulary) {
  return static_cast<Token>(std::max_element(logits, logits + vocabulary) - logits);
}

double log_sum(const float* logits, u32 vocabulary) {
  const float most = *std::max_element(logits, logits + vocabulary);
  double sum = 0;
  for (u32 i = 0; i < vocabulary; ++i) sum += std::exp(static_cast<double>(logits[i] - most));
  return static_cast<double>(most) + std::log(sum);
}

}  // namespace steelyard::engine
