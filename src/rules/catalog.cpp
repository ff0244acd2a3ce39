#include "rules/catalog.hpp"

#include <fmt/format.h>

#include <mutex>
#include <stdexcept>

#include "base/embedded.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "wire/toml.hpp"

namespace steelyard::rules {
namespace {

// "rules/GGF/GGF004.toml", or "" for what can't be an id.
std::string path_of(std::string_view id) {
  constexpr std::size_t kFamily = 3;
  constexpr std::size_t kLength = 6;
  if (id.size() != kLength) return {};
  for (std::size_t i = 0; i < kLength; ++i) {
    if (i < kFamily ? id[i] < 'A' || id[i] > 'Z' : id[i] < '0' || id[i] > '9') return {};
  }
  return fmt::format("rules/{}/{}.toml", id.substr(0, kFamily), id);
}

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
Rule load(const std::string& path, std::string_view text) {
  const auto document = toml::Document::parse(std::string(text), "data/" + path);
  if (!document) throw std::logic_error(document.error().message);
  toml::Table table(**document, (*document)->root(), "rule");
  Rule rule = read(table);
  if (const auto checked = (*document)->check(); !checked) throw std::logic_error(checked.error().message);
  if (path_of(rule.id) != path) throw std::logic_error(fmt::format("{}: its id is {}", path, rule.id));
  return rule;
}

std::string shown(const json::Value& value) {
  constexpr std::size_t kLongest = 200;
  return text::display(value.is_string() ? value.string() : json::compact(value), kLongest);
}

}  // namespace

const std::map<std::string, Rule>& catalog() {
  static const std::map<std::string, Rule> rules = [] {
    std::map<std::string, Rule> all;
    for (const auto& file : embedded::under("rules/")) {
      Rule rule = load(std::string(file.path), file.text);
      std::string id = rule.id;
      all.emplace(std::move(id), std::move(rule));
    }
    return all;
  }();
  return rules;
}

// Reads only the file of that rule: a scan needs few of them, and parsing all takes longer than scanning.
const Rule* find(std::string_view id) {
  static std::mutex mutex;
  static std::map<std::string, Rule, std::less<>> seen;
  const std::lock_guard lock(mutex);
  if (const auto known = seen.find(id); known != seen.end()) return &known->second;
  const std::string path = path_of(id);
  const std::string_view text = path.empty() ? std::string_view() : embedded::find(path);
  if (text.empty()) return nullptr;
  return &seen.emplace(std::string(id), load(path, text)).first->second;
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
