#include "engine/worker/self_test.hpp"

#include <ggml.h>
#include <gguf.h>
#include <llama.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::engine {
namespace {

constexpr int kWidth = 256, kHidden = 512, kHeads = 4, kVocabulary = 512, kTokens = 24;
constexpr int kHead = kWidth / kHeads;
// Of the spread of the logits; what is computed wrong is off by more than 1. With quantized weights llama.cpp rounds
// activations to eight bits too, and GPUs add up in sixteen.
constexpr double kTolerance = 0.15, kFloatTolerance = 0.01, kDeviceTolerance = 0.3, kDeviceFloatTolerance = 0.05;

using Matrix = std::vector<float>;  // rows of the output, each as long as the input

struct Random {
  u64 state = 0x9E3779B97F4A7C15;
  float next() {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<float>(static_cast<double>(state >> 40) / (1 << 24) - 0.5);
  }
};

struct Weights {
  std::map<std::string, std::array<int, 2>> shapes = {
      {"token_embd.weight", {kWidth, kVocabulary}}, {"output.weight", {kWidth, kVocabulary}},
      {"blk.0.attn_q.weight", {kWidth, kWidth}},    {"blk.0.attn_k.weight", {kWidth, kWidth}},
      {"blk.0.attn_v.weight", {kWidth, kWidth}},    {"blk.0.attn_output.weight", {kWidth, kWidth}},
      {"blk.0.ffn_gate.weight", {kWidth, kHidden}}, {"blk.0.ffn_up.weight", {kWidth, kHidden}},
      {"blk.0.ffn_down.weight", {kHidden, kWidth}},
  };
  std::map<std::string, std::vector<std::byte>> packed;
  std::map<std::string, Matrix> plain;  // what the packed ones stand for
};

Weights make(ggml_type type) {
  Weights out;
  Random random;
  for (const auto& [name, shape] : out.shapes) {
    const auto columns = static_cast<std::size_t>(shape[0]);
    const auto rows = static_cast<std::size_t>(shape[1]);
    Matrix values(columns * rows);
    const float scale = name == "token_embd.weight" ? 2.0F : 4.0F / std::sqrt(static_cast<float>(columns));
    for (float& value : values) value = random.next() * scale;
    auto& packed = out.packed[name];
    packed.resize(ggml_row_size(type, shape[0]) * rows);
    ggml_quantize_chunk(type, values.data(), packed.data(), 0, static_cast<std::int64_t>(rows), shape[0], nullptr);
    ggml_get_type_traits(type)->to_float(packed.data(), values.data(), static_cast<std::int64_t>(values.size()));
    out.plain[name] = std::move(values);
  }
  return out;
}

std::FILE* write(const Weights& weights, ggml_type type) {
  std::unique_ptr<gguf_context, void (*)(gguf_context*)> file(gguf_init_empty(), gguf_free);
  gguf_set_val_str(file.get(), "general.architecture", "llama");
  gguf_set_val_str(file.get(), "tokenizer.ggml.model", "no_vocab");
  const std::map<const char*, u32> numbers = {
      {"llama.vocab_size", kVocabulary},      {"llama.context_length", 64},
      {"llama.embedding_length", kWidth},     {"llama.block_count", 1},
      {"llama.feed_forward_length", kHidden}, {"llama.attention.head_count", kHeads},
      {"llama.rope.dimension_count", kHead},
  };
  for (const auto& [key, value] : numbers) gguf_set_val_u32(file.get(), key, value);
  gguf_set_val_f32(file.get(), "llama.attention.layer_norm_rms_epsilon", 1e-5F);
  const ggml_init_params size{.mem_size = std::size_t{1} << 20, .mem_buffer = nullptr, .no_alloc = true};
  std::unique_ptr<ggml_context, void (*)(ggml_context*)> tensors(ggml_init(size), ggml_free);
  for (const auto& [name, shape] : weights.shapes) {
    ggml_tensor* tensor = ggml_new_tensor_2d(tensors.get(), type, shape[0], shape[1]);
    ggml_set_name(tensor, name.c_str());
    tensor->data = const_cast<std::byte*>(weights.packed.at(name).data());
    gguf_add_tensor(file.get(), tensor);
  }
  std::vector<float> ones(kWidth, 1.0F);
  for (const char* name : {"output_norm.weight", "blk.0.attn_norm.weight", "blk.0.ffn_norm.weight"}) {
    ggml_tensor* tensor = ggml_new_tensor_1d(tensors.get(), GGML_TYPE_F32, kWidth);
    ggml_set_name(tensor, name);
    tensor->data = ones.data();
    gguf_add_tensor(file.get(), tensor);
  }
  std::FILE* out = ::fdopen(::memfd_create("self-test", MFD_CLOEXEC), "w+b");
  if (out == nullptr) return nullptr;
  if (gguf_write_to_file_ptr(file.get(), out, false) && std::fseek(out, 0, SEEK_SET) == 0) return out;
  std::fclose(out);
  return nullptr;
}

// --- The same model in plain loops ---

using Vector = std::vector<double>;

Vector times(const Matrix& matrix, const Vector& in) {
  Vector out(matrix.size() / in.size());
  for (std::size_t row = 0; row < out.size(); ++row) {
    for (std::size_t k = 0; k < in.size(); ++k) out[row] += static_cast<double>(matrix[row * in.size() + k]) * in[k];
  }
  return out;
}

Vector normalised(const Vector& in) {
  double square = 0;
  for (const double value : in) square += value * value;
  Vector out = in;
  for (double& value : out) value /= std::sqrt(square / static_cast<double>(in.size()) + 1e-5);
  return out;
}

// Rotates neighbouring pairs within each head, as llama.cpp does for this architecture.
void rotate(Vector& in, int position) {
  for (int head = 0; head < kHeads; ++head) {
    for (int pair = 0; pair < kHead / 2; ++pair) {
      const double angle = position * std::pow(10000.0, -2.0 * pair / kHead);
      const std::size_t at = std::size_t{kHead} * static_cast<std::size_t>(head) + 2 * static_cast<std::size_t>(pair);
      double& x = in[at];
      double& y = in[at + 1];
      const double turned = x * std::cos(angle) - y * std::sin(angle);
      y = x * std::sin(angle) + y * std::cos(angle);
      x = turned;
    }
  }
}

std::vector<Vector> expected(const Weights& weights, const std::vector<llama_token>& tokens) {
  const auto w = [&](const char* name) -> const Matrix& { return weights.plain.at(name); };
  std::vector<Vector> keys, values, out;
  for (std::size_t at = 0; at < tokens.size(); ++at) {
    const Matrix& rows = w("token_embd.weight");
    const auto begin = rows.begin() + tokens[at] * kWidth;
    Vector x(begin, begin + kWidth);
    const Vector in = normalised(x);
    Vector query = times(w("blk.0.attn_q.weight"), in);
    keys.push_back(times(w("blk.0.attn_k.weight"), in));
    values.push_back(times(w("blk.0.attn_v.weight"), in));
    rotate(query, static_cast<int>(at));
    rotate(keys.back(), static_cast<int>(at));
    Vector mixed(kWidth);
    for (std::size_t head = 0; head < kHeads; ++head) {
      Vector weight(at + 1);
      double sum = 0;
      for (std::size_t past = 0; past <= at; ++past) {
        double dot = 0;
        for (std::size_t k = head * kHead; k < (head + 1) * kHead; ++k) dot += query[k] * keys[past][k];
        weight[past] = std::exp(dot / std::sqrt(static_cast<double>(kHead)));
        sum += weight[past];
      }
      for (std::size_t past = 0; past <= at; ++past) {
        for (std::size_t k = head * kHead; k < (head + 1) * kHead; ++k)
          mixed[k] += weight[past] / sum * values[past][k];
      }
    }
    const Vector attended = times(w("blk.0.attn_output.weight"), mixed);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] += attended[k];
    const Vector second = normalised(x);
    Vector gate = times(w("blk.0.ffn_gate.weight"), second);
    const Vector up = times(w("blk.0.ffn_up.weight"), second);
    for (std::size_t k = 0; k < gate.size(); ++k) gate[k] = gate[k] / (1 + std::exp(-gate[k])) * up[k];
    const Vector down = times(w("blk.0.ffn_down.weight"), gate);
    for (std::size_t k = 0; k < x.size(); ++k) x[k] += down[k];
    out.push_back(times(w("output.weight"), normalised(x)));
  }
  return out;
}

