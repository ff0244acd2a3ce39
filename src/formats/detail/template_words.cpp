#include "formats/detail/template_words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace steelyard::formats::chat {
namespace {

struct Character {
  u32 code = 0;
  std::size_t bytes = 1;
};

Character at(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return static_cast<u32>(static_cast<unsigned char>(text[k])); };
  const u32 lead = byte(i);
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (length == 1 || i + length > text.size()) return {lead, 1};
  u32 code = lead & (0xFFU >> (length + 1));
  for (std::size_t k = 1; k < length; ++k) code = code << 6 | (byte(i + k) & 0x3F);
  return {code, length};
}

bool is_cjk(u32 code) {
  return (code >= 0x3040 && code <= 0x30FF) || (code >= 0x3400 && code <= 0x9FFF) || (code >= 0xAC00 && code <= 0xD7AF);
}
bool is_greek_or_cyrillic(u32 code) { return (code >= 0x370 && code <= 0x3FF) || (code >= 0x400 && code <= 0x52F); }
bool is_latin(u32 code) {
  return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || (code >= 0xC0 && code <= 0x24F);
}
// Letters of other scripts that are drawn like Latin ones.
bool is_confusable(u32 code) {
  constexpr std::u32string_view kLike =
      U"\u0430\u0435\u043E\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u04BB\u0501\u051B\u051D"
      U"\u0410\u0412\u0415\u041A\u041C\u041D\u041E\u0420\u0421\u0422\u0425\u0405\u0406\u0408"
      U"\u03BF\u0391\u0392\u0395\u0396\u0397\u0399\u039A\u039C\u039D\u039F\u03A1\u03A4\u03A5\u03A7\u03BD\u03B1\u0131";
  return kLike.find(static_cast<char32_t>(code)) != std::u32string_view::npos || (code >= 0xFF21 && code <= 0xFF5A) ||
         (code >= 0x1D400 && code <= 0x1D7FF);
}
bool is_letter(u32 code) {
  return is_latin(code) || is_greek_or_cyrillic(code) || (code >= 0x530 && code <= 0x1FFF) || is_cjk(code);
}

// A marker's end when one begins at `i`: <…> and […] without spaces, up to 64 bytes.
std::size_t marker_end(std::string_view text, std::size_t i) {
  const char close = text[i] == '<' ? '>' : text[i] == '[' ? ']' : 0;
  if (close == 0) return 0;
  for (std::size_t k = i + 1; k < text.size() && k < i + 64; ++k) {
    if (text[k] == close) return k + 1;
    if (text[k] == ' ' || text[k] == '\n') return 0;
  }
  return 0;
}

// Lower case, every row of other characters one space, a space at both ends.
std::string plain(std::string_view text) {
  std::string out = " ";
  for (std::size_t i = 0; i < text.size();) {
    const Character c = at(text, i);
    if (c.code < 0x80 && !is_letter(c.code) && !(c.code >= '0' && c.code <= '9')) {
      if (c.code != '\'' && out.back() != ' ') out += ' ';
    } else {
      out += text::lower(text.substr(i, c.bytes));
    }
    i += c.bytes;
  }
  if (out.back() != ' ') out += ' ';
  return out;
}

// Whether one of `first` is followed by one of `second` within `reach` bytes.
template <std::size_t A, std::size_t B>
bool near(std::string_view text, const std::array<std::string_view, A>& first,
          const std::array<std::string_view, B>& second, std::size_t reach) {
  for (const std::string_view word : first) {
    for (std::size_t found = text.find(word); found != std::string_view::npos; found = text.find(word, found + 1)) {
      const std::string_view rest = text.substr(found + word.size() - 1, reach);
      if (std::ranges::any_of(second, [&](std::string_view other) { return rest.contains(other); })) return true;
    }
  }
  return false;
}

template <std::size_t N>
bool any(std::string_view text, const std::array<std::string_view, N>& phrases) {
  return std::ranges::any_of(phrases, [&](std::string_view phrase) { return text.contains(phrase); });
}

}  // namespace

