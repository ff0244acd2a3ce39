#include "cli/quantizing.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "base/text.hpp"

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

Result<io::File> opened(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::canonical(path, error);
  if (error) return fail(ErrorCode::usage, fmt::format("{}: {}", text::display(path.string()), error.message()));
  return io::File::open(whole);
}

}  // namespace

Result<Inputs> inputs(Session& session, const Wanted& wanted) {
  const Arguments& arguments = session.arguments();
  SY_TRY(quantize::Type type, quantize::type_named(wanted.type));
  SY_TRY(const scan::Options options, session.scan_options());
  const fs::path data = session.data_folder();
  if (!arguments.has("stack") && data.empty())
    return fail(ErrorCode::usage, "there is no home folder with a stack; name its place with --stack PREFIX");
  const fs::path prefix = arguments.has("stack") ? fs::path(arguments.value("stack")) : data / "stack";
  SY_TRY(quantize::Program program,
         quantize::find_program(fs::absolute(prefix), arguments.value("quantizer"), arguments.has("foreign-stack")));
  std::optional<io::File> matrix;
  if (!wanted.matrix.empty()) {
    SY_TRY(matrix, opened(wanted.matrix));
  }
  SY_TRY(Scanned source, scanned(session, wanted.source, "quantized"));
  const std::string shown = text::display(wanted.source);
  auto layout = quantize::read_layout(source.file);
  if (!layout) return fail(ErrorCode::usage, fmt::format("{}: {}", shown, layout.error().message));
  if (layout->keys.contains("split.count"))
    return fail(ErrorCode::usage, fmt::format("{}: one of several shards; llama-gguf-split --merge joins them", shown));
  if (quantize::quantized(*layout) && !wanted.requantize)
    return fail(ErrorCode::usage, fmt::format("{}: it is quantized already, and again costs quality; "
                                              "--allow-requantize does it all the same",
                                              shown));
  const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  const u32 threads = options.jobs != 0 ? options.jobs : static_cast<u32>(std::max(1L, processors));
  return Inputs{std::move(source),
                std::move(*layout),
                std::move(program),
                std::move(matrix),
                wanted.matrix.empty() ? fs::path() : fs::absolute(wanted.matrix),
                std::move(type),
                wanted.requantize,
                threads};
}

Result<quantize::Made> made(Session& session, const Inputs& from, const fs::path& beside) {
  quantize::Request request{.source = &from.source.file,
                            .layout = &from.layout,
                            .program = &from.program,
                            .matrix = from.matrix ? &*from.matrix : nullptr,
                            .matrix_path = from.matrix_path,
                            .type = from.type,
                            .requantize = from.requantize,
                            .threads = from.threads,
                            .beside = beside};
  const Interruptible signals;
  const bool shown = ::isatty(STDERR_FILENO) == 1 && !session.arguments().has("quiet");
  auto out = quantize::make(request, interrupted, [&](u64 done, u64 of) {
    if (!shown) return;
    fmt::print(stderr, "\r\033[Kquantizing: tensor {} of {}", done, of);
    std::fflush(stderr);
  });
  if (shown) fmt::print(stderr, "\r\033[K");
  return out;
}

quantize::Derivation derivation(const Session& session, const Inputs& from, const quantize::Made& made,
                                quantize::Named output) {
  const auto name = [](const evidence::Subject& subject) { return fs::path(subject.path).filename().string(); };
  quantize::Derivation out;
  out.output = std::move(output);
  out.source = {name(from.source.scan.subjects.front()), from.source.sha256, from.source.file.size()};
  if (from.matrix)
    out.matrix = quantize::Named{from.matrix_path.filename().string(), io::hash(*from.matrix), from.matrix->size()};
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
