// Model cards and other Markdown: the YAML front matter of README.md (who made it, from what, under which
// terms), and what the text asks its reader to run.
//
// Spec: the hub's model card metadata; YAML 1.1; CommonMark as far as code blocks and links go. The claims
// get the keys that GGUF's metadata have, so that identity can hold them against each other.
// Attack resisted: a clean model whose card tells people to run a loader (T12), links that show one
// address and lead to another, hidden instructions. Tested by data/rules/CRD/,
// tests/oracle/repository_test.py (PyYAML); fuzzed.

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "formats/detail/document.hpp"
#include "formats/detail/references.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"
#include "wire/yaml.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kLargestBody = u64{8} << 20;
constexpr std::size_t kMostItems = 64;

constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kTexts = {{
    {"license_name", "identity.licence_name"},
    {"license_link", "identity.licence_link"},
    {"base_model_relation", "identity.base_relation"},
    {"model_creator", "identity.maker"},
    {"quantized_by", "identity.quantizer"},
    {"model_name", "model.name"},
    {"library_name", "model.library"},
    {"pipeline_tag", "model.task"},
    {"model_type", "model.architecture"},
    {"author", "identity.author"},
}};
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kLists = {{
    {"datasets", "identity.datasets"},
    {"language", "identity.languages"},
    {"tags", "identity.tags"},
    {"new_version", "identity.replaced_by"},
}};

bool wanted(std::string_view key) {
  const auto first = [&](const auto& pair) { return pair.first == key; };
  return key == "license" || key == "base_model" || std::ranges::any_of(kTexts, first) ||
         std::ranges::any_of(kLists, first);
}

// The texts of a value that is a text or a list of them.
std::vector<std::string> texts_of(const json::Value& value) {
  std::vector<std::string> out;
  if (value.is_string()) out.push_back(value.string());
  for (const json::Value& item : value.array()) {
    if (item.is_string() && out.size() < kMostItems) out.push_back(text::prefix(item.string(), 256));
  }
  return out;
}

json::Value list_of(const std::vector<std::string>& texts) {
  json::Value list = json::Array{};
  for (const std::string& text : texts) list.push(text);
  return list;
}

// Offsets of the YAML between the two lines of three dashes, or nothing.
std::optional<Range> front_matter(std::string_view text) {
  std::size_t at = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  if (!text.substr(at).starts_with("---\n") && !text.substr(at).starts_with("---\r\n")) return std::nullopt;
  at = text.find('\n', at) + 1;
  for (std::size_t line = at; line < text.size();) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    std::string_view content = text.substr(line, end - line);
    while (!content.empty() && (content.back() == '\r' || content.back() == ' ')) content.remove_suffix(1);
    if (content == "---") return Range{at, line};
    line = end + 1;
  }
  return std::nullopt;
}

void claims(const Document& document, Reporter& report, References& references) {
  for (const Field& field : document.fields) {
    if (field.path != field.key) continue;
    const auto texts = texts_of(field.value);
    if (texts.empty()) continue;
    if (field.key == "license")
      report.fact("identity.licence", texts.size() == 1 ? json::Value(texts[0]) : list_of(texts), field.at,
                  Assurance::claimed);
    if (field.key == "base_model") {
      json::Value bases = json::Array{};
      for (const std::string& name : texts) {
        bases.push(json::Value().set(repository_name(name) ? "repository" : "name", name));
        if (repository_name(name)) references.add("base_model", name, References::Kind::repository, field.at);
      }
      report.fact("identity.base", std::move(bases), field.at, Assurance::claimed);
    }
    for (const auto& [key, fact] : kTexts) {
      if (key == field.key && texts.size() == 1)
        report.fact(std::string(fact), text::prefix(texts[0], 512), field.at, Assurance::claimed);
    }
    for (const auto& [key, fact] : kLists) {
      if (key == field.key) report.fact(std::string(fact), list_of(texts), field.at, Assurance::claimed);
    }
  }
}

void parse(Item& item) {
  Reporter& report = item.report();
  Coverage& coverage = item.coverage();
  const auto broken = check_whole_text(item);
  coverage.examined = broken.value_or(item.size());
  if (broken) coverage.gaps.push_back({{*broken, item.size()}, "it begins as text and goes on as something else"});
  const std::string text = read_text(item.source(), kLargestBody);
  References references;
  if (const auto matter = front_matter(text)) {
    const Document document = DocumentReader{.wanted = wanted}.yaml(item.source(), matter->begin, matter->end);
    claims(document, report, references);
    if (!document.fault.empty())
      report.add("CRD001", Range{matter->begin, matter->end}, json::Value().set("fault", document.fault));
    for (const auto& [key, at] : document.duplicates)
      report.add("CFG002", at, json::Value().set("key", text::to_value(key)));
  }
  references.report(report);
}

int sniff(const Sniff& sniff) {
  const std::string name = text::lower(sniff.name);
  const bool named = name.ends_with(".md") || name.ends_with(".markdown") || name.starts_with("readme");
  return named && looks_like_text(as_text(sniff.head)) ? 38 : 0;
}

}  // namespace

extern const Format model_card_format;
const Format model_card_format{
    "model_card", "model card (Markdown)", "md", "hub model card metadata; CommonMark", sniff, parse};

}  // namespace steelyard::formats