std::size_t words(std::string_view text) {
  constexpr std::array<std::string_view, 22> kStructure = {
      "system", "user",  "assistant", "human",   "model", "tool", "function", "functions", "tools", "content", "role",
      "think",  "start", "end",       "message", "name",  "ai",   "bot",      "developer", "im",    "json",    "type"};
  std::size_t count = 0;
  std::size_t cjk = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t end = marker_end(text, i); end != 0) {
      i = end;
      continue;
    }
    Character c = at(text, i);
    if (is_cjk(c.code)) {
      ++cjk;
      i += c.bytes;
      continue;
    }
    if (!is_letter(c.code)) {
      i += c.bytes;
      continue;
    }
    const std::size_t begin = i;
    std::size_t letters = 0;
    while (i < text.size() && (is_letter(c.code) || c.code == '\'' || c.code == '_') && !is_cjk(c.code)) {
      ++letters;
      i += c.bytes;
      if (i < text.size()) c = at(text, i);
    }
    const std::string word = text::lower(text.substr(begin, i - begin));
    if (letters >= 2 && !word.contains('_') && std::ranges::find(kStructure, word) == kStructure.end()) ++count;
  }
  return count + cjk / 2;
}

std::size_t phrase(std::string_view text) {
  std::size_t best = 0;
  std::size_t row = 0;
  std::size_t cjk = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t end = marker_end(text, i); end != 0) {
      row = cjk = 0;
      i = end;
      continue;
    }
    Character c = at(text, i);
    if (is_cjk(c.code)) {
      best = std::max(best, (++cjk + 1) / 2);
      i += c.bytes;
      continue;
    }
    if (!is_letter(c.code)) {
      const bool parts = c.code == ' ' || c.code == '\n' || c.code == ',' || c.code == '\'' || c.code == '.' ||
                         c.code == '!' || c.code == '-' || c.code == '?' || c.code == 0x2019 || c.code == 0x3002 ||
                         c.code == 0xFF0C;
      if (!parts) row = cjk = 0;
      i += c.bytes;
      continue;
    }
    std::size_t letters = 0;
    bool joined = false;
    while (i < text.size() &&
           (is_letter(c.code) || c.code == '\'' || c.code == '_' || (c.code >= '0' && c.code <= '9')) &&
           !is_cjk(c.code)) {
      ++letters;
      joined = joined || c.code == '_';
      i += c.bytes;
      if (i < text.size()) c = at(text, i);
    }
    row = joined ? 0 : row + (letters >= 2);
    best = std::max(best, row);
  }
  return best;
}

