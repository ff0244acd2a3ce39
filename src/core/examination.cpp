#include "core/examination.hpp"

#include <algorithm>
#include <array>

namespace steelyard {
namespace {

constexpr std::array<std::string_view, 5> kSeverities = {"info", "low", "medium", "high", "critical"};
constexpr std::array<std::string_view, 6> kAssurances = {"verified", "signed",  "corroborated",
                                                         "claimed",  "missing", "contradicted"};
constexpr std::array<std::string_view, 3> kLayers = {"model", "infrastructure", "integration"};

template <class Enum>
std::optional<Enum> parse(std::string_view text, const auto& names) {
  const auto found = std::ranges::find(names, text);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace

std::string_view to_string(Severity severity) { return kSeverities.at(static_cast<std::size_t>(severity)); }
std::string_view to_string(Assurance assurance) { return kAssurances.at(static_cast<std::size_t>(assurance)); }
std::string_view to_string(Layer layer) { return kLayers.at(static_cast<std::size_t>(layer)); }
std::optional<Severity> parse_severity(std::string_view text) { return parse<Severity>(text, kSeverities); }
std::optional<Assurance> parse_assurance(std::string_view text) { return parse<Assurance>(text, kAssurances); }

const Fact* Examination::fact(std::string_view key) const {
  const auto found = std::ranges::find(facts, key, &Fact::key);
  return found == facts.end() ? nullptr : &*found;
}

}  // namespace steelyard
