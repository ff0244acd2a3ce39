// tokenizer.json of the tokenizers library: vocabulary, merges, added tokens, and the programs around them.
//
// Spec: tokenizers' serialisation. Attacks resisted: words that are replaced on the way in or out, tokens that
// stand for another's number (remapping), tokens put in front of every prompt. Walked, never kept: of the
// vocabulary there remain 12 bytes a token, so that a file of any size fits the worker's memory.
// Tested by data/rules/TOK/, tests/unit/tokenizer_test.cpp; fuzzed.

#include <algorithm>
#include <map>
#include <optional>

#include "base/text.hpp"
#include "formats/detail/document.hpp"
#include "formats/detail/special_tokens.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/detail/token_mapping.hpp"
#include "formats/detail/token_programs.hpp"
#include "formats/format.hpp"
#include "wire/json_pull.hpp"

namespace steelyard::formats {
namespace {

using Token = wire::JsonPull::Token;

constexpr std::size_t kMostAdded = 50'000;
constexpr std::size_t kMostTokens = 2'000'000;
constexpr u64 kShortest = 16;  // tokens that a truncation may leave

class Tokenizer {
 public:
  explicit Tokenizer(Item& item) : item_(item), report_(item.report()) {}

  void run() {
    programs();
    walk([&](wire::JsonPull& pull, std::string_view key, Token token) {
      if (key == "added_tokens" && token == Token::array) return added(pull), true;
      return false;
    });
    walk([&](wire::JsonPull& pull, std::string_view key, Token token) {
      if (key == "model" && token == Token::object) return model(pull, false), true;
      return false;
    });
    std::ranges::sort(ids_);
    moved_words();
    walk([&](wire::JsonPull& pull, std::string_view key, Token token) {
      if (key == "model" && token == Token::object) return model(pull, true), true;
      return false;
    });
    results();
  }

 private:
  void programs() {
    const DocumentReader reader{.wanted = [](std::string_view key) {
      return key == "truncation" || key == "normalizer" || key == "pre_tokenizer" || key == "post_processor" ||
             key == "decoder";
    }};
    const Document document = reader.json(item_.source());
    for (const Field& field : document.fields) {
      if (field.path != field.key) continue;
      if (field.key == "truncation") {
        const auto length = field.value["max_length"].unsigned_integer();
        if (length && *length < kShortest) report_.add("TOK007", field.at, json::Value().set("length", *length));
      } else {
        check_program(field.key, field.value, field.at, report_);
      }
    }
    for (const auto& [key, at] : document.duplicates)
      report_.add("CFG002", at, json::Value().set("key", text::to_value(key)));
    Coverage& coverage = item_.coverage();
    coverage.examined = document.fault.empty() ? item_.size() : std::min(document.read, item_.size());
    if (!document.fault.empty()) {
      report_.add("TOK001", Range{coverage.examined, coverage.examined}, json::Value().set("fault", document.fault));
      coverage.gaps.push_back({{coverage.examined, item_.size()}, "the document is broken there"});
    } else if (document.cut) {
      report_.add("LIM006", std::nullopt,
                  json::Value().set("budget", "number of settings").set("name", text::display(item_.name(), 80)));
      coverage.gaps.push_back({{0, item_.size()}, "more settings than are kept"});
    }
  }

  // Calls `visit` for each member of the outermost object; what it doesn't take is skipped.
  template <class Visit>
  void walk(Visit visit) {
    Cursor in(item_.source());
    wire::JsonPull pull(in, wire::JsonPull::Dialect::python);
    if (pull.next() != Token::object) return;
    while (pull.next() == Token::key) {
      const std::string key = pull.content();
      const Token token = pull.next();
      if (!visit(pull, key, token)) pull.skip(token);
    }
  }

