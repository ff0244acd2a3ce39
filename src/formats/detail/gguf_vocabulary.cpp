#include "formats/detail/gguf_vocabulary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>

#include "base/text.hpp"

namespace steelyard::formats {
namespace {

constexpr u32 kString = 8;
constexpr u32 kFloat32 = 6;
constexpr u32 kInt32 = 5;
constexpr u32 kUint32 = 4;
constexpr u64 kLongestToken = 4096;  // real vocabularies have runs of spaces of a few hundred bytes
constexpr std::size_t kShown = 64;
enum TokenType : i64 { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

json::Value shown(std::string_view token) {
  return text::to_value(text::valid_utf8(token) ? text::prefix(token, kShown) : std::string(token.substr(0, kShown)));
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool only_letters(std::string_view token) { return token.size() >= 2 && std::ranges::all_of(token, is_letter); }

// Letters of an alphabet whose letters look like Latin ones: Greek and Cyrillic.
bool looks_latin(std::string_view token) {
  for (std::size_t i = 0; i + 1 < token.size(); ++i) {
    const auto first = static_cast<u8>(token[i]);
    if (first >= 0xCD && first <= 0xD4 && (static_cast<u8>(token[i + 1]) & 0xC0) == 0x80) return true;
  }
  return false;
}

// "<0x0A>" as SentencePiece and llama.cpp write bytes.
std::optional<u32> byte_value(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  u32 value = 0;
  for (const char c : token.substr(3, 2)) {
    const std::size_t digit = std::string_view("0123456789ABCDEF").find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value * 16 + static_cast<u32>(digit);
  }
  return value;
}

// Blanks between letters; markers join their words otherwise.
std::size_t blanks(std::string_view token) {
  std::size_t count = 0;
  for (std::size_t i = 1; i + 1 < token.size(); ++i) {
    if (token[i] == ' ' && token[i - 1] != ' ' && is_letter(token[i + 1])) ++count;
  }
  return count;
}

class Check {
 public:
  Check(const GgufVocabulary& vocabulary, Item& item) : vocabulary_(vocabulary), item_(item), report_(item.report()) {}

  void run() {
    const GgufArray* tokens = array("tokens");
    for (const auto& [which, id] : vocabulary_.ids) {
      const u64 count = tokens != nullptr ? tokens->length : 0;
      if (tokens != nullptr && (id.first < 0 || static_cast<u64>(id.first) >= count))
        report_.add("GGF030", id.second, json::Value().set("which", which).set("id", id.first).set("count", count));
    }
    if (tokens == nullptr || tokens->type != kString) return;
    for (const char* name : {"token_type", "scores"}) {
      const GgufArray* other = array(name);
      if (other != nullptr && other->length != tokens->length)
        report_.add("GGF031", other->at,
                    json::Value().set("what", name).set("have", other->length).set("count", tokens->length));
    }
    scores();
    merges();
    trie();
    walk(*tokens);
  }

 private:
  const GgufArray* array(std::string_view name) const {
    const auto found = vocabulary_.arrays.find(name);
    return found == vocabulary_.arrays.end() ? nullptr : &found->second;
  }
  Cursor at(const GgufArray& array) const { return {item_.source(), array.at.begin, array.at.end, vocabulary_.order}; }
  u64 length(Cursor& in) const { return vocabulary_.narrow ? in.read<u32>("length") : in.read<u64>("length"); }

  void scores() {
    const GgufArray* scores = array("scores");
    if (scores == nullptr || scores->type != kFloat32) return;
    Cursor in = at(*scores);
    for (u64 i = 0; i < scores->length && in.ok(); ++i) {
      if (!std::isfinite(in.read<float>("score"))) {
        report_.add("GGF032", Range{in.offset() - 4, in.offset()},
                    json::Value().set("what", fmt::format("the score of token {}", i)).set("why", "it is no number"));
        return;
      }
    }
  }

  void merges() {
    const GgufArray* merges = array("merges");
    if (merges == nullptr || merges->type != kString) return;
    Cursor in = at(*merges);
    for (u64 i = 0; i < merges->length && in.ok(); ++i) {
      const u64 begin = in.offset();
      const u64 size = length(in);
      const std::string merge = size <= kLongestToken ? in.text(size, kLongestToken, "merge") : "";
      // llama.cpp cuts at the first space behind the first character.
      if (in.ok() && merge.find(' ', 1) == std::string::npos) {
        report_.add("GGF032", Range{begin, in.offset()},
                    json::Value().set("what", fmt::format("merge {}", i)).set("why", "it doesn't name two tokens"));
        return;
      }
    }
  }

  // SentencePiece's normaliser: a u32 with the size of a trie, the trie, then its texts.
  void trie() {
    const GgufArray* map = array("precompiled_charsmap");
    if (map == nullptr || map->length == 0) return;
    Cursor in = at(*map);
    const u32 size = in.read<u32>("trie size");
    if (map->length < 4 || size > map->length - 4 || size % 4 != 0)
      report_.add("GGF032", Range{map->at.begin, std::min(map->at.end, map->at.begin + 4)},
                  json::Value()
                      .set("what", "precompiled_charsmap")
                      .set("why", fmt::format("its trie has {} of {} bytes", size, map->length)));
  }

  void walk(const GgufArray& tokens) {
    const GgufArray* types = array("token_type");
    const bool typed =
        types != nullptr && (types->type == kInt32 || types->type == kUint32) && types->length == tokens.length;
    Cursor in = at(tokens);
    Cursor type_in = typed ? at(*types) : Cursor(item_.source(), 0, 0);
    std::unordered_set<std::size_t> seen;
    seen.reserve(static_cast<std::size_t>(std::min<u64>(tokens.length, 1 << 20)));
    std::optional<u32> last_byte;
    for (u64 i = 0; i < tokens.length && in.ok(); ++i) {
      const u64 begin = in.offset();
      const u64 size = length(in);
      const i64 type = typed ? type_in.read<std::int32_t>("type") : i64{kNormal};
      if (size > kLongestToken) {
        in.skip(size, "token");
        if (in.ok())
          report_.add("GGF033", Range{begin, in.offset()},
                      json::Value()
                          .set("token", i)
                          .set("text", "")
                          .set("why", fmt::format("it has {} bytes", size))
                          .set("bytes", size));
        continue;
      }
      const std::string token = in.text(size, kLongestToken, "token");
      if (!in.ok()) return;
      const Range at{begin, in.offset()};
      if (!seen.insert(std::hash<std::string>()(token)).second && !token.empty())
        report_.add("GGF034", at, json::Value().set("token", i).set("text", shown(token)));
      if (type == kByte) byte_token(i, token, at, last_byte);
      if (type == kControl || type == kUserDefined) special_token(i, token, type, at);
      named(i, token, type, typed, at);
    }
  }

  void byte_token(u64 i, const std::string& token, Range at, std::optional<u32>& last) {
    const auto value = byte_value(token);
    if (!value)
      report_.add("GGF035", at, json::Value().set("token", i).set("text", shown(token)).set("why", "it names no byte"));
    else if (last && *value != *last + 1)
      report_.add(
          "GGF035", at,
          json::Value().set("token", i).set("text", shown(token)).set("why", "the bytes are not in their order"));
    if (value) last = value;
  }

  void special_token(u64 i, const std::string& token, i64 type, Range at) {
    std::string why;
    if (text::has_hidden(token)) {
      // Runs of blanks and line breaks are tokens of their own in real vocabularies.
      if (token.find_first_not_of(" \t\n\r\v\f") != std::string::npos) why = "it has characters that nobody sees";
    } else if (looks_latin(token) && std::ranges::any_of(token, is_letter)) {
      why = "it mixes alphabets that look alike";
    } else if (token.contains("://") || blanks(token) >= 3) {
      why = "it holds a message";
    } else if (type == kControl && only_letters(token)) {
      why = "it is a word that its type hides from the output";
    }
    if (!why.empty())
      report_.add("GGF033", at, json::Value().set("token", i).set("text", shown(token)).set("why", std::move(why)));
  }

  // What bos, eos, eot… point to.
  void named(u64 i, const std::string& token, i64 type, bool typed, Range at) {
    for (const auto& [which, id] : vocabulary_.ids) {
      if (id.first < 0 || static_cast<u64>(id.first) != i) continue;
      const bool marked = token.find_first_of("<>[]{}|_") != std::string::npos || token.contains("\xEF\xBD\x9C");
      const bool ordinary = !marked && (type == kNormal || type == kByte) && typed && !token.empty();
      const bool ends = which == "eos" || which == "eot" || which == "eom";
      const std::string lower = text::lower(token);
      const bool begins = lower.contains("start") || lower.contains("begin") || lower.contains("header");
      if (ordinary && which != "padding" && which != "unknown" && which != "newline") {
        report_.add(
            "GGF036", at,
            json::Value().set("which", which).set("id", i).set("text", shown(token)).set("why", "an ordinary text"));
      } else if (ends && begins) {
        report_.add("GGF036", at,
                    json::Value()
                        .set("which", which)
                        .set("id", i)
                        .set("text", shown(token))
                        .set("why", "a token that opens a turn"));
      }
    }
  }

  const GgufVocabulary& vocabulary_;
  Item& item_;
  Reporter& report_;
};

}  // namespace

void check_vocabulary(const GgufVocabulary& vocabulary, Item& item) { Check(vocabulary, item).run(); }

}  // namespace steelyard::formats
