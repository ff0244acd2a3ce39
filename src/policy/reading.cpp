#include "policy/reading.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.hpp"
#include "base/text.hpp"

namespace steelyard::policy {
namespace {

constexpr std::size_t kMostShown = 120;
constexpr std::size_t kMostListed = 3;

// Cut at a character, never inside one.
std::string cut(const std::string& text) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts && characters++ == kMostShown) return text.substr(0, i) + "…";
  }
  return text;
}

// Bytes that a coverage entry leaves out: what it didn't count, or what its gaps span, if more.
u64 left_out(const Coverage& coverage) {
  u64 gaps = 0;
  for (const Gap& gap : coverage.gaps) gaps = checked_add(gaps, gap.range.end - gap.range.begin).value_or(UINT64_MAX);
  return std::max(gaps, coverage.bytes - std::min(coverage.bytes, coverage.examined));
}

bool falls_short(const Coverage& coverage, i64 percent) {
  if (percent >= 100) return !coverage.gaps.empty() || left_out(coverage) > 0;
  const auto spare = static_cast<u64>(100 - percent);
  return left_out(coverage) > coverage.bytes / 100 * spare + coverage.bytes % 100 * spare / 100;
}

Shortfall gap_in(const Item& scan, std::size_t index) {
  const Examination& found = scan.record->found;
  const Coverage& coverage = found.coverage[index];
  const bool named = coverage.artifact < found.artifacts.size();
  const Artifact artifact = named ? found.artifacts[coverage.artifact] : Artifact{{}, 0, "?", "unknown", {}, {}, 0};
  std::string text =
      fmt::format("{} of {} bytes of {} were not examined", left_out(coverage), coverage.bytes, shown(artifact.path));
  if (!coverage.gaps.empty()) text += fmt::format(" ({})", shown(coverage.gaps.front().why));
  const bool lasting = scan.record->status == evidence::Status::complete;
  return {lasting, lasting && artifact.format != "unknown", std::move(text), scan.cite("coverage", index)};
}

}  // namespace

std::string Item::cite(std::string_view section, std::size_t index) const {
  return fmt::format("{}#{}/{}", id, section, index);
}

std::vector<Item> records_of(const Inputs& inputs, std::string_view kind) {
  std::vector<Item> items;
  for (std::size_t i = 0; i < inputs.records.size(); ++i) {
    const evidence::Record& record = inputs.records[i];
    if (!kind.empty() && record.kind != kind) continue;
    items.push_back({i < inputs.ids.size() ? inputs.ids[i] : evidence::id(record), &record});
  }
  std::ranges::sort(items, [](const Item& a, const Item& b) {
    return a.id != b.id ? a.id < b.id : a.record->run.at < b.record->run.at;
  });
  items.erase(std::ranges::unique(items, {}, &Item::id).begin(), items.end());
  return items;
}

std::vector<std::string> ids_of(const std::vector<Item>& items) {
  std::vector<std::string> ids;
  for (const Item& item : items) ids.push_back(item.id);
  return ids;
}

const accept::Accepted* accepted(const Inputs& inputs, const Finding& finding, std::string_view cite) {
  for (const accept::Accepted& one : inputs.accepted) {
    if (one.finding != cite) continue;
    if (one.until.empty() ? finding.severity < accept::kNeedsEnd : inputs.now < accept::end_of(one.until).value_or(0))
      return &one;
  }
  return nullptr;
}

Statements statements(const std::vector<Item>& items, std::string_view key) {
  Statements out;
  for (const Item& item : items) {
    const auto& facts = item.record->found.facts;
    for (std::size_t i = 0; i < facts.size(); ++i) {
      if (facts[i].key != key) continue;
      const bool missing = facts[i].assurance == Assurance::missing || facts[i].value.is_null();
      auto& list = missing                                         ? out.missing
                   : facts[i].assurance == Assurance::contradicted ? out.contradicted
                                                                   : out.stated;
      list.push_back({&facts[i], item.cite("facts", i)});
    }
  }
  return out;
}

std::vector<std::string> cites_of(const std::vector<Statement>& statements) {
  std::vector<std::string> cites;
  for (const Statement& statement : statements) cites.push_back(statement.cite);
  return cites;
}

