// source: who made the model is known well enough, or its bytes are pinned by digest.
//
// Attack resisted: a copy under a trusted name. A name inside a file is only a claim; a pin holds
// the bytes themselves, so pins make do without a claim. Tested by tests/verdict/source.json.
#include <fmt/format.h>

#include <algorithm>

#include "policy/reading.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "pins",
     .type = Param::Type::texts,
     .choices = "sha256",
     .meaning = "digests; every file of the model must have one of them"},
    {.name = "makers", .type = Param::Type::texts, .meaning = "accepted makers (default: any, unless pinned)"},
    {.name = "assurance",
     .choices = "verified,signed,corroborated,claimed",
     .meaning = "how well the maker must be known (default: claimed)"},
};

std::optional<Ruling> not_pinned(const std::vector<Item>& scans, const std::vector<std::string>& pins) {
  std::vector<std::string> other, unknown, other_cites, unknown_cites;
  for (const Item& scan : scans) {
    for (const auto& subject : scan.record->subjects) {
      if (std::ranges::find(pins, subject.sha256) != pins.end()) continue;
      auto& names = subject.sha256.empty() ? unknown : other;
      auto& cites = subject.sha256.empty() ? unknown_cites : other_cites;
      names.push_back(shown(subject.path));
      if (cites.empty() || cites.back() != scan.id) cites.push_back(scan.id);
    }
    if (!scan.record->subjects.empty()) continue;
    unknown.emplace_back("a scan without files");
    unknown_cites.push_back(scan.id);
  }
  const std::size_t number = other.empty() ? unknown.size() : other.size();
  if (!other.empty())
    return unmet(fmt::format("{} not pinned: {}", counted(number, "file"), listing(std::move(other))),
                 std::move(other_cites));
  if (unknown.empty()) return std::nullopt;
  return undetermined(fmt::format("no digest of {}: {}", counted(number, "file"), listing(std::move(unknown))),
                      std::move(unknown_cites), std::string(kRescan));
}

// Nothing when the maker is acceptable.
std::optional<Ruling> not_made_by(const Requirement& requirement, const Statements& makers,
                                  const std::vector<Item>& scans) {
  const auto count = [](const std::vector<Statement>& list) { return counted(list.size(), "statement"); };
  if (!makers.contradicted.empty())
    return unmet(fmt::format("{} of the maker contradict each other: {}", count(makers.contradicted),
                             listing(makers.contradicted)),
                 cites_of(makers.contradicted));
  std::vector<std::string> accepted;
  for (const std::string& maker : texts(requirement, "makers")) accepted.push_back(normal(maker));
  const Assurance least = parse_assurance(requirement.params["assurance"].string()).value_or(Assurance::claimed);
  std::vector<Statement> stranger;
  std::vector<Statement> weak;
  for (const Statement& statement : makers.stated) {
    const std::string maker = normal(statement.fact->value.string());
    if (!accepted.empty() && std::ranges::find(accepted, maker) == accepted.end()) stranger.push_back(statement);
    if (statement.fact->assurance > least) weak.push_back(statement);
  }
  if (!stranger.empty())
    return unmet(fmt::format("{} of a maker that is not accepted: {}", count(stranger), listing(stranger)),
                 cites_of(stranger));
  if (!weak.empty())
    return unmet(fmt::format("{} of the maker weaker than {}: {} ({})", count(weak), to_string(least), listing(weak),
                             to_string(weak.front().fact->assurance)),
                 cites_of(weak));
  if (!makers.stated.empty()) return std::nullopt;
  return undetermined(
      fmt::format("nobody says who made the model ({})", counted(scans.size(), "scan")),
      makers.missing.empty() ? ids_of(scans) : cites_of(makers.missing),
      fmt::format("{} prints the digests; list those that the maker publishes under pins of requirement {}", kInspect,
                  requirement.id));
}

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const auto scans = records_of(inputs, "scan");
  if (scans.empty()) return not_scanned();
  const auto pins = texts(requirement, "pins");
  const bool asks_maker =
      pins.empty() || requirement.params.find("makers") != nullptr || requirement.params.find("assurance") != nullptr;
  const Statements makers = statements(scans, "identity.maker");
  const auto by_pin = pins.empty() ? std::nullopt : not_pinned(scans, pins);
  const auto by_maker = asks_maker ? not_made_by(requirement, makers, scans) : std::nullopt;
  for (const auto& ruling : {by_pin, by_maker}) {
    if (ruling && ruling->state == State::unmet) return *ruling;
  }
  if (by_pin) return *by_pin;
  if (by_maker) return *by_maker;
  if (auto open = cut_short(scans)) return *open;
  std::size_t files = 0;
  for (const Item& scan : scans) files += scan.record->subjects.size();
  std::string text = pins.empty() ? "" : fmt::format("{} pinned by digest", counted(files, "file"));
  std::vector<std::string> cites = pins.empty() ? std::vector<std::string>() : ids_of(scans);
  if (asks_maker) {
    text += fmt::format("{}made by {} ({})", text.empty() ? "" : ", ", listing(makers.stated),
                        counted(makers.stated.size(), "statement"));
    for (const Statement& statement : makers.stated) cites.push_back(statement.cite);
  }
  return met(std::move(text), std::move(cites));
}

}  // namespace

extern const Kind source_kind;
const Kind source_kind{
    "source", Layer::model, "Who made the model is stated well enough, or its files are pinned by digest.",
    kParams,  "scan",       evaluate};

}  // namespace steelyard::policy
