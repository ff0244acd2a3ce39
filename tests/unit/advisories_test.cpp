// Which advisories a finding triggers, and where.

#include "rules/advisories.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "rules/catalog.hpp"

namespace steelyard::rules {
namespace {

Examination with(std::string rule, std::vector<Artifact> artifacts = {}) {
  Examination found;
  found.artifacts = std::move(artifacts);
  if (found.artifacts.empty()) found.artifacts.push_back({std::nullopt, 0, "m", "gguf", {0, 10}, {}, 10});
  const auto last = static_cast<u32>(found.artifacts.size() - 1);
  found.findings.push_back({std::move(rule), Severity::high, last, Range{1, 2}, json::Object{}});
  return found;
}

TEST(Advisories, EachNamesRulesAndLoadersThatExist) {
  ASSERT_FALSE(advisories().empty());
  for (const Advisory& advisory : advisories()) {
    EXPECT_FALSE(advisory.loaders.empty()) << advisory.id;
    EXPECT_FALSE(advisory.triggers.empty()) << advisory.id;
    for (const auto& loader : advisory.loaders) EXPECT_FALSE(loader.names.empty()) << advisory.id;
    for (const auto& trigger : advisory.triggers) EXPECT_NE(find(trigger.rule), nullptr) << advisory.id;
  }
}

TEST(Advisories, EachIsNotedWhenARuleTriggersItAndOnlyThen) {
  for (const Advisory& advisory : advisories()) {
    const auto noted = [&](const Examination& found) {
      return std::ranges::any_of(found.findings, [&](const Finding& f) {
        return f.rule == "LDR001" && f.data["advisory"].string() == advisory.id && f.at == Range{1, 2};
      });
    };
    const auto& trigger = advisory.triggers.front();
    const std::string format = trigger.formats.empty() ? "gguf" : trigger.formats.front();
    Examination found =
        with(trigger.rule, {{std::nullopt, 0, "m", format, {0, 10}, {}, 10}, {0, 0, "m!x", "inner", {0, 10}, {}, 10}});
    note_advisories(found);
    EXPECT_TRUE(noted(found)) << advisory.id;
    Examination other = with("LIM001");
    note_advisories(other);
    EXPECT_FALSE(noted(other)) << advisory.id;
  }
}

TEST(Advisories, NothingIsNotedInAnUnsuspiciousFile) {
  Examination found;
  note_advisories(found);
  EXPECT_TRUE(found.findings.empty());
}

}  // namespace
}  // namespace steelyard::rules
