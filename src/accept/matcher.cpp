#include "accept/matcher.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "accept/pattern.hpp"
#include "base/text.hpp"
#include "rules/catalog.hpp"

namespace steelyard::accept {

Matcher::Matcher(std::vector<Ignore> ignores, std::filesystem::path folder, std::string source,
                 std::optional<Baseline> baseline, i64 now)
    : ignores_(std::move(ignores)),
      uses_(ignores_.size()),
      folder_(std::move(folder)),
      source_(std::move(source)),
      baseline_(std::move(baseline)),
      now_(now) {}

bool Matcher::names(const Ignore& ignore, const evidence::Subject* subject, const std::string& member,
                    const std::filesystem::path& path, const std::string& name) const {
  if (ignore.artifact.empty()) return true;
  if (ignore.artifact.starts_with("sha256:"))
    return subject != nullptr && !subject->sha256.empty() && ignore.artifact.substr(7) == subject->sha256;
  const auto fits = [&](const std::string& own) {
    return matches(ignore.artifact, own) || (!member.empty() && matches(ignore.artifact, own + member));
  };
  if (path.empty()) return !name.empty() && fits(name);
  return fits((ignore.artifact.starts_with('/') ? path : path.lexically_relative(folder_)).generic_string()) ||
         (subject != nullptr && fits(name + ":" + subject->path));
}

std::vector<Accepted> Matcher::look(const evidence::Record& record, std::span<const std::filesystem::path> paths,
                                    const std::string& name) {
  std::vector<Accepted> out;
  if (ignores_.empty() && !baseline_) return out;
  const std::filesystem::path nowhere;
  const auto path_of = [&](std::size_t subject) -> const std::filesystem::path& {
    return subject < paths.size() ? paths[subject] : nowhere;
  };
  for (std::size_t s = 0; s < record.subjects.size(); ++s) {
    for (std::size_t i = 0; i < ignores_.size(); ++i)
      uses_[i].seen = uses_[i].seen || names(ignores_[i], &record.subjects[s], {}, path_of(s), name);
  }
  const std::string id = evidence::id(record);
  const auto& artifacts = record.found.artifacts;
  for (std::size_t f = 0; f < record.found.findings.size(); ++f) {
    const Finding& finding = record.found.findings[f];
    const bool placed = finding.artifact && *finding.artifact < artifacts.size();
    const std::size_t number = placed ? artifacts[*finding.artifact].subject : 0;
    const evidence::Subject* subject = number < record.subjects.size() ? &record.subjects[number] : nullptr;
    std::string member;
    if (placed && subject != nullptr && artifacts[*finding.artifact].path.starts_with(subject->path))
      member = artifacts[*finding.artifact].path.substr(subject->path.size());
    const auto holds = [&](const std::string& until) {
      return until.empty() ? finding.severity < kNeedsEnd : now_ < end_of(until).value_or(0);
    };
    const std::string cite = fmt::format("{}#findings/{}", id, f);
    bool done = false;
    for (std::size_t i = 0; i < ignores_.size(); ++i) {
      const Ignore& ignore = ignores_[i];
      if (ignore.rule != finding.rule || !names(ignore, subject, member, path_of(number), name)) continue;
      if (!holds(ignore.until)) {
        ++uses_[i].late;
        continue;
      }
      ++uses_[i].findings;
      if (!done) out.push_back({cite, "ignore", ignore.reason, ignore.until});
      done = true;
    }
    if (done || !baseline_) continue;
    const auto print = fingerprint(record, finding);
    if (!print || !baseline_->fingerprints.contains(*print)) continue;
    if (holds(baseline_->until)) {
      out.push_back({cite, "baseline", baseline_->reason, baseline_->until});
    } else {
      ++late_;
    }
  }
  return out;
}

std::vector<std::string> Matcher::notes(std::span<const Layer> layers) const {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < ignores_.size(); ++i) {
    const Ignore& ignore = ignores_[i];
    const Use& use = uses_[i];
    const rules::Rule* rule = rules::find(ignore.rule);
    if (rule == nullptr || std::ranges::find(layers, rule->layer) == layers.end()) continue;
    const std::string what = fmt::format("{}:{}: the ignore of {}{}{}", source_, ignore.line, ignore.rule,
                                         ignore.artifact.empty() ? "" : " for ", text::display(ignore.artifact, 100));
    if (use.late > 0) {
      out.push_back(fmt::format("{} ended on {}: {} again", what, ignore.until,
                                use.late == 1 ? "its finding counts" : "its findings count"));
    } else if (use.findings == 0) {
      out.push_back(fmt::format("{} is unused: {}", what,
                                use.seen ? "the rule doesn't fire there" : "nothing in this run matches it"));
    }
  }
  if (late_ > 0)
    out.push_back(
        baseline_->until.empty()
            ? fmt::format("the baseline names no end: {} of its findings are too serious for that", late_)
            : fmt::format("the baseline ended on {}: {} of its findings count again", baseline_->until, late_));
  return out;
}

}  // namespace steelyard::accept
