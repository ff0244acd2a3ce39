#include "engine/worker/model.hpp"

#include <chat.h>
#include <llama-ext.h>
#include <llama.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>

#include "engine/worker/kernels.hpp"

namespace steelyard::engine {
namespace {

constexpr u32 kBatch = 2048;
constexpr u32 kMostSequences = 256;

u64 microseconds() {
  using namespace std::chrono;
  return static_cast<u64>(duration_cast<std::chrono::microseconds>(steady_clock::now().time_since_epoch()).count());
}

[[noreturn]] void refuse(const std::string& why) { throw std::runtime_error(why); }

// A batch of llama.cpp whose tokens each belong to one sequence.
class Batch {
 public:
  explicit Batch(u32 size) : batch_(llama_batch_init(static_cast<std::int32_t>(size), 0, 1)) {}
  ~Batch() { llama_batch_free(batch_); }
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;

  std::int32_t add(Token token, std::size_t position, u32 sequence, bool output) {
    const std::int32_t at = batch_.n_tokens++;
    batch_.token[at] = token;
    batch_.pos[at] = static_cast<llama_pos>(position);
    batch_.n_seq_id[at] = 1;
    batch_.seq_id[at][0] = static_cast<llama_seq_id>(sequence);
    batch_.logits[at] = output ? 1 : 0;
    return at;
  }
  u32 size() const { return static_cast<u32>(batch_.n_tokens); }
  void decode(llama_context* context) {
    if (batch_.n_tokens == 0) return;
    const int status = llama_decode(context, batch_);
    if (status == 2) refuse("cancelled");
    if (status != 0) refuse("decoding failed (" + std::to_string(status) + ")");
    batch_.n_tokens = 0;
  }

 private:
  llama_batch batch_;
};

using Sampler = std::unique_ptr<llama_sampler, void (*)(llama_sampler*)>;

// Nothing for plain greedy answers.
Sampler sampler(const Sampling& s, u32 vocabulary, u32 number) {
  Sampler chain(llama_sampler_chain_init(llama_sampler_chain_default_params()), llama_sampler_free);
  const bool penalised = s.penalty_repeat != 1 || s.penalty_frequency != 0 || s.penalty_presence != 0;
  if (penalised)
    llama_sampler_chain_add(chain.get(),
                            llama_sampler_init_penalties(static_cast<std::int32_t>(vocabulary), s.penalty_last,
                                                         s.penalty_repeat, s.penalty_frequency, s.penalty_presence));
  if (s.temperature <= 0) {
    if (!penalised) return {nullptr, llama_sampler_free};  // likeliest() needs no list of candidates
    llama_sampler_chain_add(chain.get(), llama_sampler_init_greedy());
    return chain;
  }
  llama_sampler_chain_add(chain.get(), llama_sampler_init_top_k(s.top_k));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_top_p(s.top_p, 1));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_min_p(s.min_p, 1));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_temp(s.temperature));
  llama_sampler_chain_add(chain.get(), llama_sampler_init_dist(s.seed + number));
  return chain;
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

void check_tokens(const Tokens& tokens, u32 vocabulary) {
  for (const Token token : tokens) {
    if (token < 0 || static_cast<u32>(token) >= vocabulary) refuse("no such token: " + std::to_string(token));
  }
}

}  // namespace