  void added(wire::JsonPull& pull) {
    for (Token token = pull.next(); token == Token::object; token = pull.next()) {
      std::optional<u64> id;
      std::string content;
      const u64 begin = pull.offset();
      while (pull.next() == Token::key) {
        const std::string key = pull.content();
        const Token value = pull.next();
        if (key == "id" && value == Token::number) id = pull.unsigned_integer();
        if (key == "content" && value == Token::text) content = text::prefix(pull.content(), 1024);
        pull.skip(value);
      }
      const Range at{begin, std::max(begin, pull.offset())};
      for (const HiddenText& hidden : hidden_text(content)) {
        if (hidden.kind == HiddenText::Kind::smuggled)
          report_.add("TXT001", at,
                      json::Value().set("where", "an added token").set("text", text::display(content, 80)));
      }
      if (!id) continue;
      if (added_.size() >= kMostAdded) {
        left_out_ = true;
        continue;
      }
      judge_special_token({}, content, at, report_);
      numbers_.add(*id, content);
      const auto [other, fresh] = added_.emplace(*id, content);
      if (!fresh && other->second != content) contradiction(*id, other->second, content, at);
    }
  }

  void contradiction(u64 id, std::string_view one, std::string_view other, Range at) {
    report_.add("TOK003", at,
                json::Value().set("id", id).set("one", text::display(one, 60)).set("other", text::display(other, 60)));
  }

  void model(wire::JsonPull& pull, bool merges) {
    while (pull.next() == Token::key) {
      const std::string key = pull.content();
      const Token token = pull.next();
      if (!merges && key == "vocab" && token == Token::object) {
        vocabulary(pull);
      } else if (!merges && key == "vocab" && token == Token::array) {
        pieces(pull);
      } else if (merges && key == "merges" && token == Token::array) {
        order(pull);
      } else if (!merges && key == "type" && token == Token::text) {
        report_.fact("tokenizer.kind", text::prefix(pull.content(), 64), Range{pull.offset(), pull.offset()},
                     Assurance::claimed);
      } else {
        pull.skip(token);
      }
    }
  }

  void vocabulary(wire::JsonPull& pull) {
    while (pull.next() == Token::key) {
      const std::string token = pull.content();
      const Range at{pull.offset(), pull.offset()};
      const Token value = pull.next();
      const auto id = value == Token::number ? pull.unsigned_integer() : std::nullopt;
      if (!id) {
        pull.skip(value);
        continue;
      }
      entry(token, *id, at);
    }
  }

  // Unigram: [[piece, score], …], numbered by their place.
  void pieces(wire::JsonPull& pull) {
    u64 id = 0;
    for (Token token = pull.next(); token == Token::array; token = pull.next()) {
      const Token first = pull.next();
      const std::string piece = pull.content();
      const Range at{pull.offset(), pull.offset()};
      pull.skip(first);
      for (Token rest = pull.next(); rest != Token::end_array && rest != Token::fault; rest = pull.next())
        pull.skip(rest);
      if (first == Token::text) entry(piece, id, at);
      ++id;
    }
  }

  void entry(const std::string& token, u64 id, Range at) {
    if (const auto known = added_.find(id); known != added_.end() && known->second != text::prefix(token, 1024))
      contradiction(id, known->second, token, at);
    if (id < TokenNumbers::kFirst) numbers_.add(id, token);
    mapping_.add(id, token);
    if (id >= kMostTokens || ids_.size() >= kMostTokens) {
      left_out_ = true;
      return;
    }
    if (id >= used_.size()) used_.resize(std::max<std::size_t>(id + 1, used_.size() * 2), false);
    if (used_[id])
      report_.add("TOK003", at,
                  json::Value().set("id", id).set("one", "another token").set("other", text::display(token, 60)));
    used_[id] = true;
    ids_.emplace_back(token_digest(token), static_cast<u32>(id));
  }

  std::optional<u32> id_of(std::string_view token) const {
    const auto found = std::ranges::lower_bound(ids_, token_digest(token), {}, &std::pair<u64, u32>::first);
    return found != ids_.end() && found->first == token_digest(token) ? std::optional(found->second) : std::nullopt;
  }

