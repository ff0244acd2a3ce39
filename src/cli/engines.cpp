#include "cli/engines.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/text.hpp"
#include "bench/fits.hpp"
#include "host/machine.hpp"
#include "policy/expectation.hpp"
#include "stack/build.hpp"

namespace steelyard::cli {
namespace {

Result<std::filesystem::path> find_engine(Session& session) {
  std::filesystem::path named = session.arguments().value("engine");
  if (named.empty()) named = session.environment().variable("STEELYARD_ENGINE").value_or("");
  if (!named.empty()) return named;
  SY_TRY(stack::Program program,
         stack::program_of(session.data_folder() / "stack", "steelyard-engine", session.environment()));
  return std::move(program.path);
}

// Held against this machine: --memory of bench is about another.
engine::Needs needs_of(const Session& session, const evidence::Record& scan, const std::vector<Weights>& files) {
  if (files.size() != 1) return {};
  const Examination found = about(scan.found, files.front().name);
  std::string why;
  const auto estimate = bench::estimate(found, files.front().file.size(), false, why);
  if (!estimate) return {};
  return {.shared = estimate->file,
          .own = estimate->repacked + estimate->runtime,
          .per_token = estimate->per_token,
          .per_position = estimate->beside,
          .plain_per_position = bench::plain_attention(found),
          .available = host::memory(session.environment()).available};
}

}  // namespace

std::string objection(const evidence::Record& scan) {
  std::vector<std::string> rules;
  for (const Finding& finding : scan.found.findings) {
    if (finding.severity >= Severity::high) rules.push_back(finding.rule);
  }
  std::ranges::sort(rules);
  rules.erase(std::ranges::unique(rules).begin(), rules.end());
  if (!rules.empty()) return fmt::format("the scan found {}", fmt::join(rules, ", "));
  const bool whole = scan.status == evidence::Status::complete && !scan.found.coverage.empty() &&
                     std::ranges::all_of(scan.found.coverage, [](const Coverage& one) {
                       return one.gaps.empty() && one.examined == one.bytes;
                     });
  return whole ? "" : "the scan couldn't examine all of it";
}

Examination about(const Examination& found, std::string_view path) {
  Examination out;
  out.artifacts = found.artifacts;
  for (const Fact& fact : found.facts) {
    if (fact.artifact && found.artifacts[*fact.artifact].path == path) out.facts.push_back(fact);
  }
  return out;
}

Result<std::vector<std::string>> gguf_model(const Examination& found, const std::string& name) {
  struct Part {
    std::string path;
    u64 index = 0;
    u64 count = 1;
    bool sees = false;  // for the model
  };
  std::map<u32, Part> files;
  for (u32 i = 0; i < found.artifacts.size(); ++i) {
    const Artifact& artifact = found.artifacts[i];
    if (artifact.format == "gguf" && !artifact.parent) files[i].path = artifact.path;
  }
  for (const Fact& fact : found.facts) {
    const auto file = fact.artifact ? files.find(*fact.artifact) : files.end();
    if (file == files.end()) continue;
    if (fact.key == "split.index") file->second.index = fact.value.unsigned_integer().value_or(0);
    if (fact.key == "split.count") file->second.count = fact.value.unsigned_integer().value_or(1);
    if (fact.key == "model.architecture") file->second.sees = fact.value.string() == "clip";
  }
  std::vector<Part> parts;
  for (auto& [artifact, part] : files) {
    if (!part.sees) parts.push_back(std::move(part));
  }
  const std::string shown = text::display(name);
  if (parts.empty())
    return fail(ErrorCode::usage, fmt::format("{}: expected a GGUF file, or a folder with one", shown));
  std::ranges::sort(parts, {}, &Part::index);
  const u64 count = parts.front().count;
  if (parts.size() > 1 && (count != parts.size() || !std::ranges::all_of(parts, [&](const Part& one) {
                             return one.count == count && &one - parts.data() == static_cast<i64>(one.index);
                           })))
    return fail(ErrorCode::usage, fmt::format("{}: {} GGUF files that aren't the parts of one model; name one of them",
                                              shown, parts.size()));
  if (parts.size() != std::max<u64>(count, 1))
    return fail(ErrorCode::usage, fmt::format("{}: 1 of {} files of a model; the others aren't there", shown, count));
  std::vector<std::string> out;
  for (Part& one : parts) out.push_back(std::move(one.path));
  return out;
}

Result<Scanned> scanned(Session& session, const std::string& name, std::string_view verb) {
  SY_TRY(const auto targets, session.targets({name}));
  SY_TRY(scan::Options options, session.scan_options());
  options.hash = true;
  SY_TRY(const auto services, session.services());
  SY_TRY(evidence::Record record, scan::scan(targets.front(), options, services));
  SY_TRY(const std::vector<std::string> chosen, gguf_model(record.found, name));
  const bool forced = session.arguments().has("override");
  const std::string why = objection(record);
  if (!why.empty() && !forced)
    return fail(ErrorCode::usage, fmt::format("{} isn't {}: {} (steelyard scan {}; --override uses it all the same)",
                                              text::display(name), verb, why, text::display(name)));
  std::vector<Weights> files;
  for (const std::string& one : chosen) {
    const auto target = std::ranges::find(targets.front().files, one, &scan::TargetFile::name);
    const auto subject = std::ranges::find(record.subjects, one, &evidence::Subject::path);
    if (target == targets.front().files.end() || subject == record.subjects.end())
      return fail(ErrorCode::internal, fmt::format("{} isn't among what was scanned", text::display(one)));
    SY_TRY(io::File file, io::File::open(target->path));
    // What is loaded has to be what was scanned.
    if (subject->sha256.empty() || io::hash(file) != subject->sha256)
      return fail(ErrorCode::io, fmt::format("{} changed while it was being scanned", text::display(one)));
    files.push_back({one, std::move(file), subject->sha256});
  }
  return Scanned{std::move(files), std::move(record), why};
}

Result<Cleared> clear(Session& session, const std::string& name) {
  SY_TRY(Scanned model, scanned(session, name, "run"));
  SY_TRY(std::filesystem::path engine, find_engine(session));
  std::error_code error;
  SY_TRY(const io::File program, io::File::open(std::filesystem::weakly_canonical(engine, error)));
  std::string digest = io::hash(program);
  const engine::Needs needs = needs_of(session, model.scan, model.files);
  return Cleared{std::move(model.files),  std::move(model.scan), std::move(engine), std::move(digest), needs,
                 !model.objection.empty()};
}

std::vector<bench::Expectation> expectations_of(const policy::Requirements& requirements) {
  std::vector<bench::Expectation> out;
  for (const policy::Requirement& item : requirements.items) {
    if (item.kind != "expect") continue;
    // Read once already, when the requirements were.
    auto checker = bench::Checker::read(item.params["checker"].string(), item.params["expected"].string());
    if (checker)
      out.push_back({policy::expectation_digest(item.params), item.params["prompt"].string(), std::move(*checker),
                     policy::expectation_samples(item.params)});
  }
  return out;
}

std::vector<bench::Claim> claims_of(const evidence::Record& scan, const std::vector<std::string>& names) {
  std::vector<bench::Claim> out;
  for (const std::string& name : names) {
    bench::Claim claim{name};
    const Fact* languages = scan.found.fact("identity.languages");
    for (const json::Value& one : languages == nullptr ? json::Array{} : languages->value.array())
      claim.languages.push_back(one.string());
    const Fact* context = scan.found.fact("model.context_length");
    if (context != nullptr && context->value.integer() > 0)
      claim.context = static_cast<u32>(std::min<i64>(context->value.integer(), std::numeric_limits<u32>::max()));
    out.push_back(std::move(claim));
  }
  return out;
}

std::vector<std::string> claims_made(const evidence::Record& scan) {
  std::vector<std::string> out = {"template", "json"};
  const auto said = [&](std::string_view key) { return scan.found.fact(key) != nullptr; };
  if (const Fact* tags = scan.found.fact("identity.tags")) {
    const auto tools = [](const json::Value& tag) {
      return tag.string() == "tool-use" || tag.string() == "tool-calling" || tag.string() == "function-calling";
    };
    if (std::ranges::any_of(tags->value.array(), tools)) out.emplace_back("tools");
  }
  if (said("identity.languages")) out.emplace_back("languages");
  if (said("model.context_length")) out.emplace_back("context");
  return out;
}

Result<evidence::Record> run_plan(Session& session, const Cleared& model, bench::Plan plan) {
  plan.model.clear();
  for (const Weights& one : model.files) plan.model.push_back({one.name, one.sha256, &one.file});
  plan.overridden = plan.overridden || model.overridden;
  plan.engine = model.engine;
  plan.engine_sha256 = model.engine_sha256;
  plan.needs = model.needs;
  const std::filesystem::path cache = session.cache_folder();
  if (!cache.empty() && !session.arguments().has("no-cache")) plan.answers = cache / "answers";
  const bool shown = ::isatty(STDERR_FILENO) == 1 && !session.arguments().has("quiet") &&
                     session.arguments().value("progress", "auto") == "auto";
  bench::Told tell;
  if (shown)
    tell = [](std::string_view what, u64 done, u64 total) {
      fmt::print(stderr, "\r\x1b[K{} {}/{}", text::display(what, 40), done, total);
    };
  auto record = bench::measure(plan, tell);
  if (shown) fmt::print(stderr, "\r\x1b[K");
  if (!record) return record;
  record->run.at = format_time(session.environment().now());
  session.keep(*record);
  return record;
}

}  // namespace steelyard::cli
