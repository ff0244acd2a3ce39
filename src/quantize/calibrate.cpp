#include "quantize/calibrate.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/checked.hpp"
#include "base/cursor.hpp"
#include "base/text.hpp"
#include "quantize/child.hpp"

namespace steelyard::quantize {
namespace {

namespace fs = std::filesystem;

// A multiple of the windows that llama-imatrix computes at once: 2048 tokens.
constexpr u64 kSection = 64;
// It refuses a beginning that leaves no more than two windows.
constexpr u64 kLeast = 3;
// Beyond what the model needs: logits of a batch, buffers, the program, its libraries, stacks and arenas of threads.
constexpr u64 kMemory = u64{16} << 30;
constexpr u64 kSpare = u64{16} << 20;
constexpr u64 kLongestName = 4096;
constexpr std::size_t kPart = std::size_t{1} << 20;

// Four bytes a column of each matrix, as sums of squares.
u64 most_bytes(const Layout& layout) {
  u64 total = kSpare;
  for (const auto& [name, tensor] : layout.tensors) {
    u64 values = tensor.dimensions.empty() ? 0 : tensor.dimensions[0];
    for (std::size_t i = 2; i < tensor.dimensions.size(); ++i)
      values = checked_mul(values, tensor.dimensions[i]).value_or(UINT64_MAX);
    total = checked_add(total, checked_mul(values, 8).value_or(UINT64_MAX)).value_or(UINT64_MAX);
  }
  return total;
}

Result<u64> windows_of(const Source& matrix, const Layout& layout) {
  const auto at = layout.keys.find("imatrix.chunk_count");
  if (at == layout.keys.end() || at->second.end - at->second.begin != 8)
    return fail(ErrorCode::io, "it holds no importance matrix");
  Cursor in(matrix, at->second.begin + 4, at->second.end);
  return u64{in.read<u32>("chunk count")};
}

Result<bool> put(int to, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(to, bytes.data(), bytes.size());
    if (count < 0) return fail(ErrorCode::io, "the importance matrix can't be written");
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

Result<bool> copy(const Source& from, u64 begin, u64 end, int to) {
  std::vector<std::byte> part(std::min<u64>(kPart, end - begin));
  while (begin < end) {
    const std::size_t count = from.read(begin, std::span(part).first(std::min<u64>(part.size(), end - begin)));
    if (count == 0) return fail(ErrorCode::io, "the importance matrix can't be read");
    SY_CHECK(put(to, Bytes(part).first(count)));
    begin += count;
  }
  return true;
}

// What llama-imatrix says of its progress.
struct Said {
  u64 all = 0;   // windows of this run
  u64 done = 0;  // of them
};

void follow(std::string_view piece, Said& said) {
  constexpr std::string_view kAll = "computing over ";
  const std::string text(piece.substr(0, 200));
  unsigned number = 0;
  double perplexity = 0;
  if (const auto at = text.find(kAll); at != std::string::npos) {
    if (std::sscanf(text.c_str() + at + kAll.size(), "%u chunks", &number) == 1) said.all = number;
  } else if (std::sscanf(text.c_str(), "[%u]%lf", &number, &perplexity) == 2) {
    said.done = std::min<u64>(number, said.all);
  }
}

struct Section {
  std::unique_ptr<Temporary> file;  // what llama-imatrix wrote
  std::vector<std::string> sandbox;
  u64 all = 0;  // windows that the text has from here
};

class Run {
 public:
  Run(const Calibration& request, const std::atomic<bool>& stop, const std::function<void(u64, u64)>& progress)
      : request_(request), stop_(stop), progress_(progress) {}

  Result<Calibrated> answer() {
    SY_CHECK(take_up());
    out_.kept = done_;
    while (total_ == 0 || done_ < total_) SY_CHECK(section());
    SY_TRY(out_.file, Temporary::create(request_.beside));
    SY_CHECK(copy(*state_, 0, state_->size(), out_.file->descriptor()));
    out_.windows = done_;
    return std::move(out_);
  }

 private:
  // A state that can't be used isn't.
  Result<bool> take_up() {
    std::error_code error;
    if (request_.state.empty() || !fs::exists(request_.state, error)) return true;
    const fs::path whole = fs::canonical(request_.state, error);
    auto file = io::File::open(whole);
    if (!file) return true;
    const auto layout = request_.read(*file);
    const auto windows = layout ? windows_of(*file, *layout) : fail(ErrorCode::io, "");
    if (!windows || *windows == 0 || *windows % kSection != 0) return true;
    done_ = *windows;
    state_.emplace(std::move(*file));
    return true;
  }

  // The first section learns how many windows there are, and is cut when they are too many for it.
  Result<bool> section() {
    const u64 whole = total_ == 0 ? 0 : total_ - done_;
    const u64 wanted = total_ == 0 || whole < kSection + kLeast ? 0 : kSection;
    SY_TRY(const auto made, once(wanted));
    if (!made) return true;
    SY_TRY(const io::File file, io::File::open(fs::canonical(made->file->path())));
    auto layout = request_.read(file);
    if (!layout) return unusable(layout.error().message);
    SY_TRY(const u64 windows, windows_of(file, *layout));
    const u64 expected = wanted == 0 ? total_ : done_ + wanted;
    // llama-imatrix leaves out ends of batches of fewer than 16 tokens; whole batches of four windows have none.
    if (wanted == 0 ? windows <= done_ || windows > expected : windows != expected)
      return unusable(fmt::format("it counts {} windows, expected {}", windows, expected));
    SY_TRY(auto next, Temporary::create(request_.state.empty() ? request_.beside : request_.state));
    SY_CHECK(name_text_once(file, *layout, next->descriptor()));
    const fs::path place = request_.state.empty() ? next->path() : request_.state;
    if (!request_.state.empty() && expected < total_) {
      SY_CHECK(next->publish(place));
      SY_TRY(io::File state, io::File::open(fs::canonical(place)));
      state_.emplace(std::move(state));
    } else {
      SY_TRY(io::File state, io::File::open(fs::canonical(next->path())));
      state_.emplace(std::move(state));
    }
    held_ = std::move(next);
    done_ = expected;
    return true;
  }

  static std::unexpected<Error> unusable(const std::string& why) {
    return fail(ErrorCode::io, "what llama-imatrix wrote can't be used: " + why);
  }

  // Nothing when there are more windows than one section takes: then total_ is known.
  Result<std::optional<Section>> once(u64 wanted) {
    Section out;
    SY_TRY(out.file, Temporary::create(request_.beside));
    Job job{
        .name = "llama-imatrix",
        .program = &request_.program->file,
        .program_path = request_.program->path,
        .source = request_.source,
        .output = out.file->descriptor(),
        .state = state_ ? &*state_ : nullptr,
        .named = request_.text,
        .folder = request_.text_path.parent_path(),
        .words = {"-m", std::string(kSourcePath), "-f", request_.text_path.filename(), "-o", std::string(kOutputPath),
                  "--output-format", "gguf", "-ofreq", "1000000000", "-t", std::to_string(request_.threads)},
        .memory_bytes = kMemory + 2 * request_.source->size(),
        .output_bytes = most_bytes(*request_.layout)};
    if (state_) {
      for (std::string word :
           {std::string("--in-file"), std::string(kStatePath), std::string("--chunk"), std::to_string(done_)})
        job.words.push_back(std::move(word));
    }
    const u64 left = request_.most == 0 ? 0 : request_.most - done_;
    const u64 most = wanted != 0 ? wanted : left;
    if (most != 0) {
      job.words.emplace_back("--chunks");
      job.words.push_back(std::to_string(most));
    }
    Said said;
    SY_TRY(const Ended how, run(job, stop_, [&](std::string_view piece) {
             follow(piece, said);
             if (total_ == 0 && said.all != 0) {
               total_ = done_ + said.all;
               if (said.all >= kSection + kLeast) return false;
             }
             if (said.done != 0 && progress_) progress_(done_ + said.done, total_);
             return true;
           }));
    if (stop_) return interrupted();
    if (how.cut) return std::optional<Section>();
    if (how.status != 0) {
      Error error = why(job, how, request_.beside.parent_path());
      // It loses its last words now and then.
      if (said.all == 0) error.message += "; the text has to have at least 1024 tokens";
      return std::unexpected(std::move(error));
    }
    if (!request_.source->unchanged() || !request_.text->unchanged())
      return fail(ErrorCode::io, "the source or the text changed while the importance matrix was made");
    if (said.all == 0) return unusable("it named no number of windows");
    out_.sandbox = how.sandbox;
    return std::optional<Section>(std::move(out));
  }

  std::unexpected<Error> interrupted() const {
    if (request_.state.empty() || done_ == 0) return fail(ErrorCode::io, "interrupted; nothing was written");
    return fail(
        ErrorCode::io,
        fmt::format("interrupted; {} of {} windows are kept, the same command goes on from there", done_, total_));
  }

  const Calibration& request_;
  const std::atomic<bool>& stop_;
  const std::function<void(u64, u64)>& progress_;
  Calibrated out_;
  std::optional<io::File> state_;
  std::unique_ptr<Temporary> held_;
  u64 done_ = 0;
  u64 total_ = 0;  // 0: not known yet
};

}  // namespace

Result<Calibrated> calibrate(const Calibration& request, const std::atomic<bool>& stop,
                             const std::function<void(u64, u64)>& progress) {
  return Run(request, stop, progress).answer();
}

Result<bool> name_text_once(const Source& from, const Layout& layout, int to) {
  const auto at = layout.keys.find("imatrix.datasets");
  if (at == layout.keys.end()) return fail(ErrorCode::io, "the importance matrix names no text");
  Cursor in(from, at->second.begin + 16, at->second.end);
  const std::string name = in.text(in.read<u64>("length of a name"), kLongestName, "name of a text");
  if (!in.ok()) return fail(ErrorCode::io, "the importance matrix names no text");
  std::string value;
  const auto number = [&](u64 n, int bytes) {
    for (int i = 0; i < bytes; ++i) value.push_back(static_cast<char>(n >> (8 * i)));
  };
  number(9, 4);  // an array
  number(8, 4);  // of texts
  number(1, 8);
  number(name.size(), 8);
  value += name;
  if (value.size() > at->second.end - at->second.begin)
    return fail(ErrorCode::io, "the importance matrix names no text");
  SY_CHECK(copy(from, 0, at->second.begin, to));
  SY_CHECK(put(to, std::as_bytes(std::span(value))));
  SY_CHECK(copy(from, at->second.end, layout.described, to));
  const u64 shorter = at->second.end - at->second.begin - value.size();
  const std::vector<std::byte> padding((32 - (layout.described - shorter) % 32) % 32);
  SY_CHECK(put(to, padding));
  SY_CHECK(copy(from, layout.data, from.size(), to));
  return true;
}

}  // namespace steelyard::quantize
