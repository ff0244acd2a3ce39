#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/text.hpp"
#include "cli/gather.hpp"
#include "rules/catalog.hpp"
#include "scan/copies.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {
    kFailOn,
    {"--exit-zero", "", "exit 0 whatever was found or left open; errors still exit 2", ""},
    kBaseline,
    {"--select", "CODES", "only these rules, or families by the beginning of their codes: GGF,IDN001", "", true},
    {"--ignore", "CODES", "not these rules or families, in this run; [[ignore]] in steelyard.toml gives reasons", "",
     true},
    {"--severity", "SEVERITY", "only findings of this severity or above", "info,low,medium,high,critical", false, true},
    kNoHash,
    kRehash,
    kTensorDigests,
    kJobs,
    kSandbox,
    kNoCache,
    kProgress,
};

Result<std::vector<std::string>> codes(const Arguments& arguments, std::string_view flag) {
  std::vector<std::string> out;
  for (const std::string& list : arguments.all(flag)) {
    for (const std::string& code : split(list)) {
      std::vector<std::string> known;
      bool found = false;
      for (const auto& [id, rule] : rules::catalog()) {
        found = found || (!code.empty() && id.starts_with(code));
        known.push_back(code.size() <= 3 ? id.substr(0, 3) : id);
      }
      if (!found) {
        const std::string near = text::closest(code, known);
        return fail(ErrorCode::usage, fmt::format("--{}: no rule begins with \"{}\"{}", flag, text::display(code, 32),
                                                  near.empty() ? std::string("; see steelyard rules")
                                                               : fmt::format("; did you mean \"{}\"?", near)));
      }
      out.push_back(code);
    }
  }
  return out;
}

class Scan {
 public:
  Scan(Session& session, const scan::Options& options, accept::Matcher& matcher, report::Report& report)
      : session_(session), options_(options), matcher_(matcher), report_(report) {}

  Result<bool> named(const std::vector<scan::Target>& targets) {
    SY_TRY(const scan::Services services, session_.services());
    for (const scan::Target& target : targets) {
      SY_TRY(evidence::Record record, scan::scan(target, options_, services));
      add(std::move(record), target);
      report_.target += (report_.target.empty() ? "" : " ") + target.name;
    }
    return true;
  }

  // Every model of every store. Larger ones first: what is part of another needs no record of its own.
  Result<bool> stores() {
    const stores::Listing listing = stores::list(session_.environment());
    SY_TRY(const scan::Services services, session_.services());
    std::vector<const stores::Model*> order;
    for (const stores::Model& model : listing.models) order.push_back(&model);
    std::ranges::stable_sort(order, std::ranges::greater{}, [](const auto* model) { return model->files.size(); });
    scan::Copies copies;
    std::map<const stores::Model*, evidence::Record> records;
    std::map<const stores::Model*, std::string> twins;
    for (const stores::Model* model : order) {
      std::string twin = copies.of(*model);
      if (twin.empty()) {
        SY_TRY(evidence::Record record, scan::scan(scan::from(*model), options_, services));
        twin = copies.of(record);
        if (twin.empty()) {
          copies.keep(*model, record);
          records.emplace(model, std::move(record));
          continue;
        }
      }
      twins.emplace(model, std::move(twin));
    }
    for (const stores::Model& model : listing.models) {
      if (const auto record = records.find(&model); record != records.end()) {
        add(std::move(record->second), scan::from(model));
      } else {
        report_.notes.push_back(
            fmt::format("{} holds the same contents as {}, examined once", model.target(), twins.at(&model)));
      }
    }
    for (const scan::Target& place : scan::unlisted(listing)) {
      SY_TRY(evidence::Record record, scan::scan(place, options_, services));
      add(std::move(record), place);
    }
    report_.notes.insert(report_.notes.end(), listing.notes.begin(), listing.notes.end());
    if (listing.models.empty()) report_.notes.emplace_back("no model is in the stores of this machine");
    return true;
  }

 private:
  void add(evidence::Record record, const scan::Target& target) {
    report_.records.push_back(std::move(record));
    report_.origins.push_back(origin_of(target));
    accept(report_, report_.records.size() - 1, matcher_, &target);
  }

  Session& session_;
  const scan::Options& options_;
  accept::Matcher& matcher_;
  report::Report& report_;
};

int run(Session& session) {
  const auto targets = session.targets(session.arguments().positional);
  if (!targets) return session.failed(targets.error());
  const Arguments& arguments = session.arguments();
  const auto options = session.scan_options();
  if (!options) return session.failed(options.error());
  auto matcher = session.matcher();
  if (!matcher) return session.failed(matcher.error());
  const auto only = codes(arguments, "select");
  if (!only) return session.failed(only.error());
  const auto without = codes(arguments, "ignore");
  if (!without) return session.failed(without.error());

  report::Report report = session.report("scan", "");
  report.selection = {*only, *without, parse_severity(arguments.value("severity", "info")).value_or(Severity::info)};
  Scan scan(session, *options, *matcher, report);
  const auto scanned = targets->empty() ? scan.stores() : scan.named(*targets);
  if (!scanned) return session.failed(scanned.error());
  session.warn(matcher->notes(std::array{Layer::model}));
  report.exit = arguments.has("exit-zero") ? kClean : exit_for(report);
  return session.deliver(std::move(report));
}

}  // namespace

extern const Command scan_command;
const Command scan_command{
    "scan",
    "static analysis of model files: structure, claims, coverage",
    "[TARGET…]",
    "TARGET is a file, a folder, a model in a store of this machine (see steelyard ls), or - for standard\n"
    "input: hf:org/name[@revision][:file], ollama:name[:tag], docker:ns/name, lmstudio:pub/model,\n"
    "ramalama:…, llama:…, anaconda:…, oci:FOLDER[:tag]. Nothing is downloaded. Without a TARGET every model of\n"
    "every store is examined.\n\nExamples:\n  steelyard scan model.gguf\n  steelyard scan models/ -o report.html -o "
    "report.sarif\n"
    "  steelyard scan --no-hash big.gguf        structure only, in milliseconds\n"
    "  steelyard scan models/ --baseline steelyard-baseline.json",
    kFlags,
    run,
    true};

}  // namespace steelyard::cli