std::vector<Shortfall> shortfalls(const std::vector<Item>& scans, i64 percent) {
  std::vector<Shortfall> out;
  for (const Item& scan : scans) {
    const Examination& found = scan.record->found;
    if (scan.record->status != evidence::Status::complete)
      out.push_back({false, false, fmt::format("the scan is {}", evidence::to_string(scan.record->status)), scan.id});
    if (found.artifacts.empty()) out.push_back({false, false, "the scan names no file", scan.id});
    std::vector<bool> covered(found.artifacts.size());
    for (std::size_t i = 0; i < found.coverage.size(); ++i) {
      if (found.coverage[i].artifact < covered.size()) covered[found.coverage[i].artifact] = true;
      if (falls_short(found.coverage[i], percent)) out.push_back(gap_in(scan, i));
    }
    for (std::size_t i = 0; i < covered.size(); ++i) {
      if (covered[i]) continue;
      out.push_back({false, false,
                     fmt::format("nothing says how much of {} was examined", shown(found.artifacts[i].path)),
                     scan.cite("artifacts", i)});
    }
  }
  return out;
}

Ruling fell_short(std::string_view lead, const std::vector<Shortfall>& all) {
  std::vector<std::string> items;
  std::vector<std::string> cites;
  bool lasting = false;
  for (const Shortfall& one : all) {
    items.push_back(one.text);
    cites.push_back(one.cite);
    lasting = lasting || one.lasting;
  }
  return undetermined(
      fmt::format("{}{} not examined: {}", lead, counted(all.size(), "part"), listing(std::move(items))),
      std::move(cites), lasting ? fmt::format("{}, without what it cannot examine", kRescan) : std::string(kRescan));
}

std::string shown(const json::Value& value) {
  return value.is_string() ? json::quote(cut(value.string())) : cut(json::compact(value));
}

std::string listing(std::vector<std::string> items) {
  std::ranges::sort(items);
  items.erase(std::ranges::unique(items).begin(), items.end());
  const std::size_t most = std::min(items.size(), kMostListed);
  std::string text =
      fmt::format("{}", fmt::join(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(most), ", "));
  return items.size() == most ? text : fmt::format("{} and {} more", text, items.size() - most);
}

std::string listing(const std::vector<Statement>& statements) {
  std::vector<std::string> values;
  for (const Statement& statement : statements) values.push_back(shown(statement.fact->value));
  return listing(std::move(values));
}

std::string counted(std::size_t number, std::string_view noun) {
  return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

std::vector<std::string> texts(const Requirement& requirement, std::string_view key) {
  std::vector<std::string> out;
  for (const json::Value& item : requirement.params[key].array()) out.push_back(item.string());
  return out;
}

std::string normal(std::string_view text) {
  std::string out = text::lower(text);
  std::ranges::replace_if(out, [](char c) { return c == ' ' || c == '_'; }, '-');
  return out;
}

Ruling met(std::string text, std::vector<std::string> cites) {
  Ruling ruling;
  ruling.state = State::met;
  ruling.because = {std::move(text), std::move(cites)};
  return ruling;
}

Ruling unmet(std::string text, std::vector<std::string> cites) {
  Ruling ruling = met(std::move(text), std::move(cites));
  ruling.state = State::unmet;
  return ruling;
}

Ruling undetermined(std::string text, std::vector<std::string> cites, std::string decide) {
  Ruling ruling = met(std::move(text), std::move(cites));
  ruling.state = State::undetermined;
  ruling.decide = std::move(decide);
  return ruling;
}

Ruling not_scanned() {
  return undetermined("no scan record: the model's files were not examined", {}, std::string(kScan));
}

std::optional<Ruling> cut_short(const std::vector<Item>& items) {
  std::vector<std::string> cites;
  for (const Item& item : items) {
    if (item.record->status != evidence::Status::complete) cites.push_back(item.id);
  }
  if (cites.empty()) return std::nullopt;
  std::string text = fmt::format("{} of {} cut short", cites.size(), counted(items.size(), "scan"));
  return undetermined(std::move(text), std::move(cites), std::string(kRescan));
}

}  // namespace steelyard::policy