Model::Model(std::FILE* file, const Load& load, const std::function<bool()>& cancelled, const Tell& tell)
    : cancelled_(cancelled), model_(nullptr, llama_model_free), context_(nullptr, llama_free) {
  if (load.context == 0 || load.sequences == 0 || load.sequences > kMostSequences || load.threads == 0)
    refuse("impossible parameters of a load");
  const u64 begin = microseconds();
  llama_model_params wanted = llama_model_default_params();
  wanted.n_gpu_layers = 0;
  const Kernels kernels = choose_kernels(file, load.fastest);
  wanted.use_extra_bufts = kernels.repack;
  exact_ = kernels.exact && load.threads == 1;  // a product split between threads may add up in another order
  struct Listener {
    const Tell& tell;
    const std::function<bool()>& cancelled;
  } listener{tell, cancelled_};
  wanted.progress_callback_user_data = &listener;
  wanted.progress_callback = [](float part, void* data) {
    const auto* to = static_cast<Listener*>(data);
    to->tell(static_cast<u64>(part * 100), 100);
    return !to->cancelled();
  };
  model_.reset(llama_model_load_from_file_ptr(file, wanted));
  std::fclose(file);
  if (!model_) refuse("llama.cpp can't load this file");
  vocab_ = llama_model_get_vocab(model_.get());
  sequences_ = load.sequences;
  length_ = load.context;
  batch_ = std::min(kBatch, std::max<u32>(512, load.sequences));
  llama_context_params shape = llama_context_default_params();
  shape.n_ctx = load.context * load.sequences;
  shape.n_batch = batch_;
  shape.n_ubatch = std::min<u32>(batch_, 512);
  shape.n_seq_max = load.sequences;
  shape.n_threads = static_cast<std::int32_t>(load.threads);
  shape.n_threads_batch = shape.n_threads;
  shape.kv_unified = false;
  shape.no_perf = true;
  shape.abort_callback = [](void* data) { return (*static_cast<std::function<bool()>*>(data))(); };
  shape.abort_callback_data = &cancelled_;
  context_.reset(llama_init_from_model(model_.get(), shape));
  if (!context_) refuse("no context of that size can be made");
  load_ms_ = (microseconds() - begin) / 1000;
}

Model::~Model() = default;

u32 Model::vocabulary() const { return static_cast<u32>(llama_vocab_n_tokens(vocab_)); }

Loaded Model::describe() const {
  Loaded out;
  char text[256] = {};
  llama_model_desc(model_.get(), text, sizeof(text));
  out.description = text;
  out.parameters = llama_model_n_params(model_.get());
  out.bytes = llama_model_size(model_.get());
  out.vocabulary = vocabulary();
  out.trained_context = static_cast<u32>(llama_model_n_ctx_train(model_.get()));
  out.width = static_cast<u32>(llama_model_n_embd_out(model_.get()));
  out.adds_bos = llama_vocab_get_add_bos(vocab_);
  out.bos = llama_vocab_bos(vocab_);
  if (const char* source = llama_model_chat_template(model_.get(), nullptr)) out.chat_template = source;
  out.milliseconds = load_ms_;
  for (const auto& [type, part] : llama_get_memory_breakdown(context_.get())) {
    out.cache_bytes += part.context;
    out.compute_bytes += part.compute;
  }
  out.exact = exact_;
  return out;
}

Tokens Model::tokenize(const Tokenize& request) const {
  Tokens out(request.text.size() + 8);
  const std::int32_t count =
      llama_tokenize(vocab_, request.text.data(), static_cast<std::int32_t>(request.text.size()), out.data(),
                     static_cast<std::int32_t>(out.size()), request.special, request.parse);
  if (count < 0) refuse("the text gives more tokens than it has bytes");
  out.resize(static_cast<std::size_t>(count));
  return out;
}

std::string Model::piece(Token token) const {
  std::string out(64, '\0');
  std::int32_t size = llama_token_to_piece(vocab_, token, out.data(), static_cast<std::int32_t>(out.size()), 0, true);
  if (size < 0) {
    out.resize(static_cast<std::size_t>(-size));
    size = llama_token_to_piece(vocab_, token, out.data(), static_cast<std::int32_t>(out.size()), 0, true);
  }
  out.resize(static_cast<std::size_t>(std::max(size, 0)));
  return out;
}

std::string Model::apply(const ApplyTemplate& request) {
  if (llama_model_chat_template(model_.get(), nullptr) == nullptr) refuse("the model has no chat template");
  if (!templates_) templates_ = common_chat_templates_init(model_.get(), "");
  common_chat_templates_inputs inputs;
  for (const Message& message : request.messages) {
    common_chat_msg one;
    one.role = message.role;
    one.content = message.content;
    inputs.messages.push_back(std::move(one));
  }
  inputs.add_generation_prompt = request.answer;
  return common_chat_templates_apply(templates_.get(), inputs).prompt;
}

// Into sequence 0, and from there into all others; the memory is empty.
void Model::decode_prefix(const Tokens& prefix) {
  auto* memory = llama_get_memory(context_.get());
  Batch batch(batch_);
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    batch.add(prefix[i], i, 0, false);
    if (batch.size() == batch_) batch.decode(context_.get());
  }
  batch.decode(context_.get());
  if (prefix.empty()) return;
  for (u32 sequence = 1; sequence < sequences_; ++sequence)
    llama_memory_seq_cp(memory, 0, static_cast<llama_seq_id>(sequence), -1, -1);
}

