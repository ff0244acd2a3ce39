#include "formats/detail/token_programs.hpp"

#include <algorithm>
#include <vector>

#include "base/text.hpp"
#include "formats/detail/pattern_cost.hpp"

namespace steelyard::formats {
namespace {

constexpr std::size_t kMostInserted = 8;     // ids that one special token of a template stands for
constexpr std::size_t kMostInTemplate = 32;  // special tokens of a template

bool wordlike(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (static_cast<unsigned char>(c) >= 0xC3 && static_cast<unsigned char>(c) <= 0xDF);
}

// Letters that a pattern asks for by themselves: escapes, classes, groups' flags and properties left out.
std::string literal_letters(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      const bool property =
          i + 2 < pattern.size() &&
          (pattern[i + 1] == 'p' || pattern[i + 1] == 'P' || pattern[i + 1] == 'x' || pattern[i + 1] == 'u') &&
          pattern[i + 2] == '{';
      i = property ? std::min(pattern.find('}', i), pattern.size()) : i + 1;
    } else if (c == '[') {
      in_class = true;
    } else if (c == ']') {
      in_class = false;
    } else if (c == '(' && i + 1 < pattern.size() && pattern[i + 1] == '?') {
      while (i + 1 < pattern.size() && !std::string_view(":)=!>").contains(pattern[i + 1])) ++i;
    } else if (c == '{') {
      i = std::min(pattern.find('}', i), pattern.size());
    } else if (!in_class && wordlike(c)) {
      out += c;
    }
  }
  return out;
}

void replacement(std::string_view where, const json::Value& step, Range at, Reporter& report) {
  const json::Value& pattern = step["pattern"];
  const std::string& fixed = pattern["String"].string();
  const std::string& regex = pattern["Regex"].string();
  const std::string& content = step["content"].string();
  const bool removes = step["type"].string() == "Split";
  // Contractions ('s, 't) are two letters; words are longer.
  constexpr std::size_t kWord = 3;
  const bool asks = std::ranges::any_of(fixed, wordlike) || literal_letters(regex).size() >= kWord;
  const bool gives = std::ranges::any_of(content, wordlike);
  const bool whole = regex == ".*" || regex == ".+" || regex == "[\\s\\S]*" || regex == "[\\s\\S]+";
  if (asks || gives || whole)
    report.add("TOK002", at,
               json::Value()
                   .set("where", where)
                   .set("from", text::display(fixed.empty() ? regex : fixed, 80))
                   .set("to", removes ? "" : text::display(content, 80)));
}

void template_of(std::string_view where, const json::Value& step, Range at, Reporter& report) {
  std::size_t most = 0;
  for (const auto& [name, token] : step["special_tokens"].object()) most = std::max(most, token["ids"].array().size());
  std::size_t longest = 0;
  for (const char* form : {"single", "pair"}) {
    const auto& pieces = step[form].array();
    longest = std::max(longest, static_cast<std::size_t>(std::ranges::count_if(pieces, [](const json::Value& piece) {
                         return piece.find("SpecialToken") != nullptr;
                       })));
  }
  if (most > kMostInserted || longest > kMostInTemplate)
    report.add("TOK006", at, json::Value().set("where", where).set("count", u64{std::max(most, longest)}));
}

}  // namespace

void check_program(std::string_view where, const json::Value& program, Range at, Reporter& report) {
  // A stack instead of recursion: sequences nest as deep as JSON does.
  std::vector<const json::Value*> open = {&program};
  while (!open.empty()) {
    const json::Value& step = *open.back();
    open.pop_back();
    for (const json::Value& item : step.array()) open.push_back(&item);
    for (const auto& [key, value] : step.object()) {
      if (value.is_array() || value.is_object()) open.push_back(&value);
      if (key != "Regex" || !value.is_string()) continue;
      const bool certain = catastrophic(value.string());
      if (certain || explosive_pattern(value.string()))
        report.add(certain ? "TOK011" : "TOK005", at,
                   json::Value().set("where", where).set("pattern", text::display(value.string(), 120)));
    }
    const std::string& type = step["type"].string();
    if (type == "Replace" || (type == "Split" && step["behavior"].string() == "Removed"))
      replacement(where, step, at, report);
    if (type == "Prepend" && std::ranges::any_of(step["prepend"].string(), wordlike))
      report.add(
          "TOK002", at,
          json::Value().set("where", where).set("from", "").set("to", text::display(step["prepend"].string(), 80)));
    if (type == "TemplateProcessing") template_of(where, step, at, report);
  }
}

bool explosive_pattern(std::string_view pattern) {
  // For each open group: whether something inside repeats without end.
  std::vector<bool> groups = {false};
  std::vector<bool> atomic = {false};
  bool closed_repeats = false;  // of the group that just closed
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const bool after_group = i > 0 && pattern[i - 1] == ')' && closed_repeats;
    if (c == '\\') {
      ++i;
    } else if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') ++i;
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') ++i;
    } else if (c == '(') {
      if (groups.size() > 200) return true;
      groups.push_back(false);
      atomic.push_back(pattern.substr(i).starts_with("(?>"));
    } else if (c == ')' && groups.size() > 1) {
      closed_repeats = groups.back() && !atomic.back();
      groups.pop_back();
      atomic.pop_back();
      if (closed_repeats) groups.back() = true;
    } else if (c == '*' || c == '+' || (c == '{' && pattern.substr(i, pattern.find('}', i) - i).ends_with(','))) {
      const bool possessive = i + 1 < pattern.size() && pattern[i + 1] == '+' && c != '{';
      if (after_group && !possessive) return true;
      groups.back() = groups.back() || !possessive;
      if (possessive) ++i;
    }
  }
  return false;
}

}  // namespace steelyard::formats