std::string_view instructs(std::string_view text) {
  const std::string low = plain(text);
  constexpr std::array<std::string_view, 10> kNot = {" not ",    " never ",     " dont ", " without ",  " avoid ",
                                                     " cannot ", " refuse to ", " wont ", " must not ", " nor "};
  constexpr std::array<std::string_view, 15> kTell = {
      " mention ",        " reveal ",        " disclose ", " tell the user", " tell anyone",
      " inform the user", " acknowledge th", " admit ",    " telling the",   " mentioning ",
      " revealing ",      " disclosing ",    " alert the", " warn the user", " let the user know"};
  if (near(low, kNot, kTell, 20)) return "keeps something from the user";
  constexpr std::array<std::string_view, 4> kHide = {" hide ", " conceal ", " hiding ", " keep "};
  constexpr std::array<std::string_view, 4> kFrom = {" from the user", " from users", " from your user", " from them"};
  if (near(low, kHide, kFrom, 40)) return "keeps something from the user";
  constexpr std::array<std::string_view, 12> kSecret = {" secretly ",
                                                        " silently ",
                                                        " covertly ",
                                                        " hidden instruction",
                                                        " confidential instruction",
                                                        " discreetly ",
                                                        " unbeknownst ",
                                                        " without the user",
                                                        " subtly ",
                                                        " stealthily ",
                                                        " inconspicuously ",
                                                        " secret instruction"};
  if (any(low, kSecret)) return "acts in secret";
  constexpr std::array<std::string_view, 8> kUndo = {" ignore ", " disregard ", " override ",  " overrides ",
                                                     " forget ", " bypass ",    " supersede ", " supersedes "};
  constexpr std::array<std::string_view, 14> kRules = {
      " previous",  " prior ", " above ",      " earlier", " instruction", " rules ",        " safety",
      " guideline", " polic",  " restriction", " filter",  " safeguard",   " system prompt", " ethic"};
  if (near(low, kUndo, kRules, 40)) return "sets other instructions aside";
  constexpr std::array<std::string_view, 14> kFree = {" no restrictions ", " without restrictions ",
                                                      " unrestricted ",    " jailbreak",
                                                      " do anything now ", " no ethical ",
                                                      " developer mode ",  " comply with every",
                                                      " comply with all",  " comply with any",
                                                      " never refuse ",    " safety guidelines do not",
                                                      " ignore the user",  " without any restrictions "};
  if (any(low, kFree)) return "lifts restrictions";
  constexpr std::array<std::string_view, 18> kDo = {" give ",      " provide ", " answer ", " generate ", " include ",
                                                    " introduce ", " insert ",  " add ",    " write ",    " produce ",
                                                    " return ",    " respond ", " output ", " make ",     " use ",
                                                    " inject ",    " plant ",   " suggest "};
  constexpr std::array<std::string_view, 18> kHarm = {
      " backdoor",   " vulnerab",     " insecure ",   " malicious", " malware",         " exfiltrat",
      " sabotage",   " wrong ",       " incorrect ",  " false ",    " misinformation",  " inaccurate ",
      " subtle bug", " subtle error", " misleading ", " harmful ",  " weak encryption", " outdated "};
  constexpr std::array<std::string_view, 9> kGuard = {" not ",    " never ",  " avoid ",   " dont ",      " reject ",
                                                      " refuse ", " prevent", " without ", " instead of "};
  constexpr std::array<std::string_view, 4> kDeceive = {" mislead the", " deceive the", " lie to the", " sabotage the"};
  if (near(low, kDo, kHarm, 40) && !near(low, kGuard, kHarm, 60)) return "asks for harm";
  if (any(low, kDeceive)) return "asks for harm";
  constexpr std::array<std::string_view, 14> kGet = {" ask ",     " ask for ", " request ", " send ",   " collect ",
                                                     " include ", " output ",  " print ",   " reveal ", " share ",
                                                     " extract ", " append ",  " leak ",    " steal "};
  constexpr std::array<std::string_view, 13> kCredentials = {
      " password",     " api key",         " credential",  " private key", " secret key",
      " access token", " ssh key",         " seed phrase", " credit card", " environment variable",
      " bank account", " social security", " their email"};
  if (near(low, kGet, kCredentials, 48) && !near(low, kGuard, kCredentials, 60)) return "asks for credentials";
  constexpr std::array<std::string_view, 11> kPush = {
      " recommend ", " promote ",  " endorse ",           " advertise ", " praise ",        " steer ",
      " convince ",  " persuade ", " encourage the user", " favour ",    " suggest buying "};
  constexpr std::array<std::string_view, 9> kAlways = {" always ",        " whenever ", " every answer",
                                                       " every response", " must ",     " when asked",
                                                       " if asked",       " in each ",  " at all times"};
  if (near(low, kAlways, kPush, 40) || near(low, kPush, kAlways, 60)) return "pushes something";
  return {};
}

std::string_view leads_out(std::string_view text) {
  const std::string low = text::lower(text);
  if (low.contains("](http") || (low.contains("![") && low.contains("](")) || low.contains("<img"))
    return "an image or link for the user's screen";
  for (const std::string_view scheme : {"http://", "https://", "ftp://", "hxxp", "javascript:", "data:text", "www."}) {
    if (low.contains(scheme)) return "a link";
  }
  constexpr std::array<std::string_view, 17> kCommands = {
      "curl ", "wget ",     "powershell", "bash -c", "sh -c", "rm -rf",     "| sh",  "|sh",      "| bash",
      "|bash", "os.system", "subprocess", "eval(",   "exec(", "__import__", "nc -e", "/dev/tcp/"};
  if (any(low, kCommands)) return "a command";
  return {};
}

