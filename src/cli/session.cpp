#include "cli/session.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>

#include "base/text.hpp"
#include "cli/gather.hpp"
#include "formats/format.hpp"
#include "quantize/worker.hpp"

namespace steelyard::cli {
namespace {

u32 columns() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60) return std::min<u32>(size.ws_col, 120);
  return 100;
}

i64 milliseconds() {
  using namespace std::chrono;
  return duration_cast<std::chrono::milliseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace

std::optional<std::string> ProcessEnvironment::variable(const std::string& name) const {
  const char* value = std::getenv(name.c_str());
  return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

i64 ProcessEnvironment::now() const {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Result<std::vector<scan::Target>> Session::targets(const std::vector<std::string>& names) {
  std::vector<scan::Target> out;
  for (const std::string& name : names) {
    SY_TRY(scan::Target target, scan::resolve(name, environment_));
    out.push_back(std::move(target));
  }
  if (settings_.file.empty() || settings_.named) return out;
  // Within a folder that is examined, or within the folder of a file that is.
  const auto holds = [&](const std::filesystem::path& folder) {
    for (const auto& place : {settings_.file.parent_path(), settings_.found}) {
      const auto within = place.lexically_relative(folder);
      if (!within.empty() && *within.begin() != "..") return true;
    }
    return false;
  };
  for (const scan::Target& target : out) {
    std::error_code error;
    const std::string named = target.name.starts_with("oci:") ? target.name.substr(4) : target.name;
    const std::filesystem::path whole = std::filesystem::canonical(named, error);
    bool inside = !error && holds(whole);
    std::filesystem::path last;
    for (const scan::TargetFile& file : target.files) {
      if (file.path.empty() || file.path.parent_path() == last) continue;
      last = file.path.parent_path();
      inside = inside || holds(last);
    }
    if (!inside) continue;
    warnings_.push_back(fmt::format(
        "steelyard.toml is not used: it lies with what is examined ({}), which can't speak for itself; --config names "
        "it explicitly",
        text::display(target.name, 120)));
    forget_file(settings_, arguments_);
    break;
  }
  return out;
}

Result<accept::Matcher> Session::matcher() const {
  std::optional<accept::Baseline> baseline;
  if (arguments_.has("baseline")) {
    if (!hashes())
      return fail(ErrorCode::usage, "--baseline needs digests, which --no-hash and --depth quick leave out");
    const std::string file = arguments_.value("baseline");
    SY_TRY(const std::string content, io::read_text(file, u64{64} << 20));
    SY_TRY(baseline, accept::read_baseline(content, file));
  }
  return accept::Matcher(settings_.ignores, settings_.file.parent_path(), "steelyard.toml", std::move(baseline),
                         environment_.now());
}

void Session::note(const std::string& text, std::size_t quiet) const {
  if (arguments_.count("quiet") < quiet) fmt::print(stderr, "note: {}\n", text);
}

Result<scan::Services> Session::services() {
  const std::string wanted = arguments_.value("sandbox", "best");
  const auto mode = wanted == "strict" ? sandbox::Mode::strict
                    : wanted == "off"  ? sandbox::Mode::off
                                       : sandbox::Mode::best;
  if (!zygote_) {
    SY_TRY(zygote_, sandbox::Zygote::start(mode, {&scan::worker_task, &quantize::worker_task}, {}, &formats::preload));
  }
  scan::Services services{.environment = environment_, .zygote = *zygote_, .progress = {}};
  if (!arguments_.has("no-cache")) {
    if (const auto cache = folder("XDG_CACHE_HOME", ".cache"); !cache.empty()) {
      digests_ = std::make_unique<io::DigestCache>(cache / "digests");
      store_ = std::make_unique<evidence::Store>(cache / "evidence");
      services.digests = digests_.get();
      services.store = store_.get();
    }
  }
  if (::isatty(STDERR_FILENO) == 1 && !arguments_.has("quiet") && arguments_.value("progress", "auto") == "auto")
    services.progress = [this, started = milliseconds()](u64 done, u64 total) { progress(started, done, total); };
  return services;
}

std::filesystem::path Session::folder(const std::string& variable, const std::string& fallback) const {
  std::filesystem::path base;
  if (const auto named = environment_.variable(variable)) {
    base = *named;
  } else if (const auto home = environment_.variable("HOME")) {
    base = std::filesystem::path(*home) / fallback;
  }
  return base.is_absolute() ? base / "steelyard" : std::filesystem::path();
}

io::DigestCache Session::digests() const {
  const auto cache = folder("XDG_CACHE_HOME", ".cache");
  return io::DigestCache(arguments_.has("no-cache") || cache.empty() ? cache : cache / "digests");
}

std::vector<json::Value> Session::verdicts(std::size_t most) const {
  const auto data = folder("XDG_DATA_HOME", ".local/share");
  if (arguments_.has("no-cache") || data.empty()) return {};
  return evidence::History(data / "verdicts").newest(most);
}

void Session::keep(const evidence::Record& record) {
  if (!store_) return;
  if (const auto kept = store_->put(record); !kept) note("the record is not kept: " + kept.error().message);
}

void Session::keep(const json::Value& documents) {
  const auto data = folder("XDG_DATA_HOME", ".local/share");
  if (arguments_.has("no-cache") || data.empty()) return;
  const evidence::History history(data / "verdicts");
  for (const json::Value& document : documents.array()) {
    if (const auto kept = history.put(document); !kept) {
      note("the verdict is not kept: " + kept.error().message);
      return;
    }
  }
}

void Session::progress(i64 started, u64 done, u64 total) {
  const i64 now = milliseconds();
  i64 last = progress_shown_;
  if (now - started < 500) return;
  if (done < total && (now - last < 100 || !progress_shown_.compare_exchange_strong(last, now))) return;
  const u64 rate = done * 1000 / static_cast<u64>(now - started);
  const u64 left = rate == 0 ? 0 : (total - std::min(done, total)) / rate;
  fmt::print(stderr, "\r\033[Kreading {} of {} ({}%), {}/s, {} left", text::human_bytes(done), text::human_bytes(total),
             total == 0 ? 100 : done * 100 / total, text::human_bytes(rate),
             left >= 60 ? fmt::format("{} min {:02} s", left / 60, left % 60) : fmt::format("{} s", left));
  if (done >= total) fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
}

bool Session::hashes() const { return !arguments_.has("no-hash") && arguments_.value("depth") != "quick"; }

Result<scan::Options> Session::scan_options() const {
  scan::Options options;
  options.hash = hashes();
  options.rehash = arguments_.has("rehash");
  options.tensor_digests = arguments_.has("tensor-digests");
  if (arguments_.has("jobs")) {
    SY_TRY(options.jobs, number<unsigned>(arguments_, "jobs", 0, 1, 256));
  }
  return options;
}

report::Report Session::report(std::string command, std::string target) const {
  report::Report report;
  report.command = std::move(command);
  report.target = std::move(target);
  report.tool = STEELYARD_VERSION;
  report.now = environment_.now();
  report.fail_on = parse_severity(arguments_.value("fail-on", "high"));
  return report;
}

bool Session::color(int descriptor) const {
  const std::string when = arguments_.value("color", "auto");
  if (when != "auto") return when == "always";
  if (environment_.variable("NO_COLOR")) return false;
  if (environment_.variable("CLICOLOR_FORCE")) return true;
  return ::isatty(descriptor) == 1 && environment_.variable("TERM").value_or("dumb") != "dumb";
}

void Session::warn(std::vector<std::string> texts) {
  for (std::string& text : texts) warnings_.push_back(std::move(text));
}

int Session::deliver(report::Report report) {
  report.notes.insert(report.notes.end(), warnings_.begin(), warnings_.end());
  // On a terminal the text below says the same.
  const bool seen =
      !arguments_.has("quiet") && arguments_.value("format", "text") == "text" && ::isatty(STDOUT_FILENO) == 1;
  if (!seen) {
    for (const std::string& text : warnings_) note(text);
  }
  const report::Style in_file{
      .columns = 100, .verbose = arguments_.has("verbose"), .show_accepted = arguments_.has("show-suppressed")};
  for (const std::string& path : arguments_.all("output")) {
    const auto written = io::write_atomically(path, report::for_path(path)->render(report, in_file));
    if (!written) return failed(written.error());
  }
  if (arguments_.has("quiet")) return report.exit;
  const report::Renderer* renderer = report::find(arguments_.value("format", "text"));
  const std::string text = renderer->render(report, style());
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    return failed({ErrorCode::io, "standard output: the report could not be written"});
  return report.exit;
}

report::Style Session::style() const {
  return {.color = color(STDOUT_FILENO),
          .columns = columns(),
          .verbose = arguments_.has("verbose"),
          .show_accepted = arguments_.has("show-suppressed")};
}

int Session::failed(const Error& error) const {
  fmt::print(stderr, "steelyard: {}\n", error.message);
  return kError;
}

}  // namespace steelyard::cli
