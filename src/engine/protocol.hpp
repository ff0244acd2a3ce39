// The narrow protocol between Steelyard and steelyard-engine: one frame format, one encoding of messages.
//
// A frame is u32 length, u8 type, payload; little-endian throughout. The client sends a request and reads frames
// until `done` or `failed`. Attack resisted: a worker that was taken over by its model sends what it likes, so every
// count is held against the bytes that are left, a frame has at most kMostFrame bytes, and what isn't used up is a
// fault. Plain data, no I/O. Tested by tests/unit/engine_test.cpp; fuzzed by fuzz/engine_protocol.cpp.
#pragma once

#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::engine {

using Token = std::int32_t;
using Tokens = std::vector<Token>;

inline constexpr std::size_t kMostFrame = std::size_t{16} << 20;
inline constexpr std::size_t kFrameHead = 5;
inline constexpr u32 kMostParts = 256;  // files of one model

enum class Type : u8 {
  hello = 1,  // the engine's first frame
  load,
  loaded,
  tokenize,
  tokens,
  apply_template,
  text,
  generate,
  generated,  // one per prompt, in any order
  score,
  scored,  // one per continuation
  compare,
  compared,
  embed,
  embedding,
  progress,
  failed,
  done,
};

// What the worker could establish before it read anything of the model.
struct Hello {
  std::vector<std::string> sandbox = {};  // "namespaces", "landlock:7", "seccomp", "rlimits", "no_new_privs"
  std::string variant = {};               // CPU features that it was built for
  template <class A>
  void fields(A& a) {
    a(sandbox, variant);
  }
};

// Up to this context attention is plain products: the same sums for any number of tokens, and faster than flash
// attention that isn't tiled, but with a buffer that grows with the context.
inline constexpr u32 kMostPlain = 4096;

// The model is descriptor 4, the reference (for compare) descriptor 6.
struct Load {
  bool reference = false;
  u32 context = 2048;    // tokens of one sequence
  u32 sequences = 1;     // decoded side by side
  u32 threads = 1;       // as many as the engine was started with
  bool fastest = false;  // kernels whose answers depend on what is decoded beside them: only to measure speed
  template <class A>
  void fields(A& a) {
    a(reference, context, sequences, threads, fastest);
  }
};

struct Loaded {
  std::string description = {};
  u64 parameters = 0;
  u64 bytes = 0;
  u32 vocabulary = 0;
  u32 trained_context = 0;
  u32 width = 0;  // of hidden states
  bool adds_bos = false;
  Token bos = -1;
  std::string chat_template = {};
  u64 milliseconds = 0;
  u64 cache_bytes = 0;    // key-value memory of all sequences
  u64 compute_bytes = 0;  // buffers of a computation
  bool exact = false;     // answers are the same bit for bit whatever is decoded beside them, so they may be kept
  template <class A>
  void fields(A& a) {
    a(description, parameters, bytes, vocabulary, trained_context, width, adds_bos, bos, chat_template, milliseconds,
      cache_bytes, compute_bytes, exact);
  }
};

struct Tokenize {
  std::string text = {};
  bool special = true;  // adds BOS and the like, as the model asks
  bool parse = true;    // text that reads as a special token becomes one
  template <class A>
  void fields(A& a) {
    a(text, special, parse);
  }
};

struct TokenList {
  Tokens tokens = {};
  template <class A>
  void fields(A& a) {
    a(tokens);
  }
};

struct Message {
  std::string role = {};
  std::string content = {};
  template <class A>
  void fields(A& a) {
    a(role, content);
  }
};

struct ApplyTemplate {
  std::vector<Message> messages = {};
  bool answer = true;  // ends where the assistant begins
  template <class A>
  void fields(A& a) {
    a(messages, answer);
  }
};

struct Text {
  std::string text = {};
  template <class A>
  void fields(A& a) {
    a(text);
  }
};

struct Bias {
  Token token = 0;
  float bias = 0;  // added to its logit
  template <class A>
  void fields(A& a) {
    a(token, bias);
  }
};

// As llama.cpp names and orders them: grammar, biases, penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p, XTC,
// (dynamic) temperature. Mirostat takes the place of all those between penalties and temperature.
struct Sampling {
  float temperature = 0;  // 0: greedy
  std::int32_t top_k = 40;
  float top_p = 0.95F;
  float min_p = 0.05F;
  float typical_p = 1;
  float top_n_sigma = -1;
  float xtc_probability = 0;
  float xtc_threshold = 0.1F;
  float dynatemp_range = 0;
  float dynatemp_exponent = 1;
  std::int32_t penalty_last = 64;
  float penalty_repeat = 1;
  float penalty_frequency = 0;
  float penalty_presence = 0;
  float dry_multiplier = 0;
  float dry_base = 1.75F;
  std::int32_t dry_allowed = 2;
  std::int32_t dry_last = 1024;  // tokens it looks at
  std::int32_t mirostat = 0;     // version 1 or 2
  float mirostat_tau = 5;
  float mirostat_eta = 0.1F;
  u32 seed = 0;  // of the first prompt; the next has the next
  std::vector<Bias> biases = {};
  std::string grammar = {};  // GBNF, from "root"
  template <class A>
  void fields(A& a) {
    a(temperature, top_k, top_p, min_p, typical_p, top_n_sigma, xtc_probability, xtc_threshold, dynatemp_range,
      dynatemp_exponent);
    a(penalty_last, penalty_repeat, penalty_frequency, penalty_presence, dry_multiplier, dry_base, dry_allowed,
      dry_last);
    a(mirostat, mirostat_tau, mirostat_eta, seed, biases, grammar);
  }
};

