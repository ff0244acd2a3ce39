#include "rules/catalog.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "base/embedded.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "wire/toml.hpp"

namespace steelyard::rules {
namespace {

Rule read(toml::Table& table) {
  Rule rule;
  rule.id = table.required_text("id");
  rule.name = table.required_text("name");
  rule.severity = parse_severity(table.choice("severity", {"info", "low", "medium", "high", "critical"}, ""))
                      .value_or(Severity::critical);
  const std::string layer = table.choice("layer", {"model", "infrastructure", "integration"}, "model");
  rule.layer = layer == "model" ? Layer::model : layer == "infrastructure" ? Layer::infrastructure : Layer::integration;
  rule.status = table.choice("status", {"preview", "stable", "retired"}, "preview");
  rule.summary = table.required_text("summary");
  rule.why = table.required_text("why");
  rule.fix = table.required_text("fix");
  rule.references = table.texts("references");
  rule.owasp = table.texts("owasp");
  rule.cwe = table.texts("cwe");
  (void)table.text("since");
  (void)table.text("tested_by");
  for (toml::Table& example : table.tables("example")) {
    for (const char* key : {"expect", "title", "format", "name", "recipe"}) (void)example.text(key);
    example.finish();
  }
  table.finish();
  return rule;
}

// A broken rule file is a bug of this build, not an input: every test that touches rules fails.
std::map<std::string, Rule> load() {
  std::map<std::string, Rule> rules;
  for (const auto& file : embedded::under("rules/")) {
    const auto document = toml::Document::parse(std::string(file.text), "data/" + std::string(file.path));
    if (!document) throw std::logic_error(document.error().message);
    toml::Table table(**document, (*document)->root(), "rule");
    Rule rule = read(table);
    if (const auto checked = (*document)->check(); !checked) throw std::logic_error(checked.error().message);
    std::string id = rule.id;
    if (!rules.emplace(id, std::move(rule)).second) throw std::logic_error(fmt::format("two rules are called {}", id));
  }
  return rules;
}

std::string shown(const json::Value& value) {
  constexpr std::size_t kLongest = 200;
  return text::display(value.is_string() ? value.string() : json::compact(value), kLongest);
}

}  // namespace

const std::map<std::string, Rule>& catalog() {
  static const std::map<std::string, Rule> rules = load();
  return rules;
}

const Rule* find(std::string_view id) {
  const auto found = catalog().find(std::string(id));
  return found == catalog().end() ? nullptr : &found->second;
}

const std::string& pack_digest() {
  static const std::string digest = [] {
    Sha256 hash;
    for (const char* folder : {"advisories/", "gadgets/", "licences/", "rules/"}) {
      for (const auto& file : embedded::under(folder)) {
        hash.update(as_bytes(sha256(file.path)));
        hash.update(as_bytes(sha256(file.text)));
      }
    }
    return "sha256:" + hash.finish();
  }();
  return digest;
}

std::string message(const Finding& finding) {
  const Rule* rule = find(finding.rule);
  if (rule == nullptr) return text::display(finding.rule, 64) + ": unknown rule";
  std::string out;
  std::string_view rest = rule->summary;
  while (!rest.empty()) {
    const std::size_t open = rest.find('{');
    const std::size_t close = open == std::string_view::npos ? open : rest.find('}', open);
    out += rest.substr(0, close == std::string_view::npos ? rest.size() : open);
    if (close == std::string_view::npos) break;
    const json::Value* value = finding.data.find(rest.substr(open + 1, close - open - 1));
    out += value != nullptr ? shown(*value) : "?";
    rest.remove_prefix(close + 1);
  }
  return out;
}

}  // namespace steelyard::rules
