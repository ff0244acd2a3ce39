#include "bench/instructions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/pattern.hpp"
#include "base/text.hpp"

namespace steelyard::bench {
namespace {

using wire::JsonNode;
using Kind = JsonNode::Kind;
using Holds = std::function<bool(const std::string&)>;
using Count = u64 (*)(std::string_view);

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

u64 words(std::string_view text) {
  u64 count = 0;
  for (bool inside = false; const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    count += !space && !inside ? 1U : 0U;
    inside = !space;
  }
  return count;
}

// Ends of sentences that something or nothing follows: "3.5" has none.
u64 sentences(std::string_view text) {
  text = trimmed(text);
  u64 count = 0;
  bool pending = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool end = text[i] == '.' || text[i] == '!' || text[i] == '?';
    const bool space = text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r';
    if (!end && !space) pending = true;
    if (end && pending && (i + 1 == text.size() || std::string_view(" \n\t\r\"')").contains(text[i + 1]))) {
      ++count;
      pending = false;
    }
  }
  return count + (pending ? 1 : 0);
}

template <class Each>
void lines(std::string_view text, const Each& each) {
  while (true) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    each(trimmed(text.substr(0, end)));
    if (end == text.size()) return;
    text.remove_prefix(end + 1);
  }
}

// Separated by empty lines.
u64 paragraphs(std::string_view text) {
  u64 count = 0;
  bool inside = false;
  lines(text, [&](std::string_view line) {
    count += !line.empty() && !inside ? 1U : 0U;
    inside = !line.empty();
  });
  return count;
}

u64 bullets(std::string_view text) {
  u64 count = 0;
  lines(text, [&](std::string_view line) { count += line.starts_with("* ") || line.starts_with("- ") ? 1U : 0U; });
  return count;
}

struct Bound {
  std::string_view name;
  Count count;
  bool least, most;
};
constexpr std::array<Bound, 9> kBounds = {{
    {"min_words", words, true, false},
    {"max_words", words, false, true},
    {"min_sentences", sentences, true, false},
    {"max_sentences", sentences, false, true},
    {"paragraphs", paragraphs, true, true},
    {"bullets", bullets, true, true},
    {"min_paragraphs", paragraphs, true, false},
    {"max_paragraphs", paragraphs, false, true},
    {"min_bullets", bullets, true, false},
}};
constexpr std::array<std::string_view, 4> kTexts = {"starts_with", "ends_with", "excludes", "contains_n"};
constexpr std::array<std::string_view, 4> kFlags = {"no_comma", "lowercase", "uppercase", "quoted"};

Result<Holds> bounded(const Bound& bound, const JsonNode& value) {
  const auto number = value.is(Kind::number) ? value.number.whole() : std::nullopt;
  if (!number) return fail(ErrorCode::usage, fmt::format("{} must be a whole number", bound.name));
  return [bound, number = *number](const std::string& answer) {
    const u64 count = bound.count(answer);
    return (!bound.least || count >= number) && (!bound.most || count <= number);
  };
}

// {"text": "Paris", "at_least": 2, "at_most": 3}
Result<Holds> repeated(const JsonNode& value) {
  const std::string& text = value.text_of("text");
  const auto bound = [&](std::string_view key) -> std::optional<u64> {
    const JsonNode* node = value.find(key);
    return node != nullptr && node->is(Kind::number) ? node->number.whole() : std::nullopt;
  };
  const auto least = bound("at_least"), most = bound("at_most");
  const std::size_t known = 1 + (least ? 1U : 0U) + (most ? 1U : 0U);
  if (text.empty() || value.members.size() != known || known == 1)
    return fail(ErrorCode::usage, "contains_n must be {\"text\", \"at_least\", \"at_most\"}, with one bound or both");
  return [=](const std::string& answer) {
    u64 count = 0;
    for (std::size_t at = answer.find(text); at != std::string::npos; at = answer.find(text, at + text.size())) ++count;
    return (!least || count >= *least) && (!most || count <= *most);
  };
}

Result<Holds> about_text(std::string_view name, const JsonNode& value) {
  if (name == "contains_n") return repeated(value);
  if (!value.is(Kind::text) || value.text.empty())
    return fail(ErrorCode::usage, fmt::format("{} must be a text that isn't empty", name));
  const std::string text = value.text;
  if (name == "starts_with") return [text](const std::string& answer) { return trimmed(answer).starts_with(text); };
  if (name == "ends_with") return [text](const std::string& answer) { return trimmed(answer).ends_with(text); };
  return [text](const std::string& answer) { return !answer.contains(text); };
}

Result<Holds> flagged(std::string_view name, const JsonNode& value) {
  if (!value.is(Kind::boolean) || !value.flag) return fail(ErrorCode::usage, fmt::format("{} must be true", name));
  if (name == "no_comma") return [](const std::string& answer) { return !answer.contains(','); };
  if (name == "quoted")
    return [](const std::string& answer) {
      const auto text = trimmed(answer);
      return text.size() > 1 && text.starts_with('"') && text.ends_with('"');
    };
  SY_TRY(const Pattern letters, Pattern::compile("\\p{L}"));
  SY_TRY(const Pattern wrong, Pattern::compile(name == "lowercase" ? "[\\p{Lu}\\p{Lt}]" : "[\\p{Ll}\\p{Lt}]"));
  return [letters, wrong](const std::string& answer) { return letters.found_in(answer) && !wrong.found_in(answer); };
}

}  // namespace

Result<Holds> instruction(std::string_view name, const JsonNode& value) {
  if (const auto bound = std::ranges::find(kBounds, name, &Bound::name); bound != kBounds.end())
    return bounded(*bound, value);
  if (std::ranges::find(kTexts, name) != kTexts.end()) return about_text(name, value);
  if (std::ranges::find(kFlags, name) != kFlags.end()) return flagged(name, value);
  std::vector<std::string> known;
  for (const Bound& bound : kBounds) known.emplace_back(bound.name);
  known.insert(known.end(), kTexts.begin(), kTexts.end());
  known.insert(known.end(), kFlags.begin(), kFlags.end());
  return fail(ErrorCode::usage, fmt::format("no check \"{}\": expected a checker or one of {}", text::display(name, 64),
                                            fmt::join(known, ", ")));
}

}  // namespace steelyard::bench
