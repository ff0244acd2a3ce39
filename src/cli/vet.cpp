#include "vet/vet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <thread>

#include "bench/model.hpp"
#include "cli/engines.hpp"
#include "host/machine.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {
    {"-c,--context", "CONTEXT", "a built-in context or a context.toml; repeatable; without it all built-in ones", "",
     true, true},
    {"--profile", "PROFILE", "what must hold (default: business)", "personal,business,regulated", false, true},
    {"--require", "FILE", "a require.toml instead of a profile", "", false, true},
    {"--depth", "DEPTH",
     "quick: structure, host and context, in seconds, without digests; standard: whole files (default); full: runs and "
     "measures the model too",
     "quick,standard,full", false, true},
    kEngine,
    kOverride,
    {"--conditions-ok", "", "exit 0 when fit with conditions", "", false, true},
    kBaseline,
    kNoHash,
    kRehash,
    kTensorDigests,
    kJobs,
    kSandbox,
    kNoCache,
    kProgress,
};

int exit_for(policy::Decision decision, bool conditions_ok) {
  switch (decision) {
    case policy::Decision::fit:
      return kClean;
    case policy::Decision::fit_with_conditions:
      return conditions_ok ? kClean : kConditions;
    case policy::Decision::undetermined:
      return kUndetermined;
    case policy::Decision::unfit:
      return kFindings;
  }
  return kError;
}

// Measures what the requirements ask for, and speed and memory. A model that can't be run is a note: what was asked of
// it stays undetermined.
Result<bool> run_model(Session& session, vet::Request& request) {
  const auto cleared = clear(session, session.arguments().positional.front());
  if (!cleared) {
    if (cleared.error().code == ErrorCode::internal) return std::unexpected(cleared.error());
    session.warn({"the model was not run: " + cleared.error().message});
    return false;
  }
  if (bench::other_weights(cleared->scan.found)) {
    session.warn({"the model was not run: other weights lie beside the GGUF file; name that file alone"});
    return false;
  }
  bench::Plan plan;
  plan.workers = std::max(1U, std::thread::hardware_concurrency());
  plan.threads = host::cores(session.environment());
  plan.expectations = expectations_of(request.requirements);
  std::vector<std::string> claims;
  for (const policy::Requirement& item : request.requirements.items) {
    for (const json::Value& claim : item.kind == "claim" ? item.params["claims"].array() : json::Array{})
      claims.push_back(claim.string());
  }
  plan.claims = claims_of(*cleared, claims);
  auto record = run_plan(session, *cleared, std::move(plan));
  if (!record) {
    session.warn({"the model was not measured: " + record.error().message});
    return false;
  }
  request.measured.push_back(std::move(*record));
  return true;
}

int run(Session& session) {
  auto targets = session.targets(session.arguments().positional);
  if (!targets) return session.failed(targets.error());
  const Arguments& arguments = session.arguments();
  vet::Request request;
  request.target = std::move(targets->front());
  auto matcher = session.matcher();
  if (!matcher) return session.failed(matcher.error());
  request.matcher = &*matcher;
  if (const auto data = session.data_folder(); !data.empty()) request.stacks = data / "stack";
  const auto options = session.scan_options();
  if (!options) return session.failed(options.error());
  request.scan = *options;
  auto requirements = requirements_from(arguments);
  if (!requirements) return session.failed(requirements.error());
  request.requirements = std::move(*requirements);
  const bool matrix = !arguments.has("context");
  for (const std::string& name : matrix ? context::preset_names() : arguments.all("context")) {
    auto context = context_named(name);
    if (!context) return session.failed(context.error());
    request.contexts.push_back(std::move(*context));
  }
  if (arguments.value("depth", "standard") == "full") {
    if (auto measured = run_model(session, request); !measured) return session.failed(measured.error());
  }
  const auto services = session.services();
  if (!services) return session.failed(services.error());
  auto outcome = vet::vet(request, *services);
  if (!outcome) return session.failed(outcome.error());

  // About this run, not about the model: a report is the same whether its evidence was reused or not.
  for (const std::string& note : outcome->notes) session.note(note, 1);
  report::Report report = session.report("vet", request.target.name);
  report.records = std::move(outcome->records);
  report.verdicts = std::move(outcome->verdicts);
  report.documents = std::move(outcome->documents);
  report.matrix = matrix;
  report.accepted = std::move(outcome->accepted);
  // Acceptances don't touch what is asked of the other layers.
  session.warn(matcher->notes(std::array{Layer::model}));
  report.origins = {origin_of(request.target), ""};
  for (const context::Context& context : request.contexts) report.origins.push_back(context.name);
  report.origins.resize(report.records.size());
  report.fail_on.reset();  // requirements say what fails
  session.keep(report.documents);

  auto worst = policy::Decision::fit;
  for (const policy::Verdict& verdict : report.verdicts) {
    if (!matrix) {
      worst = std::max(worst, verdict.decision);
      continue;
    }
    for (const policy::LayerLine& line : verdict.layers) {
      if (line.assessed && line.layer != Layer::integration) worst = std::max(worst, line.decision);
    }
  }
  report.exit = exit_for(worst, arguments.has("conditions-ok"));
  return session.deliver(std::move(report));
}

}  // namespace

extern const Command vet_command;
const Command vet_command{
    "vet",
    "the main job: one evidence-backed verdict for one model in one declared use",
    "MODEL",
    "Without --context every built-in context is judged, one line each; the exit code then speaks for\n"
    "the model and infrastructure layers alone. With contexts named, the worst verdict counts.\n\n"
    "Examples:\n  steelyard vet model.gguf\n  steelyard vet model.gguf --context mail-assistant --profile regulated\n"
    "  steelyard vet model.gguf -c context.toml --require require.toml -o report.html -o report.json",
    kFlags,
    run,
    true};

}  // namespace steelyard::cli
