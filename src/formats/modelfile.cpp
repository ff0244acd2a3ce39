// Modelfile of Ollama: where a model comes from, what is put before every conversation, and how a
// conversation becomes a prompt.
//
// Spec: docs/modelfile of Ollama; Go's text/template. Attacks resisted: weights and adapters that are files of the
// machine, templates that listen for a word of the user's, system messages that hide an order to lead the user out.
// Tested by data/rules/CFG/; fuzzed.

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"
#include "formats/detail/python_values.hpp"
#include "formats/detail/references.hpp"
#include "formats/detail/template_words.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kLargest = u64{1} << 20;
constexpr std::size_t kMostTokens = 256;  // of one action of a template

struct Instruction {
  std::string name;  // in lower case
  std::string_view value;
  Range at;
};

std::optional<Instruction> next(std::string_view text, std::size_t& at) {
  static constexpr std::array<std::string_view, 8> kNames = {"from",    "adapter",   "template", "system",
                                                             "message", "parameter", "license",  "requires"};
  while (at < text.size()) {
    const std::size_t begin = at;
    std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    const std::size_t first = std::min(line.find_first_not_of(" \t"), line.size());
    const std::size_t space = std::min(line.find_first_of(" \t\r", first), line.size());
    const std::string name = text::lower(line.substr(first, space - first));
    at = end + 1;
    if (std::ranges::find(kNames, name) == kNames.end()) continue;
    std::size_t value = begin + std::min(line.find_first_not_of(" \t", space), line.size());
    if (name == "message") {  // its role comes first
      value = std::min(text.find_first_of(" \t\n", value), end);
      value = std::min(text.find_first_not_of(" \t", value), end);
    }
    constexpr std::string_view kBlock = "\"\"\"";
    if (text.substr(value).starts_with(kBlock)) {
      value += kBlock.size();
      end = std::min(text.find(kBlock, value), text.size());
      at = std::min(end + kBlock.size(), text.size());
    } else if (value < end && text[value] == '"') {
      end = std::min(text.find('"', ++value), end);
    }
    while (end > value && (text[end - 1] == '\r' || text[end - 1] == ' ')) --end;
    return Instruction{name, text.substr(value, end - value), {begin, end}};
  }
  return std::nullopt;
}

void weights(const Instruction& from, Item& item, References& references) {
  const std::string low = text::lower(from.value);
  const PathKind kind = path_kind(from.value);
  const auto data = [&] {
    return json::Value()
        .set("field", text::display(text::lower(from.name), 20))
        .set("target", text::display(from.value, 120));
  };
  const bool system = secret_place(from.value) || persistent_place(from.value) || low.contains("/etc/") ||
                      low.contains("/proc/") || low.contains("windows\\system32");
  if (kind != PathKind::plain && (system || kind == PathKind::share)) {
    item.report().add("CFG007", from.at, data());
  } else if (kind == PathKind::insecure_url) {
    item.report().add("CFG017", from.at, data());
  } else if (kind == PathKind::upward) {
    item.report().add("CFG018", from.at, data());
  } else if (kind == PathKind::absolute) {
    item.report().add("CFG009", from.at, data());
  } else if (from.value.starts_with("./")) {
    references.add(from.name, from.value, References::Kind::file, from.at);
  }
}

// What a user or the model wrote, as a template has it.
bool written(std::string_view token) {
  return token.ends_with(".Content") || token.ends_with(".Prompt") || token.ends_with(".Response");
}

// Words, texts and brackets of an action.
std::vector<std::string_view> tokens(std::string_view action) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < action.size() && out.size() < kMostTokens;) {
    const char c = action[at];
    std::size_t end = at + 1;
    if (c == '"' || c == '`') {
      while (end < action.size() && action[end] != c) end += action[end] == '\\' && c == '"' ? 2U : 1U;
      end = std::min(end + 1, action.size());
    } else if (std::string_view(" \t\r\n()|").contains(c)) {
      if (c != '(' && c != ')' && c != '|') {
        at = end;
        continue;
      }
    } else {
      end = std::min(action.find_first_of(" \t\r\n()|\"`", at), action.size());
    }
    out.push_back(action.substr(at, end - at));
    at = end;
  }
  return out;
}

// The word that the action compares with what somebody wrote, or "".
std::string_view listens(std::string_view action) {
  const auto all = tokens(action);
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    for (const auto& [one, other] : {std::pair(all[i], all[i + 1]), std::pair(all[i + 1], all[i])}) {
      if (!written(one) || (!other.starts_with('"') && !other.starts_with('`')) || other.size() < 3) continue;
      const std::string_view word = other.substr(1, other.size() - 2);
      const bool letters = std::ranges::any_of(word, [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; });
      if (letters && !chat::is_marker(word)) return word;
    }
  }
  return {};
}

void prompt(const Instruction& found, Item& item) {
  const std::string_view text = found.value;
  // Actions don't nest.
  for (std::size_t at = text.find("{{"), end = 0; at != std::string_view::npos; at = text.find("{{", end)) {
    end = std::min(text.find("}}", at), text.size());
    const std::string_view word = listens(text.substr(at + 2, end - at - 2));
    if (word.empty()) continue;
    item.report().add("CFG021", found.at,
                      json::Value().set("name", text::display(item.name(), 80)).set("word", text::display(word, 80)));
    return;
  }
}

void order(const Instruction& found, Item& item) {
  const std::string_view why = chat::instructs(found.value);
  const std::string_view way = chat::leads_out(found.value);
  if (why.empty() || way.empty()) return;
  item.report().add("CFG022", found.at,
                    json::Value()
                        .set("field", text::display(found.name, 20))
                        .set("why", why)
                        .set("what", way)
                        .set("text", chat::excerpt(found.value)));
}

void parse(Item& item) {
  const std::string text = checked_text(item, kLargest);
  References references;
  std::size_t at = 0;
  while (const auto found = next(text, at)) {
    if (found->name == "from" || found->name == "adapter") weights(*found, item, references);
    if (found->name == "template") prompt(*found, item);
    if (found->name == "system" || found->name == "message" || found->name == "template") order(*found, item);
  }
  references.report(item.report());
}

int sniff(const Sniff& sniff) {
  const std::string name = text::lower(sniff.name);
  const bool named = name == "modelfile" || name.starts_with("modelfile.") || name.ends_with(".modelfile");
  return named && looks_like_text(as_text(sniff.head)) ? 44 : 0;
}

}  // namespace

extern const Format modelfile_format;
const Format modelfile_format{"modelfile", "Modelfile of Ollama", "Modelfile", "Ollama's Modelfile", sniff, parse};

}  // namespace steelyard::formats