  // Words that the vocabulary has, added under the number of another one: some readers take the one, some the
  // other.
  void moved_words() {
    for (const auto& [id, content] : added_) {
      const auto known = id_of(content);
      if (!known || *known == id || id >= used_.size() || !used_[id] || content.size() >= 1024) continue;
      report_.add("TOK010", std::nullopt,
                  json::Value().set("token", text::display(content, 60)).set("id", id).set("other", u64{*known}));
    }
  }

  // Trainers number tokens in the order of their merges: of 14 vocabularies that llama.cpp ships, 13 have
  // no exception and one has 465. Where a few tokens are out of order, they have changed places.
  void order(wire::JsonPull& pull) {
    std::optional<u32> before;
    for (Token token = pull.next(); token != Token::end_array && token != Token::fault; token = pull.next()) {
      std::string merged;
      const Range at{pull.offset(), pull.offset()};
      if (token == Token::text) {
        merged = pull.content();
        // "a b": the space that separates is the first one behind the first character.
        const std::size_t space = merged.find(' ', 1);
        if (space != std::string::npos) merged.erase(space, 1);
      } else if (token == Token::array) {
        for (Token part = pull.next(); part != Token::end_array && part != Token::fault; part = pull.next()) {
          if (part == Token::text) merged += pull.content();
          pull.skip(part);
        }
      } else {
        pull.skip(token);
      }
      const auto id = id_of(merged);
      if (!id) continue;
      ++merges_;
      if (before && *id < *before) {
        ++descents_;
        if (moved_.size() < 4) moved_.push_back({text::display(merged, 40), at});
      }
      before = id;
    }
  }

  void results() {
    report_.fact("tokenizer.tokens", mapping_.tokens(), std::nullopt, Assurance::verified);
    if (!added_.empty()) report_.fact("tokenizer.added", u64{added_.size()}, std::nullopt, Assurance::verified);
    if (merges_ > 0) report_.fact("tokenizer.merges", merges_, std::nullopt, Assurance::verified);
    mapping_.report(report_);
    numbers_.report(report_);
    constexpr u64 kEnough = 1000;
    constexpr u64 kFew = 64;
    if (merges_ >= kEnough && descents_ > 0 && descents_ <= kFew) {
      std::string tokens;
      for (const auto& [token, at] : moved_) tokens += (tokens.empty() ? "" : ", ") + token;
      report_.add("TOK004", moved_.front().second, json::Value().set("count", descents_).set("tokens", tokens));
    }
    if (left_out_) {
      report_.add("LIM006", std::nullopt,
                  json::Value().set("budget", "number of tokens").set("name", text::display(item_.name(), 80)));
      item_.coverage().gaps.push_back({{0, item_.size()}, "more tokens than are compared"});
    }
  }

  Item& item_;
  Reporter& report_;
  std::map<u64, std::string> added_;
  std::vector<bool> used_;
  std::vector<std::pair<u64, u32>> ids_;
  std::vector<std::pair<std::string, Range>> moved_;
  u64 merges_ = 0;
  u64 descents_ = 0;
  TokenMapping mapping_;
  TokenNumbers numbers_;
  bool left_out_ = false;
};

void parse(Item& item) { Tokenizer(item).run(); }

int sniff(const Sniff& sniff) {
  const std::string_view head = as_text(sniff.head);
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || head[first] != '{') return 0;
  if (text::lower(sniff.name) == "tokenizer.json") return 70;
  return head.contains("\"added_tokens\"") && head.contains("\"version\"") && head.contains("\"truncation\"") ? 65 : 0;
}

}  // namespace

extern const Format tokenizer_json_format;
const Format tokenizer_json_format{
    "tokenizer_json", "tokenizer (tokenizers library)", "tokenizer.json", "tokenizers serialisation", sniff, parse};

}  // namespace steelyard::formats
