#include "formats/detail/text_checks.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"

namespace steelyard::formats {
namespace {

constexpr std::size_t kWindow = std::size_t{256} << 10;
constexpr std::size_t kOverlap = 512;
constexpr std::size_t kRun = 6;  // invisible characters in a row that no script needs

struct Character {
  char32_t code;
  std::size_t length;  // 0: not UTF-8
};

Character decode(std::string_view rest) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  const std::size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC2 || byte(0) > 0xF4 || rest.size() < length) return {0, 0};
  char32_t code = byte(0) & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {0, 0};
    code = (code << 6) | (byte(i) & 0x3FU);
  }
  return {code, length};
}

bool tag(char32_t c) { return c >= 0xE0000 && c <= 0xE007F; }
bool bidi(char32_t c) { return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069); }
// Has no width and no place in ordinary text, or is rare enough there to be told.
bool invisible(char32_t c) {
  return c == 0x200B || (c >= 0x2060 && c <= 0x2064) || (c >= 0x206A && c <= 0x206F) || c == 0x180E || c == 0x3164 ||
         c == 0x115F || c == 0x1160 || c == 0xFFA0 || (c >= 0xFFF9 && c <= 0xFFFB) ||
         (c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f') || (c >= 0x7F && c < 0xA0 && c != 0x85);
}
// Joiners, marks and selectors: ordinary alone, a carrier of hidden bits in rows.
bool joins(char32_t c) {
  return invisible(c) || tag(c) || (c >= 0xE0100 && c <= 0xE01EF) || (c >= 0x200C && c <= 0x200F) ||
         (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF || c == 0x061C || c == 0xAD;
}

bool alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

struct Token {
  std::string_view what;
  std::string_view prefix;
  std::size_t least;  // characters after the prefix
  std::size_t most;
  std::string_view also;  // allowed besides letters and digits
};
constexpr std::array<Token, 14> kTokens = {{
    {"an access key of AWS", "AKIA", 16, 16, ""},
    {"an access key of AWS", "ASIA", 16, 16, ""},
    {"a token of Hugging Face", "hf_", 34, 40, ""},
    {"a token of GitHub", "ghp_", 36, 40, ""},
    {"a token of GitHub", "gho_", 36, 40, ""},
    {"a token of GitHub", "ghs_", 36, 40, ""},
    {"a token of GitHub", "github_pat_", 60, 100, "_"},
    {"a token of GitLab", "glpat-", 20, 64, "-_"},
    {"a key of Google", "AIza", 35, 35, "-_"},
    {"a key of OpenAI", "sk-proj-", 40, 200, "-_"},
    {"a key of OpenAI", "sk-", 48, 64, ""},
    {"a key of Anthropic", "sk-ant-", 80, 140, "-_"},
    {"a token of Slack", "xoxb-", 40, 100, "-"},
    {"a token of npm", "npm_", 36, 36, ""},
}};

// Random enough to be real: many different characters, no word that says it is to be filled in.
bool random_looking(std::string_view token) {
  const std::set<char> distinct(token.begin(), token.end());
  const std::string low = text::lower(token);
  const bool digits = std::ranges::any_of(token, [](char c) { return c >= '0' && c <= '9'; });
  const bool letters = std::ranges::any_of(token, [](char c) { return alnum(c) && (c < '0' || c > '9'); });
  return distinct.size() >= 10 && digits && letters && !low.contains("example") && !low.contains("xxxx") &&
         !low.contains("your") && !low.contains("1234567890") && !low.contains("abcdefgh");
}

void private_keys(std::string_view text, std::vector<Credential>& out) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  for (std::size_t at = text.find(kBegin); at != std::string_view::npos && out.size() < 16;
       at = text.find(kBegin, at + 1)) {
    const std::string_view line = text.substr(at, std::min<std::size_t>(64, text.find('\n', at) - at));
    const std::size_t title = line.find("PRIVATE KEY");
    if (title == std::string_view::npos) continue;
    // Written over lines or, in a text inside JSON, with \n between them.
    const std::string_view body = text.substr(at + title, 400);
    const auto letters = std::ranges::count_if(body, alnum);
    if (letters >= 100 && random_looking(body.substr(std::min<std::size_t>(body.size(), 24))))
      out.push_back({"a private key", at});
  }
}

}  // namespace

std::vector<HiddenText> hidden_text(std::string_view text) {
  std::vector<HiddenText> out;
  const auto add = [&](HiddenText::Kind kind, std::size_t begin, std::size_t end) {
    if (std::ranges::find(out, kind, &HiddenText::kind) == out.end()) out.push_back({kind, begin, end});
  };
  std::size_t run = 0;
  std::size_t run_at = 0;
  bool flag = false;  // after U+1F3F4, tag characters spell a region
  for (std::size_t at = 0; at < text.size();) {
    if (const auto byte = static_cast<unsigned char>(text[at]); byte >= 0x20 && byte < 0x7F) {
      run = 0;
      flag = false;
      ++at;
      continue;
    }
    const auto [code, length] = decode(text.substr(at));
    const std::size_t next = at + std::max<std::size_t>(length, 1);
    if (length > 0) {
      if (tag(code) && !flag) add(HiddenText::Kind::smuggled, at, next);
      if (bidi(code)) add(HiddenText::Kind::bidi, at, next);
      if (invisible(code)) add(HiddenText::Kind::invisible, at, next);
      if (joins(code) && !flag) {
        if (run++ == 0) run_at = at;
        if (run >= kRun) add(HiddenText::Kind::smuggled, run_at, next);
      } else {
        run = 0;
      }
      if (code == 0x1F3F4) flag = true;
      if (code == 0xE007F || !tag(code)) flag = code == 0x1F3F4;
    }
    at = next;
  }
  return out;
}