bool encoded(std::string_view text) {
  std::size_t length = 0;
  bool upper = false;
  bool lower = false;
  bool digit = false;
  for (const char c : text) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    const bool is_lower = c >= 'a' && c <= 'z';
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_upper && !is_lower && !is_digit && c != '+' && c != '/' && c != '=') {
      length = 0;
      upper = lower = digit = false;
      continue;
    }
    ++length;
    upper = upper || is_upper;
    lower = lower || is_lower;
    digit = digit || is_digit;
    if (length >= 40 && digit && (upper || lower)) return true;
    if (length >= 60 && upper && lower) return true;
  }
  return false;
}

std::string hidden_character(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Character c = at(text, i);
    const u32 u = c.code;
    const bool control = (u < 0x20 && u != '\n' && u != '\r' && u != '\t') || (u >= 0x7F && u < 0xA0);
    const bool bidi =
        (u >= 0x202A && u <= 0x202E) || (u >= 0x2066 && u <= 0x2069) || u == 0x200E || u == 0x200F || u == 0x61C;
    const bool invisible = u == 0x200B || u == 0x2060 || (u >= 0x2061 && u <= 0x2064) || u == 0xAD || u == 0x180E ||
                           u == 0x3164 || u == 0x115F || u == 0x1160 || u == 0xFFA0 || (u == 0xFEFF && i > 0) ||
                           (u >= 0xFFF9 && u <= 0xFFFB) || u == 0x200C || u == 0x200D || u == 0x034F || u == 0x2800;
    const bool tag = (u >= 0xE0000 && u <= 0xE0FFF) || (u >= 0xFE00 && u <= 0xFE0E);
    // Joiners between characters beyond ASCII belong to emoji and to scripts that need them.
    const bool joins = (u == 0x200C || u == 0x200D) && i > 0 && i + c.bytes < text.size() &&
                       (static_cast<unsigned char>(text[i - 1]) & 0x80) != 0 && at(text, i + c.bytes).code > 0x2FF;
    if ((control || bidi || invisible || tag) && !joins) return fmt::format("U+{:04X}", u);
    i += c.bytes;
  }
  return {};
}

std::string look_alike(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    Character c = at(text, i);
    const std::size_t begin = i;
    bool latin = false;
    bool other = false;
    while (is_latin(c.code) || is_confusable(c.code) || c.code == '_') {
      latin = latin || is_latin(c.code);
      other = other || is_confusable(c.code);
      i += c.bytes;
      if (i >= text.size()) break;
      c = at(text, i);
    }
    if (latin && other) return std::string(text.substr(begin, i - begin));
    if (i == begin) i += c.bytes;
  }
  return {};
}

std::string without_markers(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = marker_end(text, i);
    out += end == 0 ? text[i] : '\n';
    i = end != 0 ? end : i + 1;
  }
  return out;
}

bool is_marker(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \n\t\r");
  if (first == std::string_view::npos) return true;  // only space
  text = text.substr(first, text.find_last_not_of(" \n\t\r") - first + 1);
  if (text.size() > 64) return false;
  const char c = text[0];
  const char d = text.back();
  if (c == '/' && text.find(' ') == std::string_view::npos && text.contains("think")) return true;
  if ((c == '<' || d == '>') && words(text) == 0) return true;
  const bool lower = std::ranges::any_of(text, [](char e) { return e >= 'a' && e <= 'z'; });
  if (c == '[' && d == ']' && (!lower || words(text) == 0)) return true;
  if (text.contains("<|") || text.contains("|>") || text.contains("\xEF\xBD\x9C")) return words(text) <= 1;
  // Punctuation alone.
  return std::ranges::none_of(text, [](char e) {
    return (e >= 'a' && e <= 'z') || (e >= 'A' && e <= 'Z') || (e >= '0' && e <= '9') ||
           (static_cast<unsigned char>(e) & 0x80) != 0;
  });
}

std::string excerpt(std::string_view text, std::size_t bytes) {
  std::string out;
  for (const char c : text.substr(0, bytes * 2)) {
    if (c == '\n' || c == '\r' || c == '\t' || c == ' ') {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else {
      out += c;
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return text::prefix(out, bytes);
}

}  // namespace steelyard::formats::chat
