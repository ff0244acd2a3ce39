#include "cli/quantizing.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "quantize/worker.hpp"

namespace steelyard::cli {
namespace {

namespace fs = std::filesystem;

std::atomic<bool> interrupted = false;
void interrupt(int) { interrupted = true; }

// Signals become a flag as long as this lives.
class Interruptible {
 public:
  Interruptible() {
    struct sigaction action{};
    action.sa_handler = interrupt;
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &before_[i]);
  }
  ~Interruptible() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
  }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, kSignals.size()> before_{};
};

// Where sections of a calibration are kept: the same for the same inputs, empty when nothing is kept.
fs::path state_of(const Session& session, const Inputs& from, const std::string& text, u64 most) {
  const fs::path cache = session.cache_folder();
  if (cache.empty()) return {};
  std::error_code error;
  fs::create_directories(cache / "calibration", error);
  if (error) return {};
  const std::string key = fmt::format("{} {} {} {} {}", from.weights().sha256, text, from.calibrator->sha256,
                                      from.text_path.filename().string(), most);
  return fs::canonical(cache / "calibration", error) / (sha256(key).substr(0, 32) + ".gguf");
}

bool shown(const Session& session) { return ::isatty(STDERR_FILENO) == 1 && !session.arguments().has("quiet"); }

// On one line of the terminal.
auto teller(bool shown, std::string_view what) {
  return [shown, what](u64 done, u64 of) {
    if (!shown) return;
    fmt::print(stderr, "\r\033[K{} {} of {}", what, done, of);
    std::fflush(stderr);
  };
}

}  // namespace

Result<io::File> opened(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::canonical(path, error);
  if (error) return fail(ErrorCode::usage, fmt::format("{}: {}", text::display(path.string()), error.message()));
  return io::File::open(whole);
}

Result<Inputs> inputs(Session& session, const Wanted& wanted) {
  const Arguments& arguments = session.arguments();
  SY_TRY(quantize::Type type, quantize::type_named(wanted.type));
  SY_TRY(const scan::Options options, session.scan_options());
  const fs::path data = session.data_folder();
  if (!arguments.has("stack") && data.empty())
    return fail(ErrorCode::usage, "there is no home folder with a stack; name its place with --stack PREFIX");
  const fs::path prefix = arguments.has("stack") ? fs::path(arguments.value("stack")) : data / "stack";
  if (!wanted.matrix.empty() && !wanted.text.empty())
    return fail(ErrorCode::usage, "--imatrix and --calibrate: one of them says where the importance matrix is from");
  if (type.matrix && wanted.matrix.empty() && wanted.text.empty())
    return fail(
        ErrorCode::usage,
        fmt::format("{} needs an importance matrix: --calibrate TEXT makes one from a text that is like what the "
                    "model will read, --imatrix FILE takes one that is there",
                    type.name));
  SY_TRY(quantize::Program program,
         quantize::find_program(fs::absolute(prefix), "llama-quantize", arguments.value("quantizer"),
                                arguments.has("foreign-stack")));
  std::optional<io::File> matrix, text;
  std::optional<quantize::Program> calibrator;
  if (!wanted.matrix.empty()) {
    SY_TRY(matrix, opened(wanted.matrix));
  }
  if (!wanted.text.empty()) {
    SY_TRY(text, opened(wanted.text));
    SY_TRY(calibrator, quantize::find_program(fs::absolute(prefix), "llama-imatrix", {}, false));
  }
  std::unique_ptr<quantize::Temporary> file;
  std::vector<quantize::Named> parts;
  std::optional<Scanned> source;
  std::string name;
  SY_TRY(auto directory, converted(session, wanted.source, wanted.beside));
  if (directory) {
    file = std::move(directory->file);
    parts = std::move(directory->parts);
    name = std::move(directory->name);
    source.emplace(std::move(directory->source));
  } else {
    SY_TRY(source, scanned(session, wanted.source, "quantized"));
    if (source->files.size() > 1)
      return fail(ErrorCode::usage, fmt::format("{}: a model in {} files; llama-gguf-split --merge joins them",
                                                text::display(wanted.source), source->files.size()));
    name = fs::path(source->files.front().name).filename().string();
  }
  const std::string shown = text::display(wanted.source);
  SY_TRY(const quantize::ReadLayout read, layout_reader(session));
  auto layout = read(source->files.front().file);
  if (!layout) return fail(layout.error().code, fmt::format("{}: {}", shown, layout.error().message));
  if (quantize::quantized(*layout) && !wanted.requantize)
    return fail(ErrorCode::usage, fmt::format("{}: it is quantized already, and again costs quality; "
                                              "--allow-requantize does it all the same",
                                              shown));
  const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  const u32 threads = options.jobs != 0 ? options.jobs : static_cast<u32>(std::max(1L, processors));
  return Inputs{std::move(file),
                std::move(parts),
                std::move(name),
                std::move(*source),
                std::move(*layout),
                std::move(program),
                std::move(matrix),
                wanted.matrix.empty() ? fs::path() : fs::absolute(wanted.matrix),
                std::move(text),
                wanted.text.empty() ? fs::path() : fs::absolute(wanted.text),
                std::move(calibrator),
                std::nullopt,
                std::move(type),
                wanted.requantize,
                threads};
}

