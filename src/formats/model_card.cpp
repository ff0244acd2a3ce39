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
#include "formats/detail/packages.hpp"
#include "formats/detail/references.hpp"
#include "formats/detail/report_code.hpp"
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

// Addresses as people write them: scheme and "www." don't matter.
std::string bare_host(std::string_view text) {
  std::string host = text.contains("://") ? host_of(text) : host_of("x://" + std::string(text));
  if (host.starts_with("www.")) host.erase(0, 4);
  return host;
}

// [https://one.example](https://another.example): the text is an address, and not that of the link.
void links(std::string_view text, Reporter& report) {
  for (std::size_t at = text.find("]("); at != std::string_view::npos; at = text.find("](", at + 1)) {
    const std::size_t open = text.rfind('[', at);
    const std::size_t close = text.find(')', at);
    if (open == std::string_view::npos || close == std::string_view::npos || at - open > 300 || close - at > 1000)
      continue;
    std::string_view shown = text.substr(open + 1, at - open - 1);
    const std::string_view target = text.substr(at + 2, close - at - 2);
    while (!shown.empty() && (shown.front() == '`' || shown.front() == '*' || shown.front() == ' '))
      shown.remove_prefix(1);
    const bool address = shown.starts_with("http://") || shown.starts_with("https://") || shown.starts_with("www.");
    if (!address || shown.contains(' ') || !target.starts_with("http") || bare_host(shown) == bare_host(target))
      continue;
    report.add("CRD002", Range{open, close + 1},
               json::Value().set("shown", text::display(shown, 100)).set("target", text::display(target, 100)));
  }
}

// Commands inside a sentence: in `code`, or the rest of the line from the program on.
void prose(std::string_view line, std::size_t at, Reporter& report) {
  static constexpr std::array<std::string_view, 13> kPrograms = {
      "curl ", "wget ",    "powershell", "pwsh",      "iwr ",       "irm ",   "base64 ",
      "bash ", "certutil", "mshta",      "python -c", "python3 -c", "node -e"};
  const std::string low = text::lower(line);
  const bool worth = std::ranges::any_of(kPrograms, [&](std::string_view program) { return low.contains(program); }) ||
                     low.contains("pip install") || low.contains("/dev/tcp/");
  if (!worth) return;
  bool code = false;
  for (std::size_t open = line.find('`'); open != std::string_view::npos;) {
    const std::size_t close = line.find('`', open + 1);
    if (close == std::string_view::npos) break;
    if (close > open + 1) {
      code = true;
      report_code(judge_shell(line.substr(open + 1, close - open - 1)), at + open + 1, report);
    }
    open = line.find('`', close + 1);
  }
  if (code) return;
  std::size_t begin = line.size();
  for (const std::string_view program : kPrograms) begin = std::min(begin, low.find(program));
  begin = std::min(begin, low.find("pip install"));
  if (begin < line.size()) report_code(judge_shell(line.substr(begin)), at + begin, report);
}

// What the card tells its reader to run: code blocks as scripts, and single lines that carry a command.
void instructions(std::string_view text, Reporter& report) {
  std::string_view language;
  std::size_t block = std::string_view::npos;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    std::string_view bare = line.substr(std::min(line.find_first_not_of(" \t>"), line.size()));
    const bool fence = bare.starts_with("```") || bare.starts_with("~~~");
    if (fence && block == std::string_view::npos) {
      block = end + 1;
      language = bare.substr(3);
    } else if (fence) {
      const std::string_view code = text.substr(std::min(block, text.size()), at - std::min(block, at));
      if (text::lower(language).contains("py")) {
        PythonReport found = examine_python(code, block);
        found.calls.clear();
        found.imports.clear();
        report_code(found, report);
      } else {
        report_code(judge_shell(code), block, report);
      }
      block = std::string_view::npos;
    } else if (block == std::string_view::npos) {
      prose(bare, at + (line.size() - bare.size()), report);
    }
    at = end + 1;
  }
  if (block < text.size()) report_code(judge_shell(text.substr(block)), block, report);
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
    if (document.unfolds)
      report.add("CFG019", Range{matter->begin, matter->end},
                 json::Value()
                     .set("name", text::display(item.name(), 80))
                     .set("count", wire::YamlPull::kLargest)
                     .set("what", "values"));
    if (!document.fault.empty())
      report.add("CRD001", Range{matter->begin, matter->end}, json::Value().set("fault", document.fault));
    for (const auto& [key, at] : document.duplicates)
      report.add("CFG002", at, json::Value().set("key", text::to_value(key)));
  }
  references.report(report);
  instructions(text, report);
  links(text, report);
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
