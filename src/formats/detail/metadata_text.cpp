#include "formats/detail/metadata_text.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.hpp"
#include "formats/detail/layout.hpp"
#include "formats/detail/text_checks.hpp"

namespace steelyard::formats {
namespace {

constexpr std::size_t kSpan = 160;  // characters between the first and the last part of a pattern
constexpr std::size_t kShown = 120;
constexpr std::size_t kLeastBase64 = 24;
constexpr std::size_t kMostDecoded = 4096;

// Parts that follow each other, in lower case. One part with '^' begins a line.
struct Pattern {
  std::string_view what;
  std::array<std::string_view, 3> parts;
};
constexpr auto kPatterns = std::to_array<Pattern>({
    {"an address that runs code", {"javascript:"}},
    {"an address that runs code", {"vbscript:"}},
    {"an address that runs code", {"data:text/html"}},
    {"an address of a local file", {"file://"}},
    {"active HTML", {"<script"}},
    {"active HTML", {"<iframe"}},
    {"active HTML", {"<object", "data="}},
    {"active HTML", {"<", "onerror="}},
    {"active HTML", {"<", "onload="}},
    {"an escape from a template", {"__class__"}},
    {"an escape from a template", {"__globals__"}},
    {"an escape from a template", {"__subclasses__"}},
    {"an escape from a template", {"__builtins__"}},
    {"an escape from a template", {"{{", "cycler", "init"}},
    {"Python that runs code", {"__import__("}},
    {"Python that runs code", {"os.system("}},
    {"Python that runs code", {"os.popen("}},
    {"Python that runs code", {"subprocess.", "("}},
    {"Python that runs code", {"importlib.import_module("}},
    {"Python that runs code", {"exec(", ")"}},
    {"Python that runs code", {"eval(", "("}},
    {"a YAML tag that creates Python objects", {"!!python/"}},
    {"a YAML tag that creates Python objects", {"!python/object"}},
    {"a command that runs what it downloads", {"curl ", "|", "sh"}},
    {"a command that runs what it downloads", {"wget ", "|", "sh"}},
    {"a command that runs what it downloads", {"curl ", "|", "python"}},
    {"a command that runs what it downloads", {"powershell", "downloadstring"}},
    {"a command that runs what it downloads", {"powershell", "iex"}},
    {"a command that runs what it downloads", {"iwr ", "|", "iex"}},
    {"an encoded command", {"powershell", " -e", " "}},
    {"an encoded command", {"base64 -d", "|"}},
    {"a command that opens a connection", {"/dev/tcp/"}},
    {"a command that opens a connection", {"nc ", "-e "}},
    {"a command", {"bash -c "}},
    {"a command", {"rm -rf "}},
    {"a path out of the folder", {"../../"}},
    {"a path out of the folder", {"..\\..\\"}},
    {"a path of the system", {"/etc/passwd"}},
    {"a path of the system", {"/etc/shadow"}},
    {"a path of the system", {"/.ssh/"}},
    {"an instruction to a model", {"ignore", "previous", "instruction"}},
    {"an instruction to a model", {"ignore", "prior", "instruction"}},
    {"an instruction to a model", {"ignore", "above", "instruction"}},
    {"an instruction to a model", {"ignore all", "instruction"}},
    {"an instruction to a model", {"disregard", "previous", "instruction"}},
    {"an instruction to a model", {"disregard all", "instruction"}},
    {"an instruction to a model", {"forget", "previous", "instruction"}},
    {"a call by name", {"\"_target_\""}},
});

// Where the pattern begins, or npos.
std::size_t find(std::string_view text, const Pattern& pattern) {
  for (std::size_t begin = text.find(pattern.parts[0]); begin != std::string_view::npos;
       begin = text.find(pattern.parts[0], begin + 1)) {
    std::size_t at = begin + pattern.parts[0].size();
    bool all = true;
    for (std::size_t i = 1; i < pattern.parts.size() && !pattern.parts[i].empty(); ++i) {
      const std::string_view window = text.substr(at, kSpan);
      const std::size_t next = window.find(pattern.parts[i]);
      all = next != std::string_view::npos;
      if (!all) break;
      at += next + pattern.parts[i].size();
    }
    if (all) return begin;
    // The first part alone is everywhere: what follows the next one can't match better.
    if (pattern.parts[0].size() == 1) return std::string_view::npos;
  }
  return std::string_view::npos;
}

// "cos\nsystem\n": a global of a protocol 0 pickle, and something that calls it.
std::size_t find_pickle(std::string_view text) {
  const auto name = [&](std::size_t& at) {
    const std::size_t begin = at;
    while (at < text.size() && ((text[at] >= 'a' && text[at] <= 'z') || (text[at] >= 'A' && text[at] <= 'Z') ||
                                (text[at] >= '0' && text[at] <= '9') || text[at] == '_' || text[at] == '.'))
      ++at;
    if (at == begin || at >= text.size() || text[at] != '\n') return false;
    ++at;
    return true;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != 'c' || (i > 0 && text[i - 1] != '\n' && text[i - 1] != '(')) continue;
    std::size_t at = i + 1;
    if (name(at) && name(at) && text.substr(at, kMostDecoded).find_first_of("Ro") != std::string_view::npos) return i;
  }
  return std::string_view::npos;
}

std::string decode_base64(std::string_view text) {
  std::string out;
  u32 bits = 0;
  int have = 0;
  for (const char c : text) {
    const std::size_t digit = std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
                                  .find(c == '-'   ? '+'
                                        : c == '_' ? '/'
                                                   : c);
    if (digit == std::string_view::npos || out.size() >= kMostDecoded) break;
    bits = bits << 6 | static_cast<u32>(digit);
    have += 6;
    if (have >= 8) {
      have -= 8;
      out += static_cast<char>(static_cast<u8>(bits >> have & 0xFF));
    }
  }
  return out;
}

bool is_base64(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
         c == '-' || c == '_';
}

class Check {
 public:
  Check(Range at, std::string_view where, Reporter& report) : at_(at), where_(where), report_(report) {}

