#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/gather.hpp"
#include "scan/copies.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kFailOn, kNoHash, kRehash, kTensorDigests, kJobs};

Result<bool> scan_named(Session& session, const scan::Options& options, report::Report& report) {
  std::vector<scan::Target> targets;
  for (const std::string& name : session.arguments().positional) {
    SY_TRY(scan::Target target, scan::resolve(name, session.environment()));
    targets.push_back(std::move(target));
    report.target += (report.target.empty() ? "" : " ") + name;
  }
  SY_TRY(const scan::Services services, session.services());
  for (const scan::Target& target : targets) {
    SY_TRY(evidence::Record record, scan::scan(target, options, services));
    report.records.push_back(std::move(record));
  }
  return true;
}

// Every model of every store. Larger ones first: what is part of another needs no record of its own.
Result<bool> scan_stores(Session& session, const scan::Options& options, report::Report& report) {
  const stores::Listing listing = stores::list(session.environment());
  SY_TRY(const scan::Services services, session.services());
  std::vector<const stores::Model*> order;
  for (const stores::Model& model : listing.models) order.push_back(&model);
  std::ranges::stable_sort(order, std::ranges::greater{}, [](const auto* model) { return model->files.size(); });
  scan::Copies copies;
  std::map<const stores::Model*, evidence::Record> records;
  std::map<const stores::Model*, std::string> twins;
  for (const stores::Model* model : order) {
    std::string twin = copies.of(*model);
    if (twin.empty()) {
      SY_TRY(evidence::Record record, scan::scan(scan::from(*model), options, services));
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
      report.records.push_back(std::move(record->second));
    } else {
      report.notes.push_back(
          fmt::format("{} holds the same contents as {}, examined once", model.target(), twins.at(&model)));
    }
  }
  for (const scan::Target& place : scan::unlisted(listing)) {
    SY_TRY(evidence::Record record, scan::scan(place, options, services));
    report.records.push_back(std::move(record));
  }
  report.notes.insert(report.notes.end(), listing.notes.begin(), listing.notes.end());
  if (listing.models.empty()) report.notes.emplace_back("no model is in the stores of this machine");
  return true;
}

int run(Session& session) {
  const auto options = session.scan_options();
  if (!options) return session.failed(options.error());
  report::Report report = session.report("scan", "");
  const auto scanned = session.arguments().positional.empty() ? scan_stores(session, *options, report)
                                                              : scan_named(session, *options, report);
  if (!scanned) return session.failed(scanned.error());
  if (!session.deliver(report)) return kError;
  return exit_for(report.records, session.arguments());
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
    "report.json\n"
    "  steelyard scan --no-hash big.gguf        structure only, in milliseconds",
    kFlags,
    run};

}  // namespace steelyard::cli
