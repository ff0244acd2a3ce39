// stack: the runtime that is built from verified source, and what can be said about any other.

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "base/text.hpp"
#include "cli/gather.hpp"
#include "stack/bom.hpp"
#include "stack/build.hpp"
#include "stack/verify.hpp"
#include "stack/vex.hpp"

namespace steelyard::cli {
namespace {

namespace fs = std::filesystem;

constexpr Flag kFlags[] = {
    {"--source", "ARCHIVE", "build: the pinned archive (default: where tools/setup and pip leave it)", ""},
    {"--variant", "NAME", "build: for which processors: x86-64-v3 (default), avx512, amx", "x86-64-v3,avx512,amx",
     true},
    {"--backend", "NAME", "build: what computes: cpu (default), cuda, vulkan", "cpu,cuda,vulkan", true},
    {"--prefix", "DIR", "where builds lie (default: $XDG_DATA_HOME/steelyard/stack)", ""},
    {"--check-reproducible", "", "build: build twice, in different folders and without a compiler cache, and compare",
     ""},
    {"--pid", "PID", "verify: what this running process has loaded", ""},
    {"-f,--format", "FORMAT", "the report; bom: cyclonedx (default) or slsa; vex: cyclonedx or openvex (default)",
     "text,concise,json,jsonl,sarif,html,markdown,junit,csv,cyclonedx,slsa,openvex", false, true},
    kJobs,
    kFailOn,
};

fs::path root_of(const Session& session) {
  if (session.arguments().has("prefix")) return fs::absolute(session.arguments().value("prefix")).lexically_normal();
  const fs::path data = session.data_folder();
  return data.empty() ? fs::path() : data / "stack";
}

// Where the archive may lie already: nothing is downloaded.
Result<fs::path> archive_of(const Session& session, const stack::Lock& lock) {
  std::vector<fs::path> places;
  if (session.arguments().has("source")) {
    places.emplace_back(session.arguments().value("source"));
  } else {
    places = {fs::path("build/cache") / lock.file, fs::path(lock.file)};
    if (const auto cache = session.cache_folder(); !cache.empty()) places.push_back(cache / lock.file);
  }
  std::error_code error;
  for (const fs::path& place : places) {
    if (fs::is_regular_file(place, error)) return fs::canonical(place);
  }
  std::string message = fmt::format("the source archive {} isn't there; looked for", lock.file);
  for (const fs::path& place : places) message += "\n  " + text::display(place.string());
  return fail(ErrorCode::usage, fmt::format("{}\nfetch it with\n  {}\nand name it: steelyard stack build --source {}",
                                            message, lock.get, lock.file));
}

class Ticker {
 public:
  explicit Ticker(bool shown) : shown_(shown) {}
  ~Ticker() { clear(); }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  void tell(std::string_view stage, std::string_view detail) {
    if (!shown_) return;
    fmt::print(stderr, "\r\033[K{}{}{}", stage, detail.empty() ? "" : " ", detail);
    std::fflush(stderr);
  }
  void clear() const {
    if (shown_) fmt::print(stderr, "\r\033[K");
  }

