// steelyard bench: measures the model and reports the measurements as a record.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "base/text.hpp"
#include "bench/compare.hpp"
#include "bench/import.hpp"
#include "cli/engines.hpp"
#include "cli/fitting.hpp"
#include "host/machine.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {
    {"--task", "FILE", "run this task file or public data set (docs/tasks.md)", "", true},
    {"--items", "N", "of every task only the first N items", ""},
    {"--shots", "N", "the first N items of every data set become worked examples before each prompt", ""},
    {"--import", "FILE", "keep the scores of this results file of lm-evaluation-harness, as claimed", "", true},
    {"--expect", "FILE", "ask what the [[expect]] tables of this require.toml ask", ""},
    {"--claims", "", "test what the model's own files claim (docs/tasks.md)", ""},
    {"--claim", "NAME", "test this claim: template, json, tools, languages or context", "", true},
    {"--reference", "FILE", "the same model in a better precision: what did quantization change? Needs --text", ""},
    {"--text", "FILE", "text on which model and reference are compared", ""},
    {"--repeats", "N", "measured runs of each speed (default: 6)", ""},
    {"--threads", "N", "threads that speed is measured with (default: the physical cores)", ""},
    {"--no-speed", "", "measure no speed and memory", ""},
    {"--context", "N", "tokens of context of one sequence (default: 2048)", ""},
    {"--fits", "", "measure nothing: will it fit this machine, and with how much context? From the header alone", ""},
    kMemory,
    kEngine,
    kOverride,
    kRehash,
    kJobs,
    kSandbox,
    kNoCache,
    kProgress,
};

// What others measured, by their files. Nothing is run.
Result<int> import(Session& session) {
  const Arguments& arguments = session.arguments();
  const std::string& name = arguments.positional.front();
  for (const char* flag : {"task", "expect", "claims", "claim", "reference", "text", "no-speed", "repeats", "items",
                           "shots", "fits", "memory", "threads"}) {
    if (arguments.has(flag))
      return fail(ErrorCode::usage, fmt::format("--import and --{} don't go together: nothing is run", flag));
  }
  if (arguments.positional.size() > 1) return fail(ErrorCode::usage, "--import is for one model");
  SY_TRY(const Scanned model, scanned(session, name, "taken"));
  report::Report report = session.report("bench", name);
  for (const std::string& file : arguments.all("import")) {
    SY_TRY(const std::string text, io::read_text(file));
    auto record = bench::import_scores(text, {});
    if (!record) return fail(record.error().code, fmt::format("{}: {}", text::display(file), record.error().message));
    record->subjects.clear();
    for (const Weights& one : model.files)
      record->subjects.push_back({"weights", one.name, one.sha256, one.file.size()});
    record->run.at = format_time(session.environment().now());
    session.keep(*record);
    report.records.push_back(std::move(*record));
    report.origins.emplace_back();
  }
  report.fail_on.reset();
  report.exit = kClean;
  return session.deliver(std::move(report));
}

Result<std::vector<std::string>> claims_named(const Arguments& arguments) {
  std::vector<std::string> claims = arguments.all("claim");
  const auto known = bench::known_claims();
  for (const std::string& claim : claims) {
    if (std::ranges::find(known, claim) == known.end())
      return fail(ErrorCode::usage, fmt::format("--claim is \"{}\"; expected one of {}", text::display(claim, 64),
                                                fmt::join(known, ", ")));
  }
  return claims;
}

void noisy(const evidence::Record& record, report::Report& report) {
  const Fact* noise = record.found.fact("bench.noise");
  if (noise == nullptr || noise->value["state"].string() != "noisy") return;
  report.notes.push_back(fmt::format(
      "the machine was busy while {} was measured: its figures are uncertain (half the interval of {} is {} "
      "of its median)",
      record.subjects.front().path, noise->value["phase"].string(), noise->value["spread"].string()));
}

