// steelyard bench: measures the model and reports the measurements as a record.
#include <fmt/format.h>

#include <optional>
#include <thread>

#include "base/text.hpp"
#include "bench/compare.hpp"
#include "cli/engines.hpp"
#include "cli/fitting.hpp"
#include "host/machine.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {
    {"--task", "FILE", "run this task file (JSON Lines; docs/tasks.md)", "", true},
    {"--items", "N", "of every task only the first N items", ""},
    {"--expect", "FILE", "ask what the [[expect]] tables of this require.toml ask", ""},
    {"--claims", "", "test what is claimed of every chat model: that its template fits, that it answers in JSON", ""},
    {"--reference", "FILE", "the same model in a better precision: what did quantization change? Needs --text", ""},
    {"--text", "FILE", "text on which model and reference are compared", ""},
    {"--repeats", "N", "measured runs of each speed (default: 6)", ""},
    {"--threads", "N", "threads that speed is measured with (default: the physical cores)", ""},
    {"--no-speed", "", "measure no speed and memory", ""},
    {"--context", "N", "tokens of context of one sequence (default: 2048)", ""},
    {"--fits", "", "measure nothing: will it fit this machine, and with how much context? From the header alone", ""},
    {"--memory", "SIZE", "memory that there is for it, as 8GiB (default: what this machine has left)", ""},
    kEngine,
    kOverride,
    kRehash,
    kJobs,
    kSandbox,
    kNoCache,
    kProgress,
};

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
    SY_TRY(bench::Task task, bench::read_task(file));
    plan.tasks.push_back(std::move(task));
  }
  if (arguments.has("expect")) {
    SY_TRY(const std::string text, io::read_text(arguments.value("expect")));
    SY_TRY(const auto requirements, policy::parse_requirements(text, arguments.value("expect")));
    plan.expectations = expectations_of(requirements);
    if (plan.expectations.empty())
      return fail(ErrorCode::usage, fmt::format("{}: no [[expect]] in it", text::display(arguments.value("expect"))));
  }
  if (arguments.has("claims")) plan.claims.assign(bench::known_claims().begin(), bench::known_claims().end());
  if (arguments.has("reference") != arguments.has("text"))
    return fail(ErrorCode::usage, "--reference and --text go together");
  std::optional<io::File> reference;
  if (arguments.has("reference")) {
    SY_TRY(plan.text, io::read_text(arguments.value("text"), u64{1} << 30));
    std::error_code error;
    SY_TRY(reference, io::File::open(std::filesystem::weakly_canonical(arguments.value("reference"), error)));
    plan.reference = &*reference;
  }
  SY_TRY(const u64 memory, memory_for_models(session));
  report::Report report = session.report("bench", fmt::format("{}", fmt::join(arguments.positional, " ")));
  std::vector<Cleared> models;  // all, before any of them runs
  for (const std::string& name : arguments.positional) {
    SY_TRY(Cleared model, clear(session, name));
    models.push_back(std::move(model));
  }
  for (const Cleared& model : models) {
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
  const Result<int> exit = measure(session);
  return exit ? *exit : session.failed(exit.error());
}

}  // namespace

extern const Command bench_command;
const Command bench_command{
    "bench",
    "measure a model: speed, memory, tasks, expected answers, damage by quantization",
    "MODEL…",
    "The model is scanned first and run in a sandbox by the controlled runtime. Several models are put side by side: "
    "what\n"
    "each costs, what quantization changed, and which to take.\n\nExamples:\n"
    "  steelyard bench model.gguf\n"
    "  steelyard bench model.gguf --fits --memory 8GiB\n"
    "  steelyard bench model.gguf --task hellaswag.jsonl --items 200\n"
    "  steelyard bench model-q4.gguf --reference model-f16.gguf --text book.txt\n"
    "  steelyard bench q8.gguf q4.gguf --reference f16.gguf --text book.txt --memory 8GiB -o damage.html",
    kFlags,
    run,
    true};

}  // namespace steelyard::cli
