// runtime_cve: no loader that is installed here has a known flaw that this model's files set off.
//
// Joins what the scan found (LDR001: this file triggers that advisory) with the runtimes of the host
// record. Attack resisted: a version that cannot be compared (unknown, a pre-release, another way of
// counting) is undetermined, never unaffected. Tested by tests/verdict/runtime_cve.json.
#include <fmt/format.h>

#include <algorithm>

#include "policy/reading.hpp"

namespace steelyard::policy {
namespace {

constexpr std::string_view kHost = "steelyard host";
constexpr std::size_t kMostParts = 8;
constexpr std::size_t kMostDigits = 9;

// "2.6.0", "v0.17.1", "1.2.post1", "2.6.0+cu118", or a build as llama.cpp counts them: "b8146".
struct Version {
  bool build = false;
  std::vector<u32> parts;
};

std::optional<Version> parse(std::string_view text) {
  Version version;
  if (text.starts_with('b') || text.starts_with('v')) {
    version.build = text.front() == 'b';
    text.remove_prefix(1);
  }
  while (true) {
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    if (digits == 0 || digits > kMostDigits || version.parts.size() == kMostParts) return std::nullopt;
    u32 number = 0;
    for (const char digit : text.substr(0, digits)) number = number * 10 + static_cast<u32>(digit - '0');
    version.parts.push_back(number);
    text.remove_prefix(digits);
    if (text.empty() || text.starts_with('+') || text.starts_with(".post")) return version;
    if (!text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
  }
}

// Whether a < b, when the two count alike.
std::optional<bool> older(const Version& a, const Version& b) {
  if (a.build != b.build) return std::nullopt;
  for (std::size_t i = 0; i < std::max(a.parts.size(), b.parts.size()); ++i) {
    const u32 x = i < a.parts.size() ? a.parts[i] : 0;
    const u32 y = i < b.parts.size() ? b.parts[i] : 0;
    if (x != y) return x < y;
  }
  return false;
}

std::optional<bool> affected(const std::string& installed, const std::string& from, const std::string& before) {
  const auto version = parse(installed);
  if (!version) return std::nullopt;
  if (!from.empty()) {
    const auto first = parse(from);
    const auto earlier = first ? older(*version, *first) : std::nullopt;
    if (!earlier) return std::nullopt;
    if (*earlier) return false;
  }
  if (before.empty()) return true;
  const auto fixed = parse(before);
  return fixed ? older(*version, *fixed) : std::nullopt;
}

Ruling evaluate(const Requirement&, const Inputs& inputs) {
  const auto scans = records_of(inputs, "scan");
  if (scans.empty()) return not_scanned();
  const auto hosts = records_of(inputs, "host");
  const Statements lists = statements(hosts, "host.runtimes");
  if (lists.stated.empty())
    return undetermined("no list of the runtimes that are installed here", ids_of(hosts), std::string(kHost));

  std::vector<std::string> hit, open, hit_cites, open_cites;
  std::size_t runtimes = 0;
  for (const Statement& list : lists.stated) {
    for (const json::Value& runtime : list.fact->value.array()) {
      ++runtimes;
      const std::string& name = runtime["name"].string();
      const std::string& version = runtime["version"].string();
      for (const Item& scan : scans) {
        const auto& findings = scan.record->found.findings;
        for (std::size_t i = 0; i < findings.size(); ++i) {
          if (findings[i].rule != "LDR001") continue;
          for (const json::Value& loader : findings[i].data["loaders"].array()) {
            if (loader["name"].string() != name) continue;
            const auto verdict = affected(version, loader["from"].string(), loader["before"].string());
            if (verdict == false) continue;
            auto& texts = verdict ? hit : open;
            auto& cites = verdict ? hit_cites : open_cites;
            texts.push_back(fmt::format("{} {}: {}", shown(name), shown(version), shown(findings[i].data["advisory"])));
            cites.push_back(scan.cite("findings", i));
            cites.push_back(list.cite);
          }
        }
      }
    }
  }
  if (!hit.empty()) {
    const std::size_t number = hit.size();
    return unmet(fmt::format("{} that the files set off: {}", counted(number, "known flaw"), listing(std::move(hit))),
                 std::move(hit_cites));
  }
  if (!open.empty()) {
    const std::size_t number = open.size();
    return undetermined(fmt::format("{} that the files may set off, in a version that can't be compared: {}",
                                    counted(number, "known flaw"), listing(std::move(open))),
                        std::move(open_cites), "the version of the runtime");
  }
  if (auto unseen = cut_short(scans)) return *unseen;
  for (const Item& host : hosts) {
    if (host.record->status != evidence::Status::complete)
      return undetermined("the examination of the host was cut short", {host.id}, std::string(kHost));
  }
  std::vector<std::string> cites = ids_of(scans);
  for (const Statement& list : lists.stated) cites.push_back(list.cite);
  return met(fmt::format("the files set off no known flaw of {} installed here", counted(runtimes, "runtime")),
             std::move(cites));
}

}  // namespace

extern const Kind runtime_cve_kind;
const Kind runtime_cve_kind{"runtime_cve",
                            Layer::infrastructure,
                            "No installed loader has a known flaw that the model's files set off.",
                            {},
                            "host",
                            evaluate};

}  // namespace steelyard::policy
