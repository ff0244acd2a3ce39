// steelyard rederive: whether a quantized model is what its source gives, and if not, where it begins to differ.
#include <fmt/format.h>

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

json::Value document(const quantize::Difference& found, const Inputs& from) {
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
      .set("source", "sha256:" + from.source.sha256)
      .set("quantizer", "sha256:" + from.program.sha256)
      .set("keys", names(found.keys))
      .set("tensors", names(found.tensors))
      .set("tensors_changed", found.tensors_changed)
      .set("first", std::move(first));
}

void print(const std::string& shown, const quantize::Difference& found, const Inputs& from) {
  if (found.identical) {
    fmt::print("{}: identical to what {} gives as {}\n", shown, text::display(from.source.scan.subjects.front().path),
               from.type.name);
    return;
  }
  fmt::print("{}: not what {} gives as {}\n", shown, text::display(from.source.scan.subjects.front().path),
             from.type.name);
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
  Wanted out{arguments.value("from"), arguments.value("type"), arguments.value("imatrix"),
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
  if (claimed.matrix && out.matrix.empty())
    return fail(ErrorCode::usage, fmt::format("it was made with the importance matrix {} (sha256 {}); name it with "
                                              "--imatrix",
                                              text::display(claimed.matrix->name), claimed.matrix->sha256));
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
  SY_TRY(const Wanted wanted, wanted_from(session, model, claimed));
  auto layout = quantize::read_layout(have);
  if (!layout) return fail(ErrorCode::usage, fmt::format("{}: {}", shown, layout.error().message));
  SY_TRY(const Inputs from, inputs(session, wanted));
  if (!claimed.source.sha256.empty() && claimed.source.sha256 != from.source.sha256)
    return fail(ErrorCode::usage, fmt::format("{}: not the source that the attestation names (sha256 {})",
                                              text::display(wanted.source), claimed.source.sha256));
  if (claimed.matrix && from.matrix && claimed.matrix->sha256 != io::hash(*from.matrix))
    return fail(ErrorCode::usage, fmt::format("{}: not the importance matrix that the attestation names (sha256 {})",
                                              text::display(wanted.matrix.string()), claimed.matrix->sha256));
  if (!claimed.quantizer.empty() && claimed.quantizer != from.program.sha256)
    session.note("the attestation names another quantizer, sha256 " + claimed.quantizer, 1);
  const fs::path folder = session.environment().variable("TMPDIR").value_or("/tmp");
  SY_TRY(const quantize::Made made, cli::made(session, from, fs::absolute(folder) / "rederived.gguf"));
  SY_TRY(const io::File again, io::File::open(fs::canonical(made.file->path())));
  SY_TRY(const quantize::Difference found, quantize::compare(again, made.layout, have, *layout));
  if (!have.unchanged()) return fail(ErrorCode::io, fmt::format("{} changed meanwhile", shown));
  if (arguments.value("format", "text") == "json") {
    fmt::print("{}\n", json::pretty(document(found, from)));
  } else {
    print(shown, found, from);
  }
  return found.identical ? kClean : kFindings;
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
    "  steelyard rederive theirs.gguf --from model-f16.gguf -t Q4_0",
    kFlags,
    run};

}  // namespace steelyard::cli