// --- And through llama.cpp ---

// Largest difference over the spread of the logits; negative when it can't be run.
double difference(llama_model* model, const std::vector<llama_token>& tokens, const std::vector<Vector>& right,
                  bool batched) {
  llama_context_params shape = llama_context_default_params();
  shape.n_ctx = 64;
  shape.n_threads = 1;
  shape.n_threads_batch = 1;
  std::unique_ptr<llama_context, void (*)(llama_context*)> context(llama_init_from_model(model, shape), llama_free);
  if (!context) return -1;
  double worst = 0, square = 0;
  for (const double value : right.back()) square += value * value;
  const double spread = std::sqrt(square / kVocabulary);
  llama_batch batch = llama_batch_init(kTokens, 0, 1);
  bool good = true;
  for (std::size_t at = 0; good && at < tokens.size(); ++at) {
    const std::int32_t i = batch.n_tokens++;
    batch.token[i] = tokens[at];
    batch.pos[i] = static_cast<llama_pos>(at);
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = 1;
    if (batched && at + 1 < tokens.size()) continue;
    good = llama_decode(context.get(), batch) == 0;
    for (std::int32_t k = 0; good && k < batch.n_tokens; ++k) {
      const float* logits = llama_get_logits_ith(context.get(), k);
      const Vector& wanted = right[at + 1 - static_cast<std::size_t>(batch.n_tokens - k)];
      for (std::size_t v = 0; v < kVocabulary; ++v) {
        const double off = std::abs(logits[v] - wanted[v]) / spread;
        worst = off <= worst ? worst : off;  // a NaN stays
      }
    }
    batch.n_tokens = 0;
  }
  llama_batch_free(batch);
  return good ? worst : -1;
}

