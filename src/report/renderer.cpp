// Looking up output formats and facts. The registry itself is generated from the files beside this
// one. Tested by tests/unit/report_test.cpp.
#include "report/renderer.hpp"

#include <algorithm>

namespace steelyard::report {

bool Selection::wants(const Finding& finding) const {
  const auto begins = [&](const std::string& prefix) { return finding.rule.starts_with(prefix); };
  return finding.severity >= least && (only.empty() || std::ranges::any_of(only, begins)) &&
         std::ranges::none_of(without, begins);
}

const Renderer* find(std::string_view id) {
  const auto found = std::ranges::find(all(), id, [](const Renderer* r) { return r->id; });
  return found == all().end() ? nullptr : *found;
}

const Renderer* for_path(std::string_view path) {
  const Renderer* best = nullptr;  // the longest extension wins: ".sarif.json" before ".json"
  for (const Renderer* renderer : all()) {
    if (renderer->extension.empty() || !path.ends_with(renderer->extension)) continue;
    if (best == nullptr || renderer->extension.size() > best->extension.size()) best = renderer;
  }
  return best;
}

const Fact* fact(const Report& report, std::string_view key) {
  for (const auto& record : report.records) {
    if (const Fact* found = record.found.fact(key)) return found;
  }
  return nullptr;
}

}  // namespace steelyard::report