struct Generate {
  Tokens prefix = {};                   // of all
  std::vector<Tokens> prompts = {};     // what follows it, one sequence each
  u32 most = 128;                       // tokens of an answer
  bool ignore_end = false;              // goes on after the end of turn
  std::vector<std::string> stops = {};  // texts that end an answer, which then ends before them
  Sampling sampling = {};
  u64 most_work(std::size_t i) const { return prefix.size() + prompts[i].size() + most; }
  template <class A>
  void fields(A& a) {
    a(prefix, prompts, most, ignore_end, stops, sampling);
  }
};

enum class Stop : u8 { end, length, context, word };

struct Generated {
  u32 prompt = 0;
  Tokens tokens = {};
  std::string text = {};  // bytes as the model gave them
  Stop stop = Stop::end;
  u64 first_us = 0;  // from the beginning of the decoding to its first token
  u64 total_us = 0;  // to its last
  template <class A>
  void fields(A& a) {
    a(prompt, tokens, text, stop, first_us, total_us);
  }
};

struct Continuation {
  Tokens context = {};  // after the prefix
  Tokens tokens = {};   // after that: what is scored; at least one token
  template <class A>
  void fields(A& a) {
    a(context, tokens);
  }
};

struct Score {
  Tokens prefix = {};                            // of all; with each context at least one token
  std::vector<Continuation> continuations = {};  // what they share is decoded once
  u64 most_work(std::size_t i) const {
    return prefix.size() + continuations[i].context.size() + continuations[i].tokens.size();
  }
  template <class A>
  void fields(A& a) {
    a(prefix, continuations);
  }
};

struct Scored {
  u32 continuation = 0;
  std::vector<float> logprobs = {};  // natural logarithm, of each of its tokens
  Tokens best = {};                  // what the model would have said there
  template <class A>
  void fields(A& a) {
    a(continuation, logprobs, best);
  }
};

// The same positions through both models.
struct Compared {
  std::vector<float> logprobs = {}, reference = {};  // of the tokens that are there
  std::vector<float> divergence = {};                // KL(reference || model) in nats
  std::vector<u8> agrees = {};                       // 1: the same token is the likeliest
  std::vector<u8> flips = {};                        // 1: one of them has the token that is there likeliest
  template <class A>
  void fields(A& a) {
    a(logprobs, reference, divergence, agrees, flips);
  }
};

struct Embedding {
  std::vector<float> last = {};  // hidden state of the last token
  std::vector<float> mean = {};  // over all tokens
  template <class A>
  void fields(A& a) {
    a(last, mean);
  }
};

// Only work that grows, up to what the request can take at most, keeps a worker alive; see Engine.
struct Progress {
  u64 done = 0;  // answers, scores; percent of a load
  u64 total = 0;
  u64 work = 0;  // tokens; percent of a load
  template <class A>
  void fields(A& a) {
    a(done, total, work);
  }
};

class Writer {
 public:
  explicit Writer(Type type) {
    out_.resize(kFrameHead);
    out_[4] = static_cast<std::byte>(type);
  }
  template <class... T>
  void operator()(T&... values) {
    (put(values), ...);
  }
  std::vector<std::byte> finish() {
    const auto length = static_cast<u32>(out_.size() - kFrameHead);
    std::memcpy(out_.data(), &length, sizeof(length));
    return std::move(out_);
  }

 private:
  template <class T>
  void put(T& value) {
    if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      const auto* bytes = reinterpret_cast<const std::byte*>(&value);
      out_.insert(out_.end(), bytes, bytes + sizeof(T));
    } else if constexpr (requires { value.size(); }) {
      auto count = static_cast<u32>(value.size());
      put(count);
      for (auto& item : value) put(item);
    } else {
      value.fields(*this);
    }
  }
  std::vector<std::byte> out_ = {};
};

// The first fault sticks; nothing is read past the end.
class Reader {
 public:
  explicit Reader(Bytes bytes) : rest_(bytes) {}
  template <class... T>
  void operator()(T&... values) {
    (get(values), ...);
  }
  bool finished() const { return good_ && rest_.empty(); }

 private:
  template <class T>
  void get(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      u8 byte = 0;
      get(byte);
      good_ = good_ && byte <= 1;
      value = byte == 1;
    } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      good_ = good_ && rest_.size() >= sizeof(T);
      if (!good_) return;
      std::memcpy(&value, rest_.data(), sizeof(T));
      rest_ = rest_.subspan(sizeof(T));
    } else if constexpr (requires { value.size(); }) {
      u32 count = 0;
      get(count);
      // An item takes a byte or, when it isn't one, at least four.
      using Item = typename T::value_type;
      constexpr std::size_t kLeast = std::is_arithmetic_v<Item> ? sizeof(Item) : 4;
      good_ = good_ && count <= rest_.size() / kLeast;
      if (!good_) return;
      value.resize(count);
      if constexpr (std::is_arithmetic_v<Item>) {
        if (count > 0) std::memcpy(value.data(), rest_.data(), count * sizeof(Item));
        rest_ = rest_.subspan(count * sizeof(Item));
      } else {
        for (auto& item : value) {
          if (!good_) return;
          get(item);
        }
      }
    } else {
      value.fields(*this);
    }
  }
  Bytes rest_;
  bool good_ = true;
};

template <class M>
std::vector<std::byte> encode(Type type, M message) {
  Writer writer(type);
  message.fields(writer);
  return writer.finish();
}

inline std::vector<std::byte> encode(Type type) { return Writer(type).finish(); }

// Whether the payload is exactly one such message.
template <class M>
bool decode(Bytes payload, M& message) {
  Reader reader(payload);
  message.fields(reader);
  return reader.finished();
}

}  // namespace steelyard::engine
