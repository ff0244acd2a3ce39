// steelyard quantize: a smaller model from a scanned one, by the controlled stack, with its provenance beside it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/text.hpp"
#include "cli/quantizing.hpp"

namespace steelyard::cli {
namespace {

namespace fs = std::filesystem;

constexpr Flag kFlags[] = {
    {"-t,--type", "TYPE", "what to quantize to, as llama-quantize names it: Q4_K_M, Q8_0, …", ""},
    {"-o,--output", "FILE", "the model that is written (default: SRC-TYPE.gguf beside SRC)", ""},
    kMatrix,
    kCalibrate,
    {"--windows", "N", "calibrate with at most N windows of 512 tokens (default: all of TEXT)", ""},
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

i64 milliseconds() {
  using namespace std::chrono;
  return duration_cast<std::chrono::milliseconds>(steady_clock::now().time_since_epoch()).count();
}

// Where the output goes: an absolute path in a folder that is there, and not the source.
Result<fs::path> destination(const Arguments& arguments, const std::string& type) {
  fs::path source = arguments.positional[0];
  if (!source.has_filename()) source = source.parent_path();  // a directory's name with a slash
  fs::path out = arguments.value("output");
  if (out.empty()) out = source.parent_path() / (source.stem().string() + "-" + type + ".gguf");
  out = fs::absolute(out).lexically_normal();
  std::error_code error;
  if (fs::equivalent(source, out, error))
    return fail(ErrorCode::usage, fmt::format("{}: source and output are the same file", text::display(out.string())));
  if (!fs::is_directory(out.parent_path(), error))
    return fail(ErrorCode::usage, fmt::format("{}: no such folder", text::display(out.parent_path().string())));
  if (fs::exists(out, error) && !fs::is_regular_file(fs::symlink_status(out, error)))
    return fail(ErrorCode::usage, fmt::format("{}: not a regular file", text::display(out.string())));
  return out;
}

// The matrix that is there already, when its attestation says that it was made of the same; an Error when it doesn't.
Result<bool> made_before(Session& session, Inputs& from, const fs::path& path, u64 most) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path, error))) return false;
  SY_TRY(io::File file, opened(path));
  const auto text = io::read_text(path.string() + ".intoto.json", u64{1} << 20);
  const auto said = text ? quantize::read_matrix_attestation(*text) : fail(ErrorCode::io, "");
  if (!said || said->matrix->sha256 != io::hash(file) || said->source.sha256 != from.weights().sha256 ||
      said->calibration->text.sha256 != io::hash(*from.text) || said->calibration->most != most ||
      said->calibration->text.name != from.text_path.filename().string() ||
      said->calibration->program != from.calibrator->sha256)
    return fail(ErrorCode::usage,
                fmt::format("{}: an importance matrix is there that nothing says was made of this; use it with "
                            "--imatrix, remove it, or put the --output elsewhere",
                            text::display(path.string())));
  from.calibration = said->calibration;
  from.matrix = std::move(file);
  from.matrix_path = path;
  session.note(fmt::format("{}: made before, of the same source and text", text::display(path.string())), 1);
  return true;
}

// From --calibrate: SRC.imatrix.gguf beside the output, and what says how it was made.
Result<bool> matrix(Session& session, Inputs& from, const fs::path& out) {
  SY_TRY(const u64 most, number<u64>(session.arguments(), "windows", 0, 1, 1'000'000));
  if (!from.text) {
    if (most != 0) return fail(ErrorCode::usage, "--windows: only --calibrate computes any");
    return true;
  }
  const std::string source = from.parts.empty() ? fs::path(from.name).stem().string() : from.name;
  const fs::path path = out.parent_path() / (source + ".imatrix.gguf");
  SY_TRY(const bool there, made_before(session, from, path, most));
  if (there) return true;
  SY_CHECK(calibrate(session, from, path, most));
  const quantize::Derivation of = derivation(session, from, {}, {});
  SY_CHECK(io::write_atomically(path.string() + ".intoto.json", json::pretty(quantize::slsa_of_matrix(of)) + "\n"));
  return true;
}

// What scan says of the output may not be worse than what it said of the source. The output's digest.
Result<std::string> examined(Session& session, const quantize::Made& made, const evidence::Record& source) {
  SY_TRY(const auto targets, session.targets({made.file->path().string()}));
  SY_TRY(scan::Options options, session.scan_options());
  SY_TRY(const auto services, session.services());
  SY_TRY(const evidence::Record record, scan::scan(targets.front(), options, services));
  std::set<std::string> known;
  for (const Finding& finding : source.found.findings) known.insert(finding.rule);
  for (const Finding& finding : record.found.findings) {
    if (finding.severity >= Severity::high && !known.contains(finding.rule))
      return fail(ErrorCode::io,
                  fmt::format("the scan of what was made found {}, of the source it didn't", finding.rule));
  }
  if (record.status != evidence::Status::complete || record.subjects.empty() || record.subjects.front().sha256.empty())
    return fail(ErrorCode::io, "what was made couldn't be examined");
  return record.subjects.front().sha256;
}

