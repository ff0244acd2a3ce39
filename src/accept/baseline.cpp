#include "accept/baseline.hpp"

#include <fmt/format.h>

#include "base/environment.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"

namespace steelyard::accept {
namespace {

constexpr std::string_view kSchema = "steelyard/baseline/1";
constexpr std::size_t kMostBytes = 64u << 20;

}  // namespace

std::optional<std::string> fingerprint(const evidence::Record& record, const Finding& finding) {
  const auto& artifacts = record.found.artifacts;
  const bool placed = finding.artifact && *finding.artifact < artifacts.size();
  const std::size_t number = placed ? artifacts[*finding.artifact].subject : 0;
  if (number >= record.subjects.size()) return std::nullopt;
  const evidence::Subject& subject = record.subjects[number];
  if (subject.sha256.empty()) return std::nullopt;
  std::string member;
  if (placed && artifacts[*finding.artifact].path.starts_with(subject.path))
    member = artifacts[*finding.artifact].path.substr(subject.path.size());
  json::Value at;
  if (finding.at) at.push(finding.at->begin).push(finding.at->end);
  return sha256(json::canonical(json::Value()
                                    .set("rule", finding.rule)
                                    .set("sha256", subject.sha256)
                                    .set("member", member)
                                    .set("at", std::move(at))
                                    .set("data", finding.data)));
}

Result<std::string> write_baseline(const std::vector<evidence::Record>& records, const std::string& tool, i64 now,
                                   const std::string& reason, const std::string& until) {
  if (reason.empty()) return fail(ErrorCode::usage, "a baseline needs a reason");
  if (!until.empty() && !end_of(until))
    return fail(ErrorCode::usage,
                fmt::format("until is \"{}\"; expected a day, such as 2027-01-31", text::display(until, 40)));
  json::Value findings = json::Array{};
  std::size_t serious = 0;
  std::size_t without = 0;
  for (const evidence::Record& record : records) {
    for (const Finding& finding : record.found.findings) {
      const auto print = fingerprint(record, finding);
      if (!print) {
        ++without;
        continue;
      }
      if (finding.severity >= kNeedsEnd) ++serious;
      const auto& artifacts = record.found.artifacts;
      findings.push(
          json::Value()
              .set("rule", finding.rule)
              .set("path", finding.artifact ? artifacts[*finding.artifact].path : record.subjects.front().path)
              .set("fingerprint", *print));
    }
  }
  if (without > 0)
    return fail(ErrorCode::usage,
                fmt::format("{} findings are in files without a digest: they can't be recognised again", without));
  if (serious > 0 && until.empty())
    return fail(
        ErrorCode::usage,
        fmt::format("{} of {} findings are of severity {} or above, which is not accepted for good: say until when",
                    serious, findings.array().size(), to_string(kNeedsEnd)));
  return json::pretty(json::Value()
                          .set("schema", kSchema)
                          .set("tool", tool)
                          .set("at", format_time(now))
                          .set("reason", reason)
                          .set("until", until.empty() ? json::Value() : json::Value(until))
                          .set("findings", std::move(findings))) +
         "\n";
}

Result<Baseline> read_baseline(const std::string& text, const std::string& name) {
  const auto wrong = [&](std::string_view what) {
    return fail(ErrorCode::usage, fmt::format("{}: {}", text::display(name), what));
  };
  const auto document = json::parse(text, {.most_bytes = kMostBytes});
  if (!document) return wrong(document.error().message);
  if ((*document)["schema"].string() != kSchema)
    return wrong(fmt::format("the schema is {}, this version reads \"{}\"; steelyard baseline writes one",
                             text::display(json::compact((*document)["schema"]), 80), kSchema));
  Baseline out{(*document)["reason"].string(), (*document)["until"].string(), {}};
  if (out.reason.empty()) return wrong("the reason is missing");
  if (!(*document)["until"].is_null() && !end_of(out.until)) return wrong("until must be a day or null");
  if (!(*document)["findings"].is_array()) return wrong("findings must be a list");
  for (const json::Value& entry : (*document)["findings"].array()) {
    if (!is_sha256(entry["fingerprint"].string())) return wrong("a finding without a fingerprint");
    out.fingerprints.insert(entry["fingerprint"].string());
  }
  return out;
}

}  // namespace steelyard::accept
