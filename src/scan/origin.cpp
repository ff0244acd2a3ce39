#include "scan/origin.hpp"

#include <map>

#include "base/sha256.hpp"

namespace steelyard::scan {
namespace {

constexpr std::string_view kSha256 = "sha256:";
constexpr std::string_view kGit = "git-sha1:";

// In the store's form; empty when it wasn't computed.
std::string actual(const TargetFile& file, const evidence::Subject& subject, const std::string& git) {
  if (file.digest.starts_with(kSha256)) return subject.sha256.empty() ? "" : std::string(kSha256) + subject.sha256;
  return git.empty() ? "" : std::string(kGit) + git;
}

}  // namespace

bool named_by_git(const TargetFile& file) { return file.digest.starts_with(kGit); }

json::Value origin_key(const Target& target) {
  json::Value facts = json::Array{};
  for (const Fact& fact : target.facts) facts.push(json::Value().set("key", fact.key).set("value", fact.value));
  if (target.facts.empty()) return {};
  json::Value findings = json::Array{};
  for (const Finding& finding : target.findings)
    findings.push(json::Value().set("rule", finding.rule).set("data", finding.data));
  json::Value digests = json::Array{};
  for (const TargetFile& file : target.files) digests.push(file.digest);
  return sha256(json::canonical(json::Value()
                                    .set("facts", std::move(facts))
                                    .set("findings", std::move(findings))
                                    .set("digests", std::move(digests))));
}

void add_origin(const Target& target, const std::vector<std::string>& git, evidence::Record& record) {
  if (target.facts.empty()) return;
  Examination& found = record.found;
  std::map<u32, u32> artifacts;  // of whole files, by subject
  for (std::size_t i = 0; i < found.artifacts.size(); ++i) {
    if (!found.artifacts[i].parent) artifacts.emplace(found.artifacts[i].subject, static_cast<u32>(i));
  }
  u64 held = 0;
  u64 checked = 0;
  for (std::size_t i = 0; i < target.files.size(); ++i) {
    const TargetFile& file = target.files[i];
    if (file.digest.empty() || !file.problem.empty()) continue;
    ++held;
    const std::string digest = actual(file, record.subjects[i], git[i]);
    if (digest.empty()) continue;
    ++checked;
    if (digest == file.digest) continue;
    const auto artifact = artifacts.find(static_cast<u32>(i));
    found.findings.push_back(
        {"STO001", Severity::high, artifact == artifacts.end() ? std::nullopt : std::optional(artifact->second),
         std::nullopt, json::Value().set("what", "file").set("expected", file.digest).set("found", digest)});
  }
  found.findings.insert(found.findings.end(), target.findings.begin(), target.findings.end());
  found.facts.insert(found.facts.end(), target.facts.begin(), target.facts.end());
  found.facts.push_back(
      {"source.digests",
       json::Value().set("files", u64{target.files.size()}).set("named", held).set("compared", checked), std::nullopt,
       std::nullopt, Assurance::verified});
}

}  // namespace steelyard::scan