evidence::Record record_of(const quantize::Derivation& of, const Inputs& from, u64 ms) {
  evidence::Record out;
  out.kind = "quantize";
  out.subjects = {{"weights", of.output.name, of.output.sha256, of.output.bytes},
                  {"source", of.source.name, of.source.sha256, of.source.bytes}};
  for (const quantize::Named& part : of.parts)
    out.subjects.push_back({"source-file", part.name, part.sha256, part.bytes});
  if (of.matrix) out.subjects.push_back({"imatrix", of.matrix->name, of.matrix->sha256, of.matrix->bytes});
  if (of.calibration) {
    const quantize::Named& text = of.calibration->text;
    out.subjects.push_back({"calibration-text", text.name, text.sha256, text.bytes});
  }
  out.method = {.tool = of.tool,
                .analyzer = 1,
                .rules = {},
                .engine = of.quantizer,
                .params = json::Value().set("type", of.type).set("requantize", of.requantize),
                .seed = {},
                .uses = {evidence::id(from.source.scan)}};
  if (!of.stack.empty()) out.method.uses.push_back(of.stack);
  const auto fact = [&](std::string key, json::Value value) {
    out.found.facts.push_back({std::move(key), std::move(value), {}, {}, Assurance::verified});
  };
  fact("quantize.type", of.type);
  fact("quantize.program", json::Value()
                               .set("sha256", of.quantizer)
                               .set("known", !of.stack.empty())
                               .set("repository", of.repository)
                               .set("commit", of.commit));
  if (of.calibration)
    fact("quantize.calibration",
         json::Value().set("windows", of.calibration->windows).set("program", of.calibration->program));
  fact("quantize.tensors", u64{from.layout.tensors.size()});
  fact("quantize.override", of.overridden ? json::Value(from.source.objection) : json::Value(""));
  out.run = {of.at, ms, of.sandbox, "hashed"};
  return out;
}

Result<int> answer(Session& session) {
  const i64 begun = milliseconds();
  const Arguments& arguments = session.arguments();
  if (!arguments.has("type"))
    return fail(ErrorCode::usage, "--type is missing: what to quantize to, Q4_K_M for instance");
  SY_TRY(const quantize::Type type, quantize::type_named(arguments.value("type")));
  SY_TRY(const fs::path out, destination(arguments, type.name));
  SY_TRY(Inputs from, inputs(session, {arguments.positional[0], type.name, arguments.value("imatrix"),
                                       arguments.value("calibrate"), arguments.has("allow-requantize"), out}));
  SY_CHECK(matrix(session, from, out));
  SY_TRY(const quantize::Made result, made(session, from, out));
  SY_TRY(const std::string sha256, examined(session, result, from.source.scan));
  std::error_code error;
  const u64 bytes = fs::file_size(result.file->path(), error);
  quantize::Derivation of = derivation(session, from, result, {out.filename().string(), sha256, bytes});
  const evidence::Record record = record_of(of, from, static_cast<u64>(milliseconds() - begun));
  of.record = evidence::id(record);
  if (!from.weights().file.unchanged()) return fail(ErrorCode::io, "the source changed while it was quantized");
  SY_CHECK(result.file->publish(out));
  SY_CHECK(io::write_atomically(out.string() + ".intoto.json", json::pretty(quantize::slsa(of)) + "\n"));
  // ggufpacker re-derives from one file and without --allow-requantize.
  if (!of.requantize && of.parts.empty())
    SY_CHECK(io::write_atomically(out.string() + ".derivation.json", json::pretty(quantize::ggufpacker(of)) + "\n"));
  if (const fs::path cache = session.cache_folder(); !cache.empty()) {
    if (const auto kept = evidence::Store(cache / "evidence").put(record); !kept)
      session.note("the evidence is not kept: " + kept.error().message);
  }
  if (of.stack.empty()) session.note("made by a program that no stack's record knows", 1);
  session.note("the statements beside it are not signed: there are no keys yet", 1);
  if (arguments.value("format", "text") == "json") {
    fmt::print("{}\n", json::pretty(evidence::encode(record)));
  } else {
    fmt::print("{}: {}, {} from {} ({:.2f} of it), sha256 {}\n", text::display(out.string()), of.type,
               text::human_bytes(bytes), text::human_bytes(of.source.bytes),
               static_cast<double>(bytes) / static_cast<double>(std::max<u64>(1, of.source.bytes)), sha256);
  }
  return kClean;
}

int run(Session& session) {
  const Result<int> exit = answer(session);
  return exit ? *exit : session.failed(exit.error());
}

}  // namespace

extern const Command quantize_command;
const Command quantize_command{
    "quantize",
    "a quantized model from a scanned one, by the controlled runtime, with its provenance",
    "SRC",
    "SRC is a GGUF file of F16, BF16 or F32 tensors, or a directory as Hugging Face's transformers saves it:\n"
    "config.json, tokenizer.json (byte-level BPE) and safetensors of a dense Llama, Mistral, Qwen2 or Qwen3. It is\n"
    "scanned first; one with findings of high severity or above isn't touched. Beside the output:\n"
    "FILE.intoto.json (SLSA provenance) and FILE.derivation.json (for ggufpacker verify-attestation), neither\n"
    "signed. --calibrate leaves SRC.imatrix.gguf there too, with its own FILE.intoto.json: further types of the\n"
    "same source use it without computing it again, and a calibration that was cut goes on from the last 64\n"
    "windows.\n\nExamples:\n"
    "  steelyard quantize model-f16.gguf -t Q4_K_M\n"
    "  steelyard quantize SmolLM2-135M-Instruct/ -t Q4_K_M -o smollm2.gguf\n"
    "  steelyard quantize model-f16.gguf -t IQ2_XS --calibrate text.txt\n"
    "  steelyard quantize model-f16.gguf -t IQ4_XS --imatrix model.imatrix.gguf -o small.gguf",
    kFlags,
    run};

}  // namespace steelyard::cli
