#include "engine/worker/model.hpp"

#include <chat.h>
#include <llama-ext.h>
#include <llama.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>

#include "engine/worker/batch.hpp"
#include "engine/worker/columns.hpp"
#include "engine/worker/kernels.hpp"

namespace steelyard::engine {
namespace {

constexpr u32 kBatch = 2048;
constexpr u32 kMostSequences = 256;
// From 64 tokens of one sequence on llama.cpp computes attention in tiles (GGML_FA_TILE_Q), with other sums.
constexpr u32 kUntiled = 63;

[[noreturn]] void refuse(const std::string& why) { throw std::runtime_error(why); }

}  // namespace

u64 microseconds() {
  using namespace std::chrono;
  return static_cast<u64>(duration_cast<std::chrono::microseconds>(steady_clock::now().time_since_epoch()).count());
}

Model::Model(const std::vector<std::string>& files, const Load& load, const std::function<bool()>& cancelled,
             const Tell& tell)
    : cancelled_(cancelled), model_(nullptr, llama_model_free), context_(nullptr, llama_free) {
  if (load.context == 0 || load.sequences == 0 || load.sequences > kMostSequences || load.threads == 0)
    refuse("impossible parameters of a load");
  const u64 begin = microseconds();
  llama_model_params wanted = llama_model_default_params();
  wanted.n_gpu_layers = 0;
  const Kernels kernels = choose_kernels(files, load.fastest);
  wanted.use_extra_bufts = kernels.repack;
  exact_ = kernels.exact && load.threads == 1;  // a product split between threads may add up in another order
  struct Listener {
    const Tell& tell;
    const std::function<bool()>& cancelled;
  } listener{tell, cancelled_};
  wanted.progress_callback_user_data = &listener;
  wanted.progress_callback = [](float part, void* data) {
    const auto* to = static_cast<Listener*>(data);
    const auto percent = std::min<u64>(static_cast<u64>(part * 100), 100);
    to->tell({percent, 100, percent});
    return !to->cancelled();
  };
  std::vector<const char*> names;
  for (const std::string& file : files) names.push_back(file.c_str());
  model_.reset(llama_model_load_from_splits(names.data(), names.size(), wanted));
  if (!model_) refuse("llama.cpp can't load this file");
  vocab_ = llama_model_get_vocab(model_.get());
  sequences_ = load.sequences;
  length_ = load.context;
  batch_ = std::min(kBatch, std::max<u32>(512, load.sequences));
  const bool plain = kernels.exact && load.context <= kMostPlain;
  stretch_ = kernels.exact && !plain ? kUntiled : batch_;
  if (kernels.exact) compute_single_columns_alike(std::max<std::size_t>(kernels.rows, load.context + kBatch));
  llama_context_params shape = llama_context_default_params();
  shape.n_ctx = load.context * load.sequences;
  shape.n_batch = batch_;
  shape.n_ubatch = std::min<u32>(batch_, 512);
  shape.n_seq_max = load.sequences;
  shape.n_threads = static_cast<std::int32_t>(load.threads);
  shape.n_threads_batch = shape.n_threads;
  shape.kv_unified = false;
  if (plain) shape.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
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

Lanes::Shape Model::lanes_shape() const { return {.lanes = sequences_, .batch = batch_, .stretch = stretch_}; }

void Model::check_tokens(const Tokens& tokens) const {
  const u32 count = vocabulary();
  for (const Token token : tokens) {
    if (token < 0 || static_cast<u32>(token) >= count) refuse("no such token: " + std::to_string(token));
  }
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

void Model::distributions(const Tokens& tokens, std::size_t from,
                          const std::function<void(std::size_t, const float*)>& give) {
  check_tokens(tokens);
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

Embedding Model::embed(const Tokens& tokens) {
  check_tokens(tokens);
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
