// steelyard-engine: runs one model for Steelyard and can do nothing else.
//
// Descriptors: 3 the socket, 4 a page whose first word cancels, from 5 on the files of the model, then the reference
// model, if any. It enters its sandbox before it reads a byte of a model; what it can't enter it says in its first
// frame. Attack resisted: llama.cpp's loader, templates and arithmetic are driven by the model's file; whoever takes
// them over finds no network, no file system, no exec and no new thread; those it computes with were started before.
// Tested by tests/cli/engine_test.py; the escape battery is tests/unit/engine_escape_test.cpp.
#include <llama.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "engine/worker/files.hpp"
#include "engine/worker/lock.hpp"
#include "engine/worker/model.hpp"
#include "engine/worker/self_test.hpp"
#include "engine/worker/threads.hpp"

namespace steelyard::engine {
namespace {

constexpr int kSocket = 3;
constexpr int kControl = 4;
constexpr int kModel = 5;

bool send(const std::vector<std::byte>& frame) {
  for (std::size_t at = 0; at < frame.size();) {
    const ssize_t count = ::write(kSocket, frame.data() + at, frame.size() - at);
    if (count <= 0) return false;
    at += static_cast<std::size_t>(count);
  }
  return true;
}

bool receive(std::byte* out, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::read(kSocket, out, size);
    if (count <= 0) return false;
    out += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

template <class M>
M read(Bytes payload) {
  M message;
  if (!decode(payload, message)) throw std::runtime_error("a request that can't be read");
  return message;
}

class Session {
 public:
  // `parts`: files of the model.
  Session(std::atomic<u32>* control, u32 threads, u32 parts)
      : control_(control),
        threads_(threads),
        reference_files_(hand_over(kModel + static_cast<int>(parts), 1)),
        model_files_(hand_over(kModel, parts)) {}

  void answer(Type type, Bytes payload) {
    switch (type) {
      case Type::load:
        return load(read<Load>(payload));
      case Type::tokenize:
        return give(Type::tokens, TokenList{model().tokenize(read<Tokenize>(payload))});
      case Type::apply_template:
        return give(Type::text, Text{model().apply(read<ApplyTemplate>(payload))});
      case Type::generate:
        return model().generate(
            read<Generate>(payload), [](Generated one) { give(Type::generated, std::move(one)); }, tell());
      case Type::score:
        return model().score(read<Score>(payload), [](Scored one) { give(Type::scored, std::move(one)); }, tell());
      case Type::compare:
        return compare(read<TokenList>(payload).tokens);
      case Type::embed:
        return give(Type::embedding, model().embed(read<TokenList>(payload).tokens));
      default:
        throw std::runtime_error("an unknown request");
    }
  }

 private:
  template <class M>
  static void give(Type type, M message) {
    if (!send(encode(type, std::move(message)))) ::_exit(1);
  }

  // At most ten times a second.
  Tell tell() {
    return [this](const Progress& progress) {
      const auto now = std::chrono::steady_clock::now();
      if (now - told_ < std::chrono::milliseconds(100)) return;
      told_ = now;
      give(Type::progress, progress);
    };
  }

  Model& model() {
    if (!model_) throw std::runtime_error("no model is loaded");
    return *model_;
  }

  void load(const Load& wanted) {
    auto& place = wanted.reference ? reference_ : model_;
    if (place) throw std::runtime_error("a model is loaded already");
    if (wanted.threads != threads_) throw std::runtime_error("another number of threads than it was started with");
    const std::vector<std::string>& files = wanted.reference ? reference_files_ : model_files_;
    if (files.empty()) throw std::runtime_error("no model was handed over, or in more files than may be open");
    place = std::make_unique<Model>(files, wanted, [this] { return control_->load() != 0; }, tell());
    give(Type::loaded, place->describe());
  }

  // Rows of the reference are kept, 256 positions at a time.
  void compare(const Tokens& tokens) {
    if (!reference_) throw std::runtime_error("no reference is loaded");
    const u32 width = model().vocabulary();
    if (reference_->vocabulary() != width) throw std::runtime_error("the two models have different vocabularies");
    if (tokens.size() < 2) throw std::runtime_error("nothing to compare");
    std::vector<std::vector<float>> rows(tokens.size());
    const auto normalised = [&](const float* logits) {
      double most = logits[0], sum = 0;
      for (u32 i = 0; i < width; ++i) most = std::max(most, static_cast<double>(logits[i]));
      for (u32 i = 0; i < width; ++i) sum += std::exp(logits[i] - most);
      const double log = most + std::log(sum);
      std::vector<float> row(width);
      for (u32 i = 0; i < width; ++i) row[i] = static_cast<float>(logits[i] - log);
      return row;
    };
    const std::size_t first = tokens.size() / 2 - 1;  // as perplexity is counted: with half of the window before it
    reference_->distributions(tokens, first,
                              [&](std::size_t at, const float* logits) { rows[at] = normalised(logits); });
    Compared out;
    model().distributions(tokens, first, [&](std::size_t at, const float* logits) {
      if (at + 1 == tokens.size()) return;
      const std::vector<float> row = normalised(logits);
      const std::vector<float>& other = rows[at];
      double divergence = 0;
      u32 best = 0, best_other = 0;
      for (u32 i = 0; i < width; ++i) {
        divergence += std::exp(static_cast<double>(other[i])) * (static_cast<double>(other[i]) - row[i]);
        if (row[i] > row[best]) best = i;
        if (other[i] > other[best_other]) best_other = i;
      }
      const auto token = static_cast<std::size_t>(tokens[at + 1]);
      out.logprobs.push_back(row[token]);
      out.reference.push_back(other[token]);
      out.divergence.push_back(static_cast<float>(std::max(divergence, 0.0)));
      out.agrees.push_back(best == best_other ? 1 : 0);
      out.flips.push_back((best == token) != (best_other == token) ? 1 : 0);
    });
    give(Type::compared, std::move(out));
  }

  std::atomic<u32>* control_;
  u32 threads_;
  // In this order: the number of a reference that isn't there is the first to be used again.
  std::vector<std::string> reference_files_;
  std::vector<std::string> model_files_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Model> reference_;
  std::chrono::steady_clock::time_point told_;
};

// With `open` there is no sandbox: only to measure what it costs.
int serve(u64 memory, u32 threads, u32 parts, bool open) {
  void* page = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, kControl, 0);
  if (page == MAP_FAILED) return 1;
  llama_backend_init();
  Session session(static_cast<std::atomic<u32>*>(page), threads, parts);
  Hello hello;
  const auto start = [threads] { start_threads(threads); };
  if (!open) hello.sandbox = lock(memory, threads > 1 ? start : std::function<void()>());
  hello.variant = llama_print_system_info();
  if (!send(encode(Type::hello, hello))) return 1;
  std::vector<std::byte> payload;
  for (std::byte head[kFrameHead]; receive(head, kFrameHead);) {
    u32 size = 0;
    std::memcpy(&size, head, sizeof(size));
    if (size > kMostFrame) return 1;
    payload.resize(size);
    if (!receive(payload.data(), size)) return 1;
    std::vector<std::byte> end = encode(Type::done);
    try {
      session.answer(static_cast<Type>(head[4]), payload);
    } catch (const std::bad_alloc&) {
      end = encode(Type::failed, Text{"out of memory"});
    } catch (const std::exception& error) {
      end = encode(Type::failed, Text{error.what()});
    }
    if (!send(end)) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace steelyard::engine

int main(int count, char** arguments) {
  using namespace steelyard;
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  const std::string_view mode = count > 1 ? arguments[1] : "";
  if (mode == "--self-test") return engine::self_test();
  if ((mode == "--serve" || mode == "--serve-open") && count == 5) {
    const auto number = [&](int i) { return std::strtoull(arguments[i], nullptr, 10); };
    const auto parts = static_cast<u32>(std::min<u64>(number(4), engine::kMostParts));
    return engine::serve(number(2), static_cast<u32>(number(3)), parts, mode == "--serve-open");
  }
  return 2;
}