void Model::generate(const Generate& request, const std::function<void(Generated)>& give, const Tell& tell) {
  check_tokens(request.prefix, vocabulary());
  Tokens prefix = request.prefix;
  // The last token of the prefix is decoded with each prompt: what comes after it has to be seen there.
  const bool bare = std::ranges::any_of(request.prompts, &Tokens::empty);
  const Token last = bare && !prefix.empty() ? prefix.back() : -1;
  if (bare && last < 0) refuse("a prompt without a token");
  if (bare) prefix.pop_back();
  for (const Tokens& prompt : request.prompts) check_tokens(prompt, vocabulary());

  auto* memory = llama_get_memory(context_.get());
  llama_memory_clear(memory, true);
  const u64 begin = microseconds();
  decode_prefix(prefix);
  struct Slot {
    bool busy = false;
    Generated out;
    Tokens waiting;            // to be decoded
    std::size_t position = 0;  // of the next token
    std::int32_t output = -1;  // index of its logits in the batch
    Sampler sampler{nullptr, llama_sampler_free};
  };
  std::vector<Slot> slots(std::min<std::size_t>(sequences_, request.prompts.size()));
  std::size_t next = 0;
  std::size_t finished = 0;
  Batch batch(batch_);
  const auto fill = [&](Slot& slot, u32 sequence) {
    if (next == request.prompts.size()) return;
    const auto id = static_cast<llama_seq_id>(sequence);
    const bool kept = slot.position == 0 || llama_memory_seq_rm(memory, id, static_cast<llama_pos>(prefix.size()), -1);
    slot.waiting = request.prompts[next];
    if (bare) slot.waiting.insert(slot.waiting.begin(), last);
    if (!kept) {  // recurrent models can't go back to the end of the prefix
      llama_memory_seq_rm(memory, id, -1, -1);
      slot.waiting.insert(slot.waiting.begin(), prefix.begin(), prefix.end());
    }
    slot.position = kept ? prefix.size() : 0;
    slot.out = {};
    slot.out.prompt = static_cast<u32>(next);
    slot.sampler = sampler(request.sampling, vocabulary(), slot.out.prompt);
    slot.busy = true;
    ++next;
    if (slot.position + slot.waiting.size() >= length_) {
      slot.out.stop = Stop::context;
      slot.waiting.clear();
    }
  };
  const auto leave = [&](Slot& slot) {
    slot.out.total_us = microseconds() - begin;
    give(std::move(slot.out));
    slot.busy = false;
    tell(++finished, request.prompts.size());
  };
  for (u32 i = 0; i < slots.size(); ++i) fill(slots[i], i);
  while (finished < request.prompts.size()) {
    if (cancelled_()) refuse("cancelled");
    for (u32 i = 0; i < slots.size(); ++i) {
      Slot& slot = slots[i];
      while (slot.busy && slot.waiting.empty()) {
        leave(slot);
        fill(slot, i);
      }
      slot.output = -1;
      // A prompt that doesn't fit any more goes on in the next round.
      const std::size_t count = slot.busy ? std::min<std::size_t>(slot.waiting.size(), batch_ - batch.size()) : 0;
      for (std::size_t k = 0; k < count; ++k) {
        const bool end = k + 1 == slot.waiting.size();
        const std::int32_t at = batch.add(slot.waiting[k], slot.position++, i, end);
        if (end) slot.output = at;
      }
      slot.waiting.erase(slot.waiting.begin(), slot.waiting.begin() + static_cast<std::ptrdiff_t>(count));
    }
    batch.decode(context_.get());
    for (Slot& slot : slots) {
      if (slot.output < 0) continue;
      const Token token = slot.sampler ? llama_sampler_sample(slot.sampler.get(), context_.get(), slot.output)
                                       : likeliest(llama_get_logits_ith(context_.get(), slot.output), vocabulary());
      if (slot.out.tokens.empty()) slot.out.first_us = microseconds() - begin;
      if (!request.ignore_end && llama_vocab_is_eog(vocab_, token)) {
        slot.out.stop = Stop::end;
        continue;
      }
      slot.out.tokens.push_back(token);
      slot.out.text += piece(token);
      if (slot.out.tokens.size() >= request.most) {
        slot.out.stop = Stop::length;
      } else if (slot.position + 1 >= length_) {
        slot.out.stop = Stop::context;
      } else {
        slot.waiting.push_back(token);
      }
    }
  }
}

