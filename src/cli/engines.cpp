#include "cli/engines.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

#include "base/text.hpp"
#include "bench/fits.hpp"
#include "bench/model.hpp"
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
engine::Needs needs_of(const Session& session, const evidence::Record& scan, const std::vector<u32>& artifacts,
                       const std::vector<Weights>& files) {
  const Examination found = bench::about(scan.found, artifacts);
  u64 bytes = 0;
  for (const Weights& one : files) bytes += one.file.size();
  std::string why;
  const auto estimate = bench::estimate(found, bytes, false, why);
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

Result<Scanned> scanned(Session& session, const std::string& name, std::string_view verb) {
  SY_TRY(const auto targets, session.targets({name}));
  SY_TRY(scan::Options options, session.scan_options());
  options.hash = true;
  SY_TRY(const auto services, session.services());
  SY_TRY(evidence::Record record, scan::scan(targets.front(), options, services));
  SY_TRY(const std::vector<u32> chosen, bench::gguf_model(record.found, name));
  const bool forced = session.arguments().has("override");
  const std::string why = objection(record);
  if (!why.empty() && !forced)
    return fail(ErrorCode::usage, fmt::format("{} isn't {}: {} (steelyard scan {}; --override uses it all the same)",
                                              text::display(name), verb, why, text::display(name)));
  std::vector<Weights> files;
  for (const u32 artifact : chosen) {
    const std::string& one = record.found.artifacts[artifact].path;
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
  return Scanned{std::move(files), std::move(record), chosen, why};
}

Result<Cleared> clear(Session& session, const std::string& name) {
  SY_TRY(Scanned model, scanned(session, name, "run"));
  SY_TRY(std::filesystem::path engine, find_engine(session));
  std::error_code error;
  SY_TRY(const io::File program, io::File::open(std::filesystem::weakly_canonical(engine, error)));
  std::string digest = io::hash(program);
  const engine::Needs needs = needs_of(session, model.scan, model.artifacts, model.files);
  return Cleared{std::move(model.files),  std::move(model.scan), std::move(model.artifacts),
                 std::move(engine),       std::move(digest),     needs,
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

std::vector<bench::Claim> claims_of(const Cleared& model, const std::vector<std::string>& names) {
  const evidence::Record& scan = model.scan;
  const Examination own = bench::about(scan.found, model.artifacts);
  std::vector<bench::Claim> out;
  for (const std::string& name : names) {
    bench::Claim claim{name};
    const Fact* languages = scan.found.fact("identity.languages");
    for (const json::Value& one : languages == nullptr ? json::Array{} : languages->value.array())
      claim.languages.push_back(one.string());
    const Fact* context = own.fact("model.context_length");
    if (context != nullptr && context->value.integer() > 0)
      claim.context = static_cast<u32>(std::min<i64>(context->value.integer(), std::numeric_limits<u32>::max()));
    out.push_back(std::move(claim));
  }
  return out;
}

std::vector<std::string> claims_made(const Cleared& model) {
  const evidence::Record& scan = model.scan;
  std::vector<std::string> out = {"template", "json"};
  const auto said = [&](std::string_view key) { return scan.found.fact(key) != nullptr; };
  if (const Fact* tags = scan.found.fact("identity.tags")) {
    const auto tools = [](const json::Value& tag) {
      return tag.string() == "tool-use" || tag.string() == "tool-calling" || tag.string() == "function-calling";
    };
    if (std::ranges::any_of(tags->value.array(), tools)) out.emplace_back("tools");
  }
  if (said("identity.languages")) out.emplace_back("languages");
  if (bench::about(scan.found, model.artifacts).fact("model.context_length") != nullptr) out.emplace_back("context");
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
