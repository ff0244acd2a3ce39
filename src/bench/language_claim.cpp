// Whether a model knows the languages that it is said to know.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/embedded.hpp"
#include "base/text.hpp"
#include "bench/claims.hpp"
#include "wire/toml.hpp"

namespace steelyard::bench {
namespace {

constexpr std::size_t kOthers = 3;
constexpr double kHalf = 0.5;
constexpr std::size_t kMostLanguages = 16;

struct Sentence {
  std::string begin, end;
};
using Sentences = std::vector<Sentence>;

// By code and by English name.
Result<std::map<std::string, Sentences>> sentences() {
  SY_TRY(const auto document,
         toml::Document::parse(std::string(embedded::find("probes/languages.toml")), "languages.toml"));
  toml::Table root(*document, document->root(), "languages");
  std::map<std::string, Sentences> out;
  for (toml::Table& table : root.tables("language")) {
    Sentences list;
    for (const std::string& text : table.texts("sentences")) {
      const std::size_t bar = text.find('|');
      if (bar == std::string::npos || bar == 0) continue;
      const bool space = text[bar - 1] == ' ';
      const std::size_t end = text.find_first_not_of(' ', bar + 1);
      list.push_back({text.substr(0, bar - (space ? 1 : 0)), (space ? " " : "") + text.substr(end)});
    }
    out[table.required_text("code")] = list;
    out[table.required_text("name")] = std::move(list);
    table.finish();
  }
  SY_CHECK(document->check());
  return out;
}

// The same words or, where there are no spaces, characters, from the last to the first by turns with those between.
std::string disordered(const std::string& text) {
  std::vector<std::string> parts;
  const bool spaced = std::ranges::count(text, ' ') > 2;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = spaced ? text[i] == ' ' : (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U;
    if (begins || parts.empty()) parts.emplace_back();
    parts.back() += text[i];
  }
  std::string out;
  for (std::size_t step : {1U, 0U}) {
    for (std::size_t i = parts.size(); i-- > 0;) {
      if (i % 2 == step) out += parts[i];
    }
  }
  return out;
}

Result<std::vector<double>> likelihoods(engine::Pool& pool, const std::string& prefix,
                                        const std::vector<std::string>& ends) {
  engine::Score request;
  SY_TRY(request.prefix, pool.first().tokenize({.text = prefix, .special = true, .parse = false}));
  for (const std::string& end : ends) {
    SY_TRY(engine::Tokens tokens, pool.first().tokenize({.text = end, .special = false, .parse = false}));
    request.continuations.push_back({.tokens = std::move(tokens)});
  }
  SY_TRY(const auto scores, pool.score(request));
  std::vector<double> out;
  for (const auto& score : scores) {
    double sum = 0;
    for (const float value : score.logprobs) sum += static_cast<double>(value);
    out.push_back(sum);
  }
  return out;
}

// How many sentences are ended by their own end rather than by those of others or by its words in disorder.
Result<u64> understood(engine::Pool& pool, const Sentences& all) {
  std::vector<std::string> ends;
  for (const Sentence& one : all) ends.push_back(one.end);
  // An ending that is likely anywhere says nothing about the beginning.
  SY_TRY(const auto anywhere, likelihoods(pool, "\n", ends));
  u64 right = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<std::string> candidates = {all[i].end, disordered(all[i].end)};
    std::vector<std::size_t> others;
    for (std::size_t k = 1; k <= kOthers; ++k) {
      others.push_back((i + k * 3) % all.size());
      candidates.push_back(ends[others.back()]);
    }
    SY_TRY(const auto here, likelihoods(pool, all[i].begin, candidates));
    bool best = here[0] > here[1];
    for (std::size_t k = 0; k < others.size(); ++k)
      best = best && here[0] - anywhere[i] > here[k + 2] - anywhere[others[k]];
    right += best ? 1U : 0U;
  }
  return right;
}

}  // namespace

Result<Found> probe_languages(engine::Pool& pool, const std::vector<std::string>& languages) {
  if (languages.empty()) return Found{"undetermined", "no language is claimed"};
  SY_TRY(const auto known, sentences());
  std::vector<std::string> refuted, open, confirmed;
  for (const std::string& name : languages) {
    const std::string shown = text::display(name, 20);
    const auto found = known.find(text::lower(name));
    if (found == known.end() || refuted.size() + open.size() + confirmed.size() >= kMostLanguages) {
      open.push_back(shown + " (no probe)");
      continue;
    }
    SY_TRY(const u64 right, understood(pool, found->second));
    const u64 n = found->second.size();
    const Found one = decided(right, n, kHalf, "sentences");
    auto& list = one.state == "confirmed" ? confirmed : one.state == "refuted" ? refuted : open;
    list.push_back(fmt::format("{} ({} of {})", shown, right, n));
  }
  std::vector<std::string> parts;
  for (const auto& [list, what] : {std::pair(&refuted, "not known"), {&open, "undecided"}, {&confirmed, "known"}}) {
    if (!list->empty()) parts.push_back(fmt::format("{}: {}", what, fmt::join(*list, ", ")));
  }
  return Found{!refuted.empty() ? "refuted"
               : !open.empty()  ? "undetermined"
                                : "confirmed",
               fmt::format("sentences ended rightly; {}", fmt::join(parts, "; "))};
}

}  // namespace steelyard::bench