  void text(std::string_view text, int depth) {
    const std::string lower = text::lower(text);
    for (const Pattern& pattern : kPatterns) {
      const std::size_t begin = find(lower, pattern);
      if (begin != std::string::npos && alarm(pattern.what, text, begin, depth)) return;
    }
    if (const std::size_t begin = find_pickle(text); begin != std::string_view::npos)
      alarm("a pickle", text, begin, depth);
    if (depth == 0) encoded(text);
  }

 private:
  bool alarm(std::string_view what, std::string_view text, std::size_t begin, int depth) {
    report_.add("MET001", at_,
                json::Value()
                    .set("where", text::to_value(where_))
                    .set("what", depth == 0 ? std::string(what) : std::string(what) + ", encoded")
                    .set("text", text::display(text.substr(begin, 4 * kShown), kShown)));
    return true;
  }

  void encoded(std::string_view text) {
    for (std::size_t begin = 0; begin < text.size(); ++begin) {
      if (!is_base64(text[begin])) continue;
      std::size_t end = begin;
      while (end < text.size() && is_base64(text[end])) ++end;
      if (end - begin >= kLeastBase64) {
        const std::string content = decode_base64(text.substr(begin, end - begin));
        const MemorySource source(as_bytes(content));
        if (const std::string_view what = recognise(source, 0); !what.empty() && what != "a Windows program") {
          alarm(what, text, begin, 1);
        } else if (text::valid_utf8(text::prefix(content, content.size())) && looks_like_text(content)) {
          this->text(content, 1);
        }
      }
      begin = end;
    }
  }

  Range at_;
  std::string_view where_;
  Reporter& report_;
};

}  // namespace

void check_metadata(std::string_view text, Range at, std::string_view where, Reporter& report) {
  text = text.substr(0, kMostMetadata);
  check_text(text, at.begin, where, report);
  const bool controls = std::ranges::any_of(
      text, [](char c) { return (c >= 0 && c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7F; });
  const bool reordered = std::ranges::any_of(
      hidden_text(text), [](const HiddenText& hidden) { return hidden.kind == HiddenText::Kind::bidi; });
  if (controls || reordered)
    report.add("MET002", at,
               json::Value()
                   .set("where", text::to_value(where))
                   .set("what", controls ? "control characters" : "characters that reorder it")
                   .set("text", text::display(text.substr(0, 4 * kShown), kShown)));
  Check(at, where, report).text(text, 0);
}

}  // namespace steelyard::formats