Result<quantize::ReadLayout> layout_reader(Session& session) {
  SY_TRY(const auto services, session.services());
  return [zygote = &services.zygote](const io::File& file) { return quantize::layout_in_worker(*zygote, file); };
}

Result<bool> calibrate(Session& session, Inputs& from, const fs::path& matrix, u64 most) {
  SY_TRY(const quantize::ReadLayout read, layout_reader(session));
  const std::string text = io::hash(*from.text);
  const fs::path state = state_of(session, from, text, most);
  const quantize::Calibration request{.source = &from.weights().file,
                                      .layout = &from.layout,
                                      .program = &*from.calibrator,
                                      .text = &*from.text,
                                      .text_path = from.text_path,
                                      .most = most,
                                      .threads = from.threads,
                                      .beside = matrix,
                                      .state = state,
                                      .read = read};
  const Interruptible signals;
  const bool visible = shown(session);
  const auto done = quantize::calibrate(request, interrupted, teller(visible, "calibrating: window"));
  if (visible) fmt::print(stderr, "\r\033[K");
  if (!done) return std::unexpected(done.error());
  if (done->kept != 0) session.note(fmt::format("{} windows were kept from an earlier run", done->kept), 1);
  SY_CHECK(done->file->publish(matrix));
  std::error_code error;
  if (!state.empty()) fs::remove(state, error);
  SY_TRY(from.matrix, opened(matrix));
  from.matrix_path = matrix;
  from.calibration = quantize::Origin{
      {from.text_path.filename().string(), text, from.text->size()}, done->windows, most, from.calibrator->sha256};
  return true;
}

Result<quantize::Made> made(Session& session, const Inputs& from, const fs::path& beside) {
  SY_TRY(const quantize::ReadLayout read, layout_reader(session));
  quantize::Request request{.source = &from.weights().file,
                            .layout = &from.layout,
                            .program = &from.program,
                            .matrix = from.matrix ? &*from.matrix : nullptr,
                            .matrix_path = from.matrix_path,
                            .type = from.type,
                            .requantize = from.requantize,
                            .threads = from.threads,
                            .beside = beside,
                            .read = read};
  const Interruptible signals;
  const bool visible = shown(session);
  auto out = quantize::make(request, interrupted, teller(visible, "quantizing: tensor"));
  if (visible) fmt::print(stderr, "\r\033[K");
  return out;
}

quantize::Derivation derivation(const Session& session, const Inputs& from, const quantize::Made& made,
                                quantize::Named output) {
  quantize::Derivation out;
  out.output = std::move(output);
  out.source = {from.name, from.weights().sha256, from.weights().file.size()};
  out.parts = from.parts;
  if (from.matrix)
    out.matrix = quantize::Named{from.matrix_path.filename().string(), io::hash(*from.matrix), from.matrix->size()};
  out.calibration = from.calibration;
  out.type = from.type.name;
  out.requantize = from.requantize;
  out.quantizer = from.program.sha256;
  out.stack = from.program.stack;
  out.repository = from.program.repository;
  out.commit = from.program.commit;
  out.overridden = !from.source.objection.empty();
  out.sandbox = made.sandbox;
  out.tool = from.source.scan.method.tool;
  out.at = format_time(session.environment().now());
  return out;
}

}  // namespace steelyard::cli
