#include "accept/ignores.hpp"

#include <fmt/format.h>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "rules/catalog.hpp"

namespace steelyard::accept {
namespace {

constexpr std::string_view kDigest = "sha256:";

const rules::Rule* rule_of(toml::Table& table, const std::string& id) {
  const rules::Rule* rule = rules::find(id);
  if (rule != nullptr || id.empty()) return rule;
  std::vector<std::string> ids;
  for (const auto& [known, unused] : rules::catalog()) ids.push_back(known);
  const std::string near = text::closest(id, ids);
  table.error("rule", fmt::format("no rule is called \"{}\"{}", text::display(id, 64),
                                  near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near)));
  return nullptr;
}

std::string until_of(toml::Table& table) {
  const toml::Node* node = table.take("until");
  if (node == nullptr) return {};
  const bool text = node->kind == toml::Node::Kind::date || node->kind == toml::Node::Kind::string;
  if (!text || !end_of(node->text)) {
    table.error("until", "until must be a day, such as 2027-01-31");
    return {};
  }
  return node->text;
}

}  // namespace

std::vector<Ignore> read_ignores(toml::Table& settings) {
  std::vector<Ignore> out;
  for (toml::Table& table : settings.tables("ignore")) {
    Ignore ignore;
    ignore.line = table.node().line;
    ignore.rule = table.required_text("rule");
    const rules::Rule* rule = rule_of(table, ignore.rule);
    ignore.artifact = table.text("artifact");
    if (rule != nullptr && rule->layer == Layer::model && ignore.artifact.empty())
      table.error("artifact",
                  "artifact is required: \"sha256:…\" of one file, or a pattern such as \"models/legacy/**\"");
    if (ignore.artifact.starts_with(kDigest) && !is_sha256(std::string_view(ignore.artifact).substr(kDigest.size())))
      table.error("artifact", "expected sha256: and 64 lowercase hex digits");
    ignore.reason = table.required_text("reason");
    ignore.until = until_of(table);
    if (rule != nullptr && rule->severity >= kNeedsEnd && !table.has("until"))
      table.error("until", fmt::format("until is required: {} is of severity {}, which is not accepted for good",
                                       rule->id, to_string(rule->severity)));
    table.finish();
    out.push_back(std::move(ignore));
  }
  return out;
}

}  // namespace steelyard::accept
