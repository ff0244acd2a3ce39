#include "quantize/attestation.hpp"

#include <algorithm>

#include "base/sha256.hpp"
#include "quantize/calibrate.hpp"

namespace steelyard::quantize {
namespace {

constexpr std::string_view kStatement = "https://in-toto.io/Statement/v1";
constexpr std::string_view kProvenance = "https://slsa.dev/provenance/v1";
constexpr std::string_view kBuild = "urn:steelyard:quantize:1";
constexpr std::string_view kCalibrate = "urn:steelyard:calibrate:1";
constexpr std::string_view kDerivation =
    "https://github.com/theadamdanielsson/ggufpacker/attestation/gguf-derivation/v0";

json::Value digest(const std::string& sha256) { return json::Value().set("sha256", sha256); }

json::Value statement(const Named& subject, std::string_view type, json::Value predicate) {
  json::Value subjects = json::Array{};
  subjects.push(json::Value().set("name", subject.name).set("digest", digest(subject.sha256)));
  return json::Value()
      .set("_type", kStatement)
      .set("subject", std::move(subjects))
      .set("predicateType", type)
      .set("predicate", std::move(predicate));
}

json::Value dependency(std::string_view role, const Named& file) {
  return json::Value()
      .set("name", file.name)
      .set("digest", digest(file.sha256))
      .set("annotations", json::Value().set("role", role).set("bytes", file.bytes));
}

json::Value program(std::string_view name, std::string_view role, const std::string& sha256) {
  return json::Value()
      .set("name", name)
      .set("digest", digest(sha256))
      .set("annotations", json::Value().set("role", role));
}

void push_commit(json::Value& inputs, const Derivation& of) {
  if (of.commit.empty()) return;
  inputs.push(json::Value()
                  .set("uri", "git+" + of.repository + "@" + of.commit)
                  .set("digest", json::Value().set("gitCommit", of.commit)));
}

void push_source(json::Value& inputs, const Derivation& of) {
  inputs.push(dependency(of.parts.empty() ? "source" : "converted-source", of.source));
  for (const Named& part : of.parts) inputs.push(dependency("source-file", part));
}

void push_calibration(json::Value& inputs, const Origin& origin) {
  inputs.push(dependency("calibration-text", origin.text));
  inputs.push(program("llama-imatrix", "calibrator", origin.program));
}

json::Value calibration(const Origin& origin) {
  return json::Value()
      .set("text", origin.text.sha256)
      .set("windows", origin.windows)
      .set("window_tokens", kWindow)
      .set("most", origin.most);
}

json::Value provenance(const Derivation& of, const Named& subject, std::string_view type, json::Value parameters,
                       json::Value inputs) {
  json::Value layers = json::Array{};
  for (const std::string& layer : of.sandbox) layers.push(layer);
  return statement(
      subject, kProvenance,
      json::Value()
          .set("buildDefinition", json::Value()
                                      .set("buildType", type)
                                      .set("externalParameters", std::move(parameters))
                                      .set("internalParameters", json::Value()
                                                                     .set("stack", of.stack)
                                                                     .set("foreign", of.stack.empty())
                                                                     .set("override", of.overridden)
                                                                     .set("sandbox", std::move(layers)))
                                      .set("resolvedDependencies", std::move(inputs)))
          .set("runDetails",
               json::Value()
                   .set("builder", json::Value()
                                       .set("id", "urn:steelyard:quantize")
                                       .set("version", json::Value().set("steelyard", of.tool)))
                   .set("metadata", json::Value().set("invocationId", of.record).set("finishedOn", of.at))));
}

// Of a statement of this type: parameters and dependencies.
Result<Derivation> read(std::string_view text, std::string_view type, json::Value& parameters) {
  SY_TRY(const json::Value document, json::parse(text, {.most_bytes = std::size_t{1} << 20}));
  const json::Value& definition = document["predicate"]["buildDefinition"];
  if (document["_type"].string() != kStatement || document["predicateType"].string() != kProvenance ||
      definition["buildType"].string() != type || document["subject"].array().size() != 1)
    return fail(ErrorCode::usage, "no attestation of steelyard quantize");
  parameters = definition["externalParameters"];
  Derivation out;
  const json::Value& subject = document["subject"].array().front();
  out.output = {subject["name"].string(), subject["digest"]["sha256"].string()};
  Origin origin;
  for (const json::Value& input : definition["resolvedDependencies"].array()) {
    const std::string& role = input["annotations"]["role"].string();
    Named file{input["name"].string(), input["digest"]["sha256"].string(),
               input["annotations"]["bytes"].unsigned_integer().value_or(0)};
    if (role == "source" || role == "converted-source")
      out.source = std::move(file);
    else if (role == "source-file")
      out.parts.push_back(std::move(file));
    else if (role == "quantizer")
      out.quantizer = file.sha256;
    else if (role == "imatrix")
      out.matrix = std::move(file);
    else if (role == "calibration-text")
      origin.text = std::move(file);
    else if (role == "calibrator")
      origin.program = file.sha256;
  }
  if (!is_sha256(out.output.sha256) || !is_sha256(out.source.sha256) || (out.matrix && !is_sha256(out.matrix->sha256)))
    return fail(ErrorCode::usage, "an attestation without the digests of output and source");
  if (parameters["calibration"].is_object()) {
    origin.windows = parameters["calibration"]["windows"].unsigned_integer().value_or(0);
    origin.most = parameters["calibration"]["most"].unsigned_integer().value_or(0);
    if (!is_sha256(origin.text.sha256) || !is_sha256(origin.program))
      return fail(ErrorCode::usage, "an attestation without the digests of calibration text and llama-imatrix");
    out.calibration = std::move(origin);
  }
  return out;
}

}  // namespace

json::Value slsa(const Derivation& of) {
  json::Value flags = json::Array{};
  if (of.requantize) flags.push("--allow-requantize");
  json::Value inputs = json::Array{};
  push_source(inputs, of);
  inputs.push(program("llama-quantize", "quantizer", of.quantizer));
  push_commit(inputs, of);
  if (of.matrix) inputs.push(dependency("imatrix", *of.matrix));
  if (of.calibration) push_calibration(inputs, *of.calibration);
  json::Value parameters = json::Value().set("type", of.type).set("flags", std::move(flags));
  parameters.set("imatrix", of.matrix ? json::Value(of.matrix->sha256) : json::Value());
  if (of.calibration) parameters.set("calibration", calibration(*of.calibration));
  return provenance(of, of.output, kBuild, std::move(parameters), std::move(inputs));
}

json::Value slsa_of_matrix(const Derivation& of) {
  json::Value inputs = json::Array{};
  push_source(inputs, of);
  push_calibration(inputs, *of.calibration);
  push_commit(inputs, of);
  return provenance(of, *of.matrix, kCalibrate, json::Value().set("calibration", calibration(*of.calibration)),
                    std::move(inputs));
}

json::Value ggufpacker(const Derivation& of) {
  std::string command = "llama-quantize ";
  if (of.matrix) command += "--imatrix " + of.matrix->name + " ";
  json::Value recipe = json::Value()
                           .set("quantType", of.type)
                           .set("outputFormat", "gguf")
                           .set("useImatrix", of.matrix.has_value())
                           .set("command", command + "<baseModel> <output> " + of.type);
  const auto file = [](const Named& one) {
    return json::Value().set("name", one.name).set("digest", digest(one.sha256)).set("sizeBytes", one.bytes);
  };
  if (of.matrix) recipe.set("imatrix", file(*of.matrix));
  json::Value build = json::Value().set("binarySha256", of.quantizer).set("versionBanner", "");
  if (!of.commit.empty()) build.set("gitRef", of.commit);
  // The stack compiles without contraction of floating-point operations; of a foreign program nothing is known.
  json::Value reproducible = json::Value()
                                 .set("deterministic", !of.stack.empty())
                                 .set("determinismEvidence", of.stack)
                                 .set("reDerivedDigest", digest(of.output.sha256));
  return statement(
      of.output, kDerivation,
      json::Value()
          .set("baseModel", file(of.source))
          .set("recipe", std::move(recipe))
          .set("builder",
               json::Value().set("tool", "ggml-org/llama.cpp/llama-quantize").set("buildIdentity", std::move(build)))
          .set("reproducibility", std::move(reproducible))
          .set("attestedBy", "steelyard " + of.tool)
          .set("producedAt", of.at));
}

Result<Derivation> read_attestation(std::string_view text) {
  json::Value parameters;
  SY_TRY(Derivation out, read(text, kBuild, parameters));
  out.type = parameters["type"].string();
  for (const json::Value& flag : parameters["flags"].array()) {
    if (flag.string() != "--allow-requantize") return fail(ErrorCode::usage, "an attestation with unknown flags");
    out.requantize = true;
  }
  if (!is_sha256(out.quantizer)) return fail(ErrorCode::usage, "an attestation without the digest of the quantizer");
  return out;
}

Result<Derivation> read_matrix_attestation(std::string_view text) {
  json::Value parameters;
  SY_TRY(Derivation out, read(text, kCalibrate, parameters));
  if (!out.calibration) return fail(ErrorCode::usage, "an attestation without a calibration");
  out.matrix = out.output;
  return out;
}

}  // namespace steelyard::quantize