Result<int> measure(Session& session) {
  const Arguments& arguments = session.arguments();
  if (arguments.has("fits")) return fit(session);
  SY_TRY(const u32 repeats, number<u32>(arguments, "repeats", 6, 1, 1000));
  SY_TRY(const u32 items, number<u32>(arguments, "items", 0, 1, 1'000'000));
  SY_TRY(const u32 shots, number<u32>(arguments, "shots", 0, 0, 100));
  SY_TRY(const u32 context, number<u32>(arguments, "context", 2048, 64, 1'000'000));
  SY_TRY(const u32 workers, number<u32>(arguments, "jobs", std::max(1U, std::thread::hardware_concurrency()), 1, 256));
  SY_TRY(const u32 threads, number<u32>(arguments, "threads", host::cores(session.environment()), 1, 256));
  bench::Plan plan;
  plan.threads = threads;
  plan.context = context;
  plan.workers = workers;
  plan.repeats = arguments.has("no-speed") ? 0 : repeats;
  plan.items = items;
  for (const std::string& file : arguments.all("task")) {
    SY_TRY(bench::Task read, bench::read_task(file));
    SY_TRY(bench::Task task, bench::with_shots(std::move(read), shots));
    plan.tasks.push_back(std::move(task));
  }
  if (arguments.has("expect")) {
    SY_TRY(const std::string text, io::read_text(arguments.value("expect")));
    SY_TRY(const auto requirements, policy::parse_requirements(text, arguments.value("expect")));
    plan.expectations = expectations_of(requirements);
    if (plan.expectations.empty())
      return fail(ErrorCode::usage, fmt::format("{}: no [[expect]] in it", text::display(arguments.value("expect"))));
  }
  SY_TRY(const std::vector<std::string> claims, claims_named(arguments));
  if (arguments.has("reference") != arguments.has("text"))
    return fail(ErrorCode::usage, "--reference and --text go together");
  std::optional<Scanned> reference;
  if (arguments.has("reference")) {
    SY_TRY(plan.text, io::read_text(arguments.value("text"), u64{1} << 30));
    SY_TRY(reference, scanned(session, arguments.value("reference"), "taken as reference"));
    if (reference->files.size() > 1) return fail(ErrorCode::usage, "--reference takes a model in one file");
    plan.reference = &reference->files.front().file;
    plan.overridden = !reference->objection.empty();
  }
  SY_TRY(const u64 memory, memory_for_models(session));
  report::Report report = session.report("bench", fmt::format("{}", fmt::join(arguments.positional, " ")));
  std::vector<Cleared> models;  // all, before any of them runs
  for (const std::string& name : arguments.positional) {
    SY_TRY(Cleared model, clear(session, name));
    models.push_back(std::move(model));
  }
  for (const Cleared& model : models) {
    std::vector<std::string> tested = claims;
    for (std::string& made : arguments.has("claims") ? claims_made(model) : std::vector<std::string>()) {
      if (std::ranges::find(tested, made) == tested.end()) tested.push_back(std::move(made));
    }
    plan.claims = claims_of(model, tested);
    SY_TRY(evidence::Record record, run_plan(session, model, plan));
    noisy(record, report);
    report.records.push_back(std::move(record));
  }
  if (report.records.size() > 1) {
    evidence::Record side_by_side = bench::compare(report.records, memory);
    side_by_side.run = report.records.front().run;
    report.records.push_back(std::move(side_by_side));
  }
  report.origins.assign(report.records.size(), "");
  report.fail_on.reset();
  report.exit = kClean;
  return session.deliver(std::move(report));
}

int run(Session& session) {
  const Result<int> exit = session.arguments().has("import") ? import(session) : measure(session);
  return exit ? *exit : session.failed(exit.error());
}

}  // namespace

extern const Command bench_command;
const Command bench_command{
    "bench",
    "measure a model: speed, memory, tasks, expected answers, damage by quantization",
    "MODEL…",
    "The model is scanned first and run in a sandbox by the controlled runtime. Several models are put side by\n"
    "side: what each costs, what quantization changed, and which to take.\n\nExamples:\n"
    "  steelyard bench model.gguf\n"
    "  steelyard bench model.gguf --fits --memory 8GiB\n"
    "  steelyard bench model.gguf --task gsm8k/test.jsonl --shots 5 --items 200\n"
    "  steelyard bench model.gguf --import results_2026-11-26.json\n"
    "  steelyard bench model-q4.gguf --reference model-f16.gguf --text book.txt\n"
    "  steelyard bench q8.gguf q4.gguf --reference f16.gguf --text book.txt --memory 8GiB -o damage.html",
    kFlags,
    run,
    true};

}  // namespace steelyard::cli