 private:
  bool shown_;
};

report::Report report_on(Session& session, std::string what, evidence::Record record, const fs::path& folder) {
  report::Report report = session.report("stack", std::move(what));
  report.records.push_back(std::move(record));
  report.origins.push_back(folder.empty() ? std::string() : folder.string() + "/");
  report.exit = exit_for(report);
  return report;
}

int run_build(Session& session) {
  auto request = stack::embedded_request();
  if (!request) return session.failed(request.error());
  const auto archive = archive_of(session, request->lock);
  if (!archive) return session.failed(archive.error());
  const auto options = session.scan_options();
  if (!options) return session.failed(options.error());
  request->archive = *archive;
  request->root = root_of(session);
  if (request->root.empty())
    return session.failed({ErrorCode::usage, "there is no home folder to build in; name a place with --prefix DIR"});
  request->variants = session.arguments().all("variant");
  request->backends = session.arguments().all("backend");
  request->again = session.arguments().has("check-reproducible");
  const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  request->jobs = session.arguments().has("jobs") ? options->jobs : static_cast<u32>(std::max(1L, processors));
  Ticker ticker(::isatty(STDERR_FILENO) == 1 && !session.arguments().has("quiet"));
  auto built = stack::build(*request, session.environment(),
                            [&](std::string_view stage, std::string_view detail) { ticker.tell(stage, detail); });
  ticker.clear();
  if (!built) return session.failed(built.error());
  for (const stack::Stage& stage : built->stages)
    session.note(fmt::format("{}: {:.1f} s", stage.name, static_cast<double>(stage.ms) / 1000), 1);
  if (!built->folder.empty())
    session.note(
        fmt::format("{} in {}", built->present ? "already built" : "built", text::display(built->folder.string())), 1);
  return session.deliver(report_on(session, request->lock.upstream, std::move(built->record), built->folder));
}

struct Here {
  fs::path folder;
  evidence::Record record;
};

Result<Here> newest(const Session& session) {
  const fs::path root = root_of(session);
  const auto folder = stack::current(root);
  if (!folder)
    return fail(ErrorCode::usage, fmt::format("{}: no stack was built there; steelyard stack build makes one",
                                              text::display(root.string())));
  SY_TRY(evidence::Record record, stack::read_record(*folder));
  return Here{*folder, std::move(record)};
}

int run_record(Session& session) {
  auto here = newest(session);
  if (!here) return session.failed(here.error());
  return session.deliver(report_on(session, "stack", std::move(here->record), here->folder));
}

// A document that isn't a report: to every --output file, else to standard output.
int write_document(const Session& session, const json::Value& document) {
  const std::string text = json::pretty(document) + "\n";
  const auto files = session.arguments().all("output");
  for (const std::string& file : files) {
    if (const auto written = io::write_atomically(file, text); !written) return session.failed(written.error());
  }
  if (files.empty() && (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0))
    return session.failed({ErrorCode::io, "standard output: the document could not be written"});
  return kClean;
}

// The document's form; what a settings file says about reports doesn't count.
Result<std::string> form(const Session& session, const std::vector<std::string>& known) {
  const Arguments& arguments = session.arguments();
  if (!arguments.has("format") || arguments.origins.contains("format")) return known.front();
  std::string wanted = arguments.value("format");
  if (std::ranges::find(known, wanted) != known.end()) return wanted;
  return fail(ErrorCode::usage, fmt::format("--format is \"{}\"; here it is one of {}", text::display(wanted, 40),
                                            fmt::join(known, ", ")));
}

int run_bom(Session& session) {
  const auto format = form(session, {"cyclonedx", "slsa"});
  if (!format) return session.failed(format.error());
  const auto here = newest(session);
  if (!here) return session.failed(here.error());
  return write_document(session, *format == "slsa" ? stack::slsa(here->record) : stack::cyclonedx(here->record));
}

int run_vex(Session& session) {
  const auto format = form(session, {"openvex", "cyclonedx"});
  if (!format) return session.failed(format.error());
  const auto here = newest(session);
  if (!here) return session.failed(here.error());
  const auto answers = stack::answers(here->record, rules::advisories());
  return write_document(session, *format == "openvex" ? stack::openvex(here->record, answers)
                                                      : stack::vex_cyclonedx(here->record, answers));
}

// "as built  pie relro nx canary fortify  no rpc  /path", one line a program or library.
void list_programs(const Fact& programs) {
  for (const json::Value& one : programs.value.array()) {
    const std::string& origin = one["origin"].string();
    std::string has;
    for (const auto& [name, value] : one["hardening"].object()) {
      if (value.string() == "yes") has += (has.empty() ? "" : " ") + name;
    }
    const std::string& rpc = one["rpc"].string();
    fmt::print("  {:<9} {:<40} {:<7} {}\n", origin == "built" || origin == "packaged" ? "as " + origin : origin, has,
               rpc == "absent"    ? "no rpc"
               : rpc == "present" ? "rpc"
                                  : "",
               text::display(one["path"].string(), 200));
  }
  fmt::print("\n");
}

int run_verify(Session& session) {
  const Arguments& arguments = session.arguments();
  stack::Wanted wanted;
  wanted.files.assign(arguments.positional.begin() + 1, arguments.positional.end());
  if (arguments.has("pid")) {
    const std::string text = arguments.value("pid");
    u64 process = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), process);
    if (error != std::errc{} || end != text.data() + text.size() || process == 0)
      return session.failed({ErrorCode::usage, fmt::format("--pid is \"{}\"; expected the number of a process",
                                                           text::display(text, 32))});
    wanted.process = process;
  }
  const auto here = newest(session);
  auto record =
      stack::verify(wanted, here ? &here->record : nullptr, here ? here->folder : fs::path(), session.environment());
  if (!record) return session.failed(record.error());
  const Fact* programs = record->found.fact("runtime.programs");
  bool open = false;
  std::size_t built = 0, packaged = 0;
  for (const json::Value& one : programs->value.array()) {
    const std::string& origin = one["origin"].string();
    built += origin == "built" ? 1U : 0U;
    packaged += origin == "packaged" ? 1U : 0U;
    open = open || origin == "unknown";
  }
  session.note(fmt::format("{} files: {} as built from proved source, {} as packaged", programs->value.array().size(),
                           built, packaged),
               1);
  if (arguments.value("format", "text") == "text" && !arguments.has("quiet")) list_programs(*programs);
  report::Report report = report_on(session, wanted.process ? fmt::format("process {}", *wanted.process) : "programs",
                                    std::move(*record), {});
  if (report.exit == kClean && open) report.exit = kUndetermined;
  return session.deliver(std::move(report));
}

struct Action {
  std::string_view name;
  int (*run)(Session& session);
};
constexpr std::array kActions = {Action{"build", run_build}, Action{"verify", run_verify}, Action{"record", run_record},
                                 Action{"bom", run_bom}, Action{"vex", run_vex}};

std::vector<std::string> action_names() {
  std::vector<std::string> out;
  for (const Action& action : kActions) out.emplace_back(action.name);
  return out;
}

int run(Session& session) {
  const std::string& wanted = session.arguments().positional.front();
  for (const Action& action : kActions) {
    if (action.name == wanted) return action.run(session);
  }
  const std::string near = text::closest(wanted, action_names());
  return session.failed(
      {ErrorCode::usage,
       fmt::format("stack {}: expected one of {}{}", text::display(wanted, 40), fmt::join(action_names(), ", "),
                   near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near))});
}

}  // namespace

extern const Command stack_command;
const Command stack_command{
    "stack",
    "the inference runtime from verified source: build, verify, record, bom, vex",
    "ACTION…",
    "build   proves that the pinned archive holds an upstream commit of llama.cpp, and builds it hardened\n"
    "verify  hashes the build again; with paths or --pid: any program, library or running server\n"
    "record  the evidence about the newest build\n"
    "bom     that evidence as CycloneDX or SLSA provenance\n"
    "vex     which known flaws the build has, from how it was built\n\n"
    "Examples:\n  steelyard stack build\n  steelyard stack build --variant avx512 --check-reproducible\n"
    "  steelyard stack verify --pid 4711\n  steelyard stack verify /usr/local/lib/ollama\n"
    "  steelyard stack bom -f slsa",
    kFlags,
    run,
    true,
    false,
    action_names};

}  // namespace steelyard::cli
