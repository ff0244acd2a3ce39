#include "vet/vet.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {
    {"-c,--context", "CONTEXT", "a built-in context or a context.toml; repeatable; without it all built-in ones", "",
     true},
    {"--profile", "PROFILE", "what must hold (default: business)", "personal,business,regulated"},
    {"--require", "FILE", "a require.toml instead of a profile", ""},
    {"--conditions-ok", "", "exit 0 when fit with conditions", ""},
    kNoHash,
    kRehash,
    kTensorDigests,
    kJobs,
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

int run(Session& session) {
  const Arguments& arguments = session.arguments();
  vet::Request request;
  request.target = arguments.positional.front();
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
  const auto services = session.services();
  if (!services) return session.failed(services.error());
  auto outcome = vet::vet(request, *services);
  if (!outcome) return session.failed(outcome.error());

  // About this run, not about the model: a report is the same whether its evidence was reused or not.
  if (!arguments.has("quiet")) {
    for (const std::string& note : outcome->notes) fmt::print(stderr, "note: {}\n", note);
  }
  report::Report report = session.report("vet", request.target);
  report.records = std::move(outcome->records);
  report.verdicts = std::move(outcome->verdicts);
  report.documents = std::move(outcome->documents);
  report.matrix = matrix;
  session.keep(report.documents);
  if (!session.deliver(report)) return kError;

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
  return exit_for(worst, arguments.has("conditions-ok"));
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
    run};

}  // namespace steelyard::cli
