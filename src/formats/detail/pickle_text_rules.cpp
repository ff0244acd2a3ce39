#include "formats/detail/pickle_text_rules.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace steelyard::formats::text_rules {
namespace {

bool lower_letter(char c) { return c >= 'a' && c <= 'z'; }
bool upper_letter(char c) { return c >= 'A' && c <= 'Z'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

bool word_letter(char c) { return lower_letter(c) || upper_letter(c) || digit(c) || c == '_'; }

bool identifier(std::string_view text) {
  return !text.empty() && !digit(text[0]) && std::ranges::all_of(text, word_letter);
}

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// "self, a, b, loc=0, scale=1, moments='mv'": no default is an expression.
bool parameters(std::string_view text) {
  while (!trim(text).empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = trim(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t equals = part.find('=');
    if (!part.empty() && !identifier(trim(part.substr(0, equals)))) return false;
    if (equals == std::string_view::npos) continue;
    const std::string_view value = trim(part.substr(equals + 1));
    const bool number = !value.empty() && std::ranges::all_of(value, [](char c) { return digit(c) || c == '.'; });
    if (!number && value != "None" && value != "'mv'") return false;
  }
  return true;
}

}  // namespace

bool word(std::string_view text) { return identifier(text) && !text.starts_with("__"); }

bool dotted(std::string_view text) {
  while (true) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    if (!word(text.substr(0, dot))) return false;
    if (dot == text.size()) return true;
    text.remove_prefix(dot + 1);
  }
}

bool upper(std::string_view text) {
  return word(text) && upper_letter(text[0]) && std::ranges::none_of(text, lower_letter);
}

bool dtype(std::string_view text) {
  if (!text.empty() && std::string_view("<>=|").find(text[0]) != std::string_view::npos) text.remove_prefix(1);
  std::size_t i = 0;
  while (i < text.size() && (lower_letter(text[i]) || upper_letter(text[i]) || text[i] == '?')) ++i;
  if (i == 0 || i > 12) return false;
  while (i < text.size() && digit(text[i])) ++i;
  if (i == text.size()) return true;
  return text[i] == '[' && text.ends_with(']') &&
         std::ranges::all_of(text.substr(i + 1, text.size() - i - 2),
                             [](char c) { return lower_letter(c) || upper_letter(c) || digit(c); });
}

bool argparser(std::string_view text) {
  constexpr std::array<std::string_view, 3> kFunctions = {"_parse_args(", "_parse_args_rvs(", "_parse_args_stats("};
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (trim(line).empty()) continue;
    if (line.starts_with("def ") && line.ends_with("):")) {
      line.remove_prefix(4);
      const auto name = std::ranges::find_if(kFunctions, [&](std::string_view f) { return line.starts_with(f); });
      if (name == kFunctions.end() || !parameters(line.substr(name->size(), line.size() - name->size() - 2)))
        return false;
    } else if (line.starts_with("    return ")) {
      line.remove_prefix(11);
      if (line.starts_with("self._argcheck_rvs(")) line.remove_prefix(19);
      const auto plain = [](char c) {
        return lower_letter(c) || upper_letter(c) || digit(c) || c == '_' || c == ',' || c == ' ' || c == '(' ||
               c == ')' || c == '=';
      };
      // Parentheses group and never call: none stands behind a name.
      for (std::size_t i = 1; i < line.size(); ++i)
        if (line[i] == '(' && line[i - 1] != '(' && line[i - 1] != ' ' && line[i - 1] != ',') return false;
      if (!std::ranges::all_of(line, plain)) return false;
    } else {
      return false;
    }
  }
  return true;
}

bool formula(std::string_view text) {
  constexpr auto kFunctions = std::to_array<std::string_view>(
      {"C",         "I",         "bs",       "cr",       "cc",      "te",       "center", "standardize",
       "scale",     "poly",      "np.log",   "np.log1p", "np.log2", "np.log10", "np.exp", "np.sqrt",
       "np.abs",    "np.square", "np.power", "np.sin",   "np.cos",  "log",      "exp",    "sqrt",
       "Treatment", "Sum",       "Poly",     "Helmert",  "Diff"});
  constexpr std::string_view kOthers = "~+-*:/^|),=<>\n";
  char before = ' ';  // what stands in front: a name's last letter, or a mark
  while (!text.empty()) {
    std::size_t end = 0;
    while (end < text.size() && (word_letter(text[end]) || text[end] == '.')) ++end;
    const std::string_view name = text.substr(0, end);
    text.remove_prefix(end);
    const std::size_t blank = std::min(text.find_first_not_of(' '), text.size());
    const bool opens = text.substr(blank).starts_with('(');
    if (!name.empty()) {
      before = 'a';
      const bool plain = digit(name[0]) || (!name.contains('.') && !name.contains("__") && name != "lambda");
      if (opens ? std::ranges::find(kFunctions, name) == kFunctions.end() : !plain) return false;
      if (opens) before = ' ';
    }
    text.remove_prefix(blank);
    if (text.empty()) break;
    const char mark = text[0];
    if (word_letter(mark) || mark == '.') continue;
    text.remove_prefix(1);
    if (mark == '\'' || mark == '"') {
      const std::size_t close = text.find(mark);
      if (before == 'a' || close == std::string_view::npos || text.substr(0, close).contains('\\')) return false;
      text.remove_prefix(close + 1);
      before = 'a';
    } else if (mark == '(' ? before == 'a' || before == ')' : !kOthers.contains(mark)) {
      return false;
    } else {
      before = mark;
    }
  }
  return true;
}

bool suspicious(std::string_view text) {
  constexpr auto kSigns = std::to_array<std::string_view>(
      {"import ", "exec(",    "eval(",    "__",    "os.system", "subprocess", "://",    "/bin/",      "/etc/",
       "/tmp/",   "/dev/",    "~/",       "curl ", "wget ",     "bash",       "sh -c",  "powershell", "cmd.exe",
       "cmd /",   "&&",       "||",       "$(",    "`",         "base64",     "socket", "chmod ",     "rm -",
       "nc -",    "python -", "python3 ", ":\\",   "\\\\",      "lambda",     "open(",  "print(",     ".ssh",
       "> /",     ">/",       "| ",       "id;",   "whoami",    "touch "});
  return std::ranges::any_of(kSigns, [&](std::string_view sign) { return text.find(sign) != std::string_view::npos; });
}

}  // namespace steelyard::formats::text_rules