void mix(std::array<u64, 4>& digest, const std::vector<std::byte>& bytes) {
  for (std::size_t lane = 0; lane < digest.size(); ++lane) {
    for (const std::byte byte : bytes) digest[lane] = (digest[lane] ^ static_cast<u64>(byte)) * 0x100000001B3;
  }
}

// The worst difference of one type's weights on `device`, or on the CPU; negative when it can't be run.
double worst_of(ggml_type type, bool repacked, ggml_backend_dev_t device, std::array<u64, 4>& digest) {
  std::vector<llama_token> tokens;
  for (int i = 0; i < kTokens; ++i) tokens.push_back((i * 37 + 11) % kVocabulary);
  const Weights weights = make(type);
  for (const auto& [name, bytes] : weights.packed) mix(digest, bytes);
  const std::vector<Vector> right = expected(weights, tokens);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(write(weights, type), std::fclose);
  llama_model_params wanted = llama_model_default_params();
  std::array<ggml_backend_dev_t, 2> devices{device, nullptr};
  wanted.devices = devices.data();
  wanted.n_gpu_layers = device == nullptr ? 0 : 99;
  wanted.use_extra_bufts = repacked;
  const std::unique_ptr<llama_model, void (*)(llama_model*)> model(
      file ? llama_model_load_from_file_ptr(file.get(), wanted) : nullptr, llama_model_free);
  if (!model) return -1;
  double worst = 0;
  for (const bool batched : {false, true}) {
    const double off = difference(model.get(), tokens, right, batched);
    if (!(off >= 0)) return -1;
    worst = std::max(worst, off);
  }
  return worst;
}

struct Case {
  ggml_type type;
  bool repacked;  // as a variant may bring it
};
constexpr std::array kCases = {Case{GGML_TYPE_F16, false}, Case{GGML_TYPE_F16, true},  Case{GGML_TYPE_Q8_0, true},
                               Case{GGML_TYPE_Q4_0, true}, Case{GGML_TYPE_Q4_1, true}, Case{GGML_TYPE_Q4_K, true},
                               Case{GGML_TYPE_Q5_K, true}, Case{GGML_TYPE_Q6_K, true}};

// Says on stderr which type is wrong.
bool all_right(ggml_backend_dev_t device, std::array<u64, 4>& digest) {
  bool good = true;
  for (const auto& [type, repacked] : kCases) {
    const bool plain = type == GGML_TYPE_F16;
    const double most =
        device == nullptr ? (plain ? kFloatTolerance : kTolerance) : (plain ? kDeviceFloatTolerance : kDeviceTolerance);
    const double off = worst_of(type, repacked, device, digest);
    if (off >= 0 && off <= most) continue;
    std::fprintf(stderr, "self-test: %s is off by %g\n", ggml_type_name(type), off);
    good = false;
  }
  return good;
}

}  // namespace

int self_test() {
  llama_backend_init();
  std::array<u64, 4> digest{0xCBF29CE484222325, 0x84222325CBF29CE4, 0x9E3779B97F4A7C15, 0x7F4A7C159E3779B9};
  bool good = all_right(nullptr, digest);
  const std::array<u64, 4> answer = digest;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    const auto kind = ggml_backend_dev_type(device);
    if (kind != GGML_BACKEND_DEVICE_TYPE_GPU && kind != GGML_BACKEND_DEVICE_TYPE_IGPU) continue;
    const bool right = all_right(device, digest);
    std::printf("device %s %s: %s\n", right ? "passed" : "failed", ggml_backend_dev_name(device),
                ggml_backend_dev_description(device));
    good = good && right;
  }
  if (!good) return 1;
  std::printf("self-test %016lx%016lx%016lx%016lx\n", answer[0], answer[1], answer[2], answer[3]);
  return 0;
}

}  // namespace steelyard::engine
