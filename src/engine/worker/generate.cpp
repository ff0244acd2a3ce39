// Answers and scores, many side by side.
#include <algorithm>
#include <stdexcept>

#include "engine/worker/lanes.hpp"
#include "engine/worker/model.hpp"
#include "engine/worker/sampler.hpp"

namespace steelyard::engine {
namespace {

Tokens joined(const Tokens& prefix, const Tokens& rest) {
  Tokens out = prefix;
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

// Whether one of the words ends the answer, which then ends before it. The last `added` bytes are new.
bool cut_at(const std::vector<std::string>& words, std::string& text, std::size_t added) {
  std::size_t first = std::string::npos;
  const std::size_t known = text.size() - added;
  for (const std::string& word : words)
    first = std::min(first, text.find(word, known - std::min(known, word.size() - 1)));
  if (first == std::string::npos) return false;
  text.resize(first);
  return true;
}

}  // namespace

void Model::generate(const Generate& request, const std::function<void(Generated)>& give, const Tell& tell) {
  u64 begin = microseconds();
  if (std::ranges::any_of(request.stops, &std::string::empty)) throw std::runtime_error("an empty text ends nothing");
  std::vector<Tokens> prompts;
  std::vector<std::size_t> wanted;
  std::vector<u32> numbers;  // of those that fit
  Progress progress{.total = request.prompts.size()};
  u64 finished = 0;  // of the work
  const auto leave = [&](Generated one) {
    one.total_us = microseconds() - begin;
    finished += request.most_work(one.prompt);
    ++progress.done;
    give(std::move(one));
  };
  for (u32 i = 0; i < request.prompts.size(); ++i) {
    Tokens prompt = joined(request.prefix, request.prompts[i]);
    check_tokens(prompt);
    if (prompt.empty()) throw std::runtime_error("a prompt without a token");
    if (prompt.size() >= length_) {
      leave({.prompt = i, .stop = Stop::context});
      continue;
    }
    wanted.push_back(prompt.size() - 1);
    prompts.push_back(std::move(prompt));
    numbers.push_back(i);
  }
  struct Answer {
    Generated out;
    std::optional<Sampler> sampler;
  };
  std::vector<Answer> answers(prompts.size());
  // Whether the answer goes on after this token.
  const auto goes_on = [&](Answer& answer, Token token, std::size_t held) {
    if (answer.out.tokens.empty()) answer.out.first_us = microseconds() - begin;
    answer.out.stop = Stop::end;
    if (!request.ignore_end && llama_vocab_is_eog(vocab_, token)) return false;
    answer.out.tokens.push_back(token);
    const std::string text = piece(token);
    answer.out.text += text;
    answer.out.stop = Stop::word;
    if (cut_at(request.stops, answer.out.text, text.size())) return false;
    answer.out.stop = Stop::length;
    if (answer.out.tokens.size() >= request.most) return false;
    answer.out.stop = Stop::context;
    return held + 1 < length_;
  };
  Lanes lanes(context_.get(), lanes_shape(), std::move(prompts), std::move(wanted));
  begin = microseconds();  // the memory is cleared
  for (lanes.fill(); !lanes.finished(); lanes.fill()) {
    if (cancelled_()) throw std::runtime_error("cancelled");
    lanes.decode();
    for (Lane& lane : lanes.lanes()) {
      if (lane.outputs.empty()) continue;
      Answer& answer = answers[*lane.number];
      const u32 number = numbers[*lane.number];
      if (!answer.sampler) answer.sampler.emplace(request.sampling, vocab_, number);
      const Token token = answer.sampler->next(context_.get(), lane.outputs.back().index);
      if (goes_on(answer, token, lane.held.size())) {
        lane.waiting.push_back(token);
        continue;
      }
      answer.out.prompt = number;
      leave(std::move(answer.out));
      answer.sampler.reset();
      lane.number.reset();
    }
    progress.work = finished + lanes.held();
    tell(progress);
  }
}

void Model::score(const Score& request, const std::function<void(Scored)>& give, const Tell& tell) {
  std::vector<Tokens> prompts;
  std::vector<std::size_t> wanted;
  for (const Continuation& one : request.continuations) {
    const std::size_t before = request.prefix.size() + one.context.size();
    if (before == 0) throw std::runtime_error("nothing to continue");
    if (one.tokens.empty()) throw std::runtime_error("an empty continuation");
    wanted.push_back(before - 1);
    prompts.push_back(joined(joined(request.prefix, one.context), one.tokens));
    check_tokens(prompts.back());
    if (prompts.back().size() > length_) throw std::runtime_error("more tokens than the context holds");
    prompts.back().pop_back();  // nothing comes after it
  }
  std::vector<Scored> scores(prompts.size());
  const u32 width = vocabulary();
  Progress progress{.total = request.continuations.size()};
  u64 finished = 0;
  Lanes lanes(context_.get(), lanes_shape(), std::move(prompts), std::move(wanted));
  for (lanes.fill(); !lanes.finished(); lanes.fill()) {
    if (cancelled_()) throw std::runtime_error("cancelled");
    lanes.decode();
    for (Lane& lane : lanes.lanes()) {
      if (!lane.number) continue;
      Scored& out = scores[*lane.number];
      const Continuation& one = request.continuations[*lane.number];
      const std::size_t before = request.prefix.size() + one.context.size();
      for (const auto& [position, index] : lane.outputs) {
        const float* logits = llama_get_logits_ith(context_.get(), index);
        const Token token = one.tokens[position + 1 - before];
        out.logprobs.push_back(static_cast<float>(logits[token] - log_sum(logits, width)));
        out.best.push_back(likeliest(logits, width));
      }
      if (!lane.waiting.empty()) continue;
      out.continuation = *lane.number;
      finished += request.most_work(*lane.number);
      ++progress.done;
      give(std::move(out));
      lane.number.reset();
    }
    progress.work = finished + lanes.held();
    tell(progress);
  }
}

}  // namespace steelyard::engine
