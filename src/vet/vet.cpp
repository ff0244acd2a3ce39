#include "vet/vet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "bench/model.hpp"
#include "host/host.hpp"
#include "policy/kind.hpp"
#include "stack/build.hpp"
#include "stack/verify.hpp"

namespace steelyard::vet {
namespace {

constexpr std::size_t kMostMeasured = 4;  // earlier benches of the same file

// Evidence older than the strictest age that the requirements ask for is made anew.
i64 oldest_allowed(const policy::Requirements& requirements, i64 fallback) {
  i64 seconds = fallback;
  for (const auto& item : requirements.items) {
    if (item.kind == "evidence_age" && item.params["max_days"].is_integer())
      seconds = std::min(seconds, item.params["max_days"].integer() * 24 * 3600);
  }
  return seconds;
}

// The newest build, hashed again; nothing when no requirement asks, or nothing was built.
Result<std::optional<evidence::Record>> runtime(const Request& request, const Environment& environment) {
  const bool asked = std::ranges::any_of(request.requirements.items, [](const policy::Requirement& item) {
    const policy::Kind* kind = policy::find_kind(item.kind);
    return kind != nullptr && kind->evidence == "stack";
  });
  const auto folder = asked ? stack::current(request.stacks) : std::nullopt;
  if (!folder) return std::nullopt;
  const auto built = stack::read_record(*folder);
  if (!built) return std::nullopt;
  SY_TRY(evidence::Record record, stack::verify({}, &*built, *folder, environment));
  return record;
}

// What was measured before, of the GGUF model that the scan found, where there are no other weights.
void recall(const evidence::Store& store, const evidence::Record& scan, std::vector<evidence::Record>& measured) {
  const auto model = bench::gguf_model(scan.found, "");
  if (!model || bench::other_weights(scan.found)) return;
  std::set<std::string> files;
  for (const u32 artifact : *model) files.insert(scan.subjects[scan.found.artifacts[artifact].subject].sha256);
  const auto take = [&](std::string_view kind) {
    std::size_t taken = 0;
    for (evidence::Record& record : store.about(kind, *files.begin(), SIZE_MAX)) {
      std::set<std::string> about;
      for (const evidence::Subject& subject : record.subjects) about.insert(subject.sha256);
      if (about == files && taken++ < kMostMeasured) measured.push_back(std::move(record));
    }
  };
  if (measured.empty()) take("bench");
  take("scores");
}

}  // namespace

Result<Outcome> vet(const Request& request, const scan::Services& services) {
  const scan::Target& target = request.target;
  scan::Options options = request.scan;
  options.max_age = oldest_allowed(request.requirements, options.max_age);
  const i64 now = services.environment.now();

  Outcome outcome;
  SY_TRY(evidence::Record scanned, scan::scan(target, options, services));
  if (scanned.run.at != format_time(now)) {
    if (const auto made = parse_time(scanned.run.at); made && *made < now)
      outcome.notes.push_back(
          fmt::format("the scan of {} is reused (same bytes, same rules; --rehash makes it anew)", scanned.run.at));
  }
  outcome.records.push_back(std::move(scanned));

  std::vector<std::string> paths;
  std::vector<std::filesystem::path> files;
  for (const scan::TargetFile& file : target.files) {
    if (!file.path.empty()) paths.push_back(file.path.string());
    files.push_back(file.path);
  }
  if (request.matcher != nullptr) outcome.accepted = request.matcher->look(outcome.records.front(), files, target.name);
  evidence::Record host = host::examine(services.environment, paths);
  host.run = {format_time(now), 0, {}, "none"};
  outcome.records.push_back(std::move(host));

  for (const context::Context& context : request.contexts) {
    evidence::Record analysed = context::analyze(context);
    analysed.run = {format_time(now), 0, {}, "none"};
    outcome.records.push_back(std::move(analysed));
  }
  SY_TRY(const auto verified, runtime(request, services.environment));
  if (verified) outcome.records.push_back(*verified);
  std::vector<evidence::Record> measured = request.measured;
  if (services.store != nullptr) recall(*services.store, outcome.records.front(), measured);
  outcome.records.insert(outcome.records.end(), measured.begin(), measured.end());
  for (std::size_t i = 0; i < request.contexts.size(); ++i) {
    std::vector<evidence::Record> records = {outcome.records[0], outcome.records[1], outcome.records[2 + i]};
    if (verified) records.push_back(*verified);
    records.insert(records.end(), measured.begin(), measured.end());
    const policy::Inputs inputs{records,
                                request.contexts[i].name,
                                context::digest(request.contexts[i]),
                                &request.requirements,
                                std::max(now, services.environment.now()),
                                outcome.accepted};
    policy::Verdict verdict = policy::evaluate(inputs);
    outcome.documents.push(policy::document(inputs, verdict));
    outcome.verdicts.push_back(std::move(verdict));
  }
  return outcome;
}

}  // namespace steelyard::vet
