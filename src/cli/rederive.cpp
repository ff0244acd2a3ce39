// steelyard rederive: whether a quantized model is what its source gives, and if not, where it begins to differ.
#include <fmt/format.h>
#include <stdlib.h>

#include <utility>

#include "base/text.hpp"
#include "cli/quantizing.hpp"
#include "quantize/compare.hpp"

namespace steelyard::cli {
namespace {

namespace fs = std::filesystem;

constexpr Flag kFlags[] = {
    {"--from", "SRC", "the model that it was made from", ""},
    {"-t,--type", "TYPE", "what it was quantized to (default: as the attestation beside it says)", ""},
    {"--attestation", "FILE", "the attestation (default: MODEL.intoto.json)", ""},
    kMatrix,
    kCalibrate,
    kRequantize,
    kStack,
    kQuantizer,
    kForeign,
    kOverride,
    kJobs,
    kSandbox,
    kListFormat,
    kQuiet,
};

json::Value names(const std::vector<std::string>& list) {
  json::Value out = json::Array{};
  for (const std::string& one : list) out.push(one);
  return out;
}

// A folder of its own in which files have the names that they had when it was made: these names are part of the output.
class Renamed {
 public:
  static Result<Renamed> create(const fs::path& in) {
    std::string path = (fs::absolute(in) / "steelyard-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr)
      return fail(ErrorCode::io, fmt::format("{}: cannot write", text::display(in.string())));
    return Renamed(path);
  }
  ~Renamed() {
    std::error_code error;
    if (!folder_.empty()) fs::remove_all(folder_, error);
  }
  Renamed(Renamed&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}
  Renamed& operator=(Renamed&&) = delete;
  const fs::path& folder() const { return folder_; }

  // Makes `path` a link with that name to what it stands for.
  Result<bool> rename(fs::path& path, const std::string& name) const {
    SY_TRY(const fs::path as, place(name));
    std::error_code error;
    const fs::path whole = fs::canonical(path, error);
    if (!error) fs::create_symlink(whole, as, error);
    if (error) return fail(ErrorCode::io, fmt::format("{}: {}", text::display(path.string()), error.message()));
    path = as;
    return true;
  }
  // An Error unless it is the bare name of a file.
  Result<fs::path> place(const std::string& name) const {
    if (name.empty() || name.size() > 200 || name == "." || name == ".." || name.contains('/') || name.contains('\0'))
      return fail(ErrorCode::usage, fmt::format("the attestation names a file \"{}\"", text::display(name, 80)));
    return folder_ / name;
  }

 private:
  explicit Renamed(fs::path folder) : folder_(std::move(folder)) {}
  fs::path folder_;
};

json::Value document(const quantize::Difference& found, const Inputs& from, bool same_matrix) {
  json::Value first;
  if (found.first)
    first = json::Value()
                .set("tensor", text::display(found.first->tensor))
                .set("type", found.first->type)
                .set("block", found.first->index)
                .set("offset", found.first->offset)
                .set("expected", found.first->expected)
                .set("found", found.first->found);
  return json::Value()
      .set("identical", found.identical)
      .set("type", from.type.name)
      .set("source", "sha256:" + from.weights().sha256)
      .set("quantizer", "sha256:" + from.program.sha256)
      .set("imatrix_identical", from.matrix ? json::Value(same_matrix) : json::Value())
      .set("keys", names(found.keys))
      .set("tensors", names(found.tensors))
      .set("tensors_changed", found.tensors_changed)
      .set("first", std::move(first));
}

void print(const std::string& shown, const quantize::Difference& found, const Inputs& from) {
  if (found.identical) {
    fmt::print("{}: identical to what {} gives as {}\n", shown, text::display(from.name), from.type.name);
    return;
  }
  fmt::print("{}: not what {} gives as {}\n", shown, text::display(from.name), from.type.name);
  for (const std::string& key : found.keys) fmt::print("  key {}\n", key);
  for (const std::string& tensor : found.tensors) fmt::print("  tensor {}\n", tensor);
  if (const auto& block = found.first) {
    fmt::print("  tensor {} ({}), block {} at byte {}\n    expected {}\n    found    {}\n",
               text::display(block->tensor), block->type, block->index, block->offset, block->expected, block->found);
    if (found.tensors_changed > 1) fmt::print("  and {} more tensors\n", found.tensors_changed - 1);
  }
  if (found.elsewhere != 0) fmt::print("  byte {}, outside of keys and tensors\n", found.elsewhere);
}

// What the attestation says, unless flags do; an Error when neither says the type, or the files are others.
Result<Wanted> wanted_from(Session& session, const fs::path& model, quantize::Derivation& claimed) {
  const Arguments& arguments = session.arguments();
  Wanted out{arguments.value("from"), arguments.value("type"), arguments.value("imatrix"), arguments.value("calibrate"),
             arguments.has("allow-requantize")};
  if (out.source.empty()) return fail(ErrorCode::usage, "--from is missing: the model that it was made from");
  fs::path path = arguments.value("attestation");
  if (path.empty()) path = model.string() + ".intoto.json";
  std::error_code error;
  if (!arguments.has("attestation") && !fs::exists(path, error)) {
    if (!out.type.empty()) return out;
    return fail(ErrorCode::usage, fmt::format("{}: no attestation is there; say what it was quantized to with --type",
                                              text::display(path.string())));
  }
  SY_TRY(const std::string text, io::read_text(path, u64{1} << 20));
  auto read = quantize::read_attestation(text);
  if (!read) return fail(ErrorCode::usage, fmt::format("{}: {}", text::display(path.string()), read.error().message));
  claimed = std::move(*read);
  if (out.type.empty()) out.type = claimed.type;
  out.requantize = out.requantize || claimed.requantize;
  if (claimed.matrix && out.matrix.empty() && out.text.empty()) {
    std::string other;
    if (claimed.calibration)
      other = fmt::format(", or with --calibrate the text that it was made from, {} (sha256 {})",
                          text::display(claimed.calibration->text.name), claimed.calibration->text.sha256);
    return fail(ErrorCode::usage, fmt::format("it was made with the importance matrix {} (sha256 {}); name it with "
                                              "--imatrix{}",
                                              text::display(claimed.matrix->name), claimed.matrix->sha256, other));
  }
  if (!out.text.empty() && !claimed.calibration)
    return fail(ErrorCode::usage, "--calibrate: no attestation says that the importance matrix was made from a text");
  return out;
}

Result<int> answer(Session& session) {
  const Arguments& arguments = session.arguments();
  const fs::path model = arguments.positional[0];
  const std::string shown = text::display(model.string());
  std::error_code error;
  const fs::path whole = fs::canonical(model, error);
  if (error) return fail(ErrorCode::usage, fmt::format("{}: {}", shown, error.message()));
  SY_TRY(const io::File have, io::File::open(whole));
  quantize::Derivation claimed;
  SY_TRY(Wanted wanted, wanted_from(session, model, claimed));
  const fs::path folder = session.environment().variable("TMPDIR").value_or("/tmp");
  wanted.beside = fs::absolute(folder) / "rederived.gguf";
  SY_TRY(const quantize::ReadLayout read, layout_reader(session));
  auto layout = read(have);
  if (!layout) return fail(ErrorCode::usage, fmt::format("{}: {}", shown, layout.error().message));
  SY_TRY(Inputs from, inputs(session, wanted));
  if (!claimed.source.sha256.empty() && claimed.source.sha256 != from.weights().sha256)
    return fail(ErrorCode::usage, fmt::format("{}: not the source that the attestation names (sha256 {})",
                                              text::display(wanted.source), claimed.source.sha256));
  if (claimed.matrix && from.matrix && claimed.matrix->sha256 != io::hash(*from.matrix))
    return fail(ErrorCode::usage, fmt::format("{}: not the importance matrix that the attestation names (sha256 {})",
                                              text::display(wanted.matrix.string()), claimed.matrix->sha256));
  if (from.text && claimed.calibration->text.sha256 != io::hash(*from.text))
    return fail(ErrorCode::usage, fmt::format("{}: not the text that the attestation names (sha256 {})",
                                              text::display(wanted.text.string()), claimed.calibration->text.sha256));
  if (!claimed.quantizer.empty() && claimed.quantizer != from.program.sha256)
    session.note("the attestation names another quantizer, sha256 " + claimed.quantizer, 1);
  SY_TRY(const Renamed renamed, Renamed::create(folder));
  if (claimed.matrix && from.matrix) SY_CHECK(renamed.rename(from.matrix_path, claimed.matrix->name));
  bool same_matrix = true;
  if (from.text && claimed.matrix) {
    SY_CHECK(renamed.rename(from.text_path, claimed.calibration->text.name));
    SY_TRY(const fs::path matrix, renamed.place(claimed.matrix->name));
    SY_CHECK(calibrate(session, from, matrix, claimed.calibration->most));
    same_matrix = io::hash(*from.matrix) == claimed.matrix->sha256;
  }
  SY_TRY(const quantize::Made made, cli::made(session, from, wanted.beside));
  SY_TRY(const io::File again, io::File::open(fs::canonical(made.file->path())));
  SY_TRY(const quantize::Difference found, quantize::compare(again, made.layout, have, *layout));
  if (!have.unchanged()) return fail(ErrorCode::io, fmt::format("{} changed meanwhile", shown));
  if (arguments.value("format", "text") == "json") {
    fmt::print("{}\n", json::pretty(document(found, from, same_matrix)));
  } else {
    print(shown, found, from);
    if (!same_matrix)
      fmt::print("  importance matrix: its text gives another one than the attestation names (sha256 {})\n",
                 claimed.matrix->sha256);
  }
  return found.identical && same_matrix ? kClean : kFindings;
}

int run(Session& session) {
  const Result<int> exit = answer(session);
  return exit ? *exit : session.failed(exit.error());
}

}  // namespace

extern const Command rederive_command;
const Command rederive_command{
    "rederive",
    "quantizes again and compares: is this what its source gives?",
    "MODEL",
    "Exit 0: byte for byte the same. Exit 1: it isn't; the first tensor and block that differ are named.\n\n"
    "Examples:\n"
    "  steelyard rederive model-Q4_K_M.gguf --from model-f16.gguf\n"
    "  steelyard rederive model-IQ2_XS.gguf --from model-f16.gguf --calibrate text.txt\n"
    "  steelyard rederive theirs.gguf --from model-f16.gguf -t Q4_0",
    kFlags,
    run};

}  // namespace steelyard::cli