std::vector<Credential> credentials(std::string_view text) {
  std::vector<Credential> out;
  private_keys(text, out);
  for (const Token& kind : kTokens) {
    for (std::size_t at = text.find(kind.prefix); at != std::string_view::npos && out.size() < 16;
         at = text.find(kind.prefix, at + 1)) {
      if (at > 0 && (alnum(text[at - 1]) || text[at - 1] == '_' || text[at - 1] == '-')) continue;
      const std::string_view rest = text.substr(at + kind.prefix.size());
      const auto end =
          std::ranges::find_if(rest, [&](char c) { return !alnum(c) && kind.also.find(c) == std::string_view::npos; });
      const std::string_view token = rest.substr(0, static_cast<std::size_t>(end - rest.begin()));
      if (token.size() >= kind.least && token.size() <= kind.most && random_looking(token))
        out.push_back({kind.what, at});
    }
  }
  return out;
}

void check_text(std::string_view text, u64 offset, std::string_view where, Reporter& report) {
  for (const HiddenText& hidden : hidden_text(text)) {
    const std::string_view rule = hidden.kind == HiddenText::Kind::smuggled ? "TXT001"
                                  : hidden.kind == HiddenText::Kind::bidi   ? "TXT002"
                                                                            : "TXT003";
    const std::size_t from = hidden.begin >= 16 ? hidden.begin - 16 : 0;
    report.add(rule, Range{offset + hidden.begin, offset + hidden.end},
               json::Value().set("where", where).set("text", text::to_value(text::display(text.substr(from, 48)))));
  }
  // No bytes of it: a report must not pass it on.
  for (const Credential& found : credentials(text))
    report.add("SEC001", Range{offset + found.begin, offset + found.begin},
               json::Value().set("where", where).set("what", found.what));
}

std::string checked_text(Item& item, u64 most) {
  const auto broken = check_whole_text(item);
  Coverage& coverage = item.coverage();
  coverage.examined = broken.value_or(std::min(item.size(), most));
  if (coverage.examined < item.size())
    coverage.gaps.push_back({{coverage.examined, item.size()}, "more of it than is read"});
  return read_text(item.source(), most);
}

std::optional<u64> check_whole_text(Item& item) {
  const Source& source = item.source();
  std::string window;
  bool first = true;
  for (u64 at = 0; at < source.size();) {
    window.resize(static_cast<std::size_t>(std::min<u64>(kWindow, source.size() - at)));
    window.resize(source.read(at, std::as_writable_bytes(std::span(window))));
    if (window.empty()) return at;
    const bool last = at + window.size() >= source.size();
    std::size_t end = window.size();
    // A character may begin in this window and end in the next.
    if (!last) {
      while (end > 0 && (static_cast<unsigned char>(window[end - 1]) & 0xC0) == 0x80) --end;
      if (end > 0 && static_cast<unsigned char>(window[end - 1]) >= 0xC0) --end;
    }
    const std::string_view text = std::string_view(window).substr(0, end);
    if (!text::valid_utf8(text) || text.find('\0') != std::string_view::npos) {
      for (std::size_t i = 0; i < text.size();) {
        const std::size_t length = decode(text.substr(i)).length;
        if (length == 0 || text[i] == '\0') return at + i;
        i += length;
      }
      return at;
    }
    std::string_view checked = text;
    if (first && checked.starts_with("\xEF\xBB\xBF")) checked.remove_prefix(3);  // a byte order mark
    check_text(checked, at + (text.size() - checked.size()), text::display(item.name(), 80), item.report());
    if (last) break;
    first = false;
    at += end > kOverlap ? end - kOverlap : end;
    // The overlap begins with a whole character.
    std::array<std::byte, 1> lead{};
    while (source.read(at, lead) == 1 && (std::to_integer<u8>(lead[0]) & 0xC0) == 0x80) ++at;
  }
  return std::nullopt;
}

std::string read_text(const Source& source, u64 most) {
  std::string content(static_cast<std::size_t>(std::min(source.size(), most)), '\0');
  content.resize(source.read(0, std::as_writable_bytes(std::span(content))));
  return content;
}

bool looks_like_text(std::string_view head) {
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  if (head.empty()) return false;
  for (std::size_t at = 0; at < head.size();) {
    const auto byte = static_cast<unsigned char>(head[at]);
    const bool control = byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r' && byte != '\f' && byte != 0x1B;
    if (control || byte == 0x7F) return false;
    const std::size_t length = decode(head.substr(at)).length;
    if (length == 0) return head.size() - at < 4 && at > 0 && byte >= 0xC2;
    at += length;
  }
  return true;
}

}  // namespace steelyard::formats