void Model::distributions(const Tokens& tokens, std::size_t from,
                          const std::function<void(std::size_t, const float*)>& give) {
  check_tokens(tokens, vocabulary());
  if (tokens.size() > length_) refuse("more tokens than the context holds");
  llama_memory_clear(llama_get_memory(context_.get()), true);
  Batch batch(batch_);
  std::vector<std::pair<std::size_t, std::int32_t>> outputs;
  const auto flush = [&] {
    batch.decode(context_.get());
    for (const auto& [position, index] : outputs) give(position, llama_get_logits_ith(context_.get(), index));
    outputs.clear();
  };
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::int32_t at = batch.add(tokens[i], i, 0, i >= from);
    if (i >= from) outputs.emplace_back(i, at);
    if (batch.size() == batch_) flush();
  }
  flush();
}

void Model::score(const Score& request, const std::function<void(Scored)>& give, const Tell& tell) {
  if (request.prefix.empty()) refuse("nothing to continue");
  check_tokens(request.prefix, vocabulary());
  Tokens prefix = request.prefix;
  const Token last = prefix.back();
  prefix.pop_back();
  auto* memory = llama_get_memory(context_.get());
  llama_memory_clear(memory, true);
  decode_prefix(prefix);
  const u32 width = vocabulary();
  u64 done = 0;
  for (std::size_t first = 0; first < request.continuations.size();) {
    // As many continuations as there are sequences and as fit one batch.
    Batch batch(batch_);
    std::vector<std::pair<u32, std::vector<std::int32_t>>> outputs;
    while (first < request.continuations.size() && outputs.size() < sequences_) {
      const Tokens& one = request.continuations[first];
      check_tokens(one, width);
      if (one.empty()) refuse("an empty continuation");
      if (prefix.size() + 1 + one.size() > length_ || one.size() > batch_) refuse("more tokens than the context holds");
      if (batch.size() + one.size() > batch_) break;
      const auto sequence = static_cast<u32>(outputs.size());
      llama_memory_seq_rm(memory, static_cast<llama_seq_id>(sequence), static_cast<llama_pos>(prefix.size()), -1);
      std::vector<std::int32_t> at;
      for (std::size_t k = 0; k < one.size(); ++k)
        at.push_back(batch.add(k == 0 ? last : one[k - 1], prefix.size() + k, sequence, true));
      outputs.emplace_back(static_cast<u32>(first++), std::move(at));
    }
    batch.decode(context_.get());
    for (const auto& [number, at] : outputs) {
      Scored out;
      out.continuation = number;
      const Tokens& one = request.continuations[number];
      for (std::size_t k = 0; k < one.size(); ++k) {
        const float* logits = llama_get_logits_ith(context_.get(), at[k]);
        out.logprobs.push_back(static_cast<float>(logits[one[k]] - log_sum(logits, width)));
        out.best.push_back(likeliest(logits, width));
      }
      give(std::move(out));
      tell(++done, request.continuations.size());
    }
  }
}

Embedding Model::embed(const Tokens& tokens) {
  check_tokens(tokens, vocabulary());
  if (tokens.empty() || tokens.size() > std::min(length_, batch_)) refuse("no tokens, or more than the context holds");
  llama_memory_clear(llama_get_memory(context_.get()), true);
  llama_set_embeddings(context_.get(), true);
  Batch batch(batch_);
  for (std::size_t i = 0; i < tokens.size(); ++i) batch.add(tokens[i], i, 0, true);
  batch.decode(context_.get());
  llama_set_embeddings(context_.get(), false);
  const auto width = static_cast<std::size_t>(llama_model_n_embd_out(model_.get()));
  Embedding out;
  out.mean.resize(width);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const float* state = llama_get_embeddings_ith(context_.get(), static_cast<std::int32_t>(i));
    if (state == nullptr) refuse("this model gives no hidden states");
    for (std::size_t k = 0; k < width; ++k) out.mean[k] += state[k] / static_cast<float>(tokens.size());
    if (i + 1 == tokens.size()) out.last.assign(state, state + width);
  }
  return out;
}

}  // namespace steelyard::engine
