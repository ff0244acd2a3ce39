// Claims about a model, and the probes that put them to the test: each can be refuted.
//
//   template   its answers end by themselves
//   json       asked for JSON, it answers in JSON
//   tools      asked to call a tool, it makes the call
//   languages  of each language that is named, the ending that belongs to a sentence is likelier than those of others
//              and than its own words in another order
//   context    facts that lie all over a text as long as is claimed are found again, as they are in a short one
//
// What is claimed comes from the model's own metadata and is hostile: names of languages are only looked up. Sentences:
// data/probes/languages.toml. Tested by tests/unit/claims_test.cpp (a model that can and one that can't, each) and
// tests/cli/bench_test.py.
#pragma once

#include <span>

#include "core/examination.hpp"
#include "engine/pool.hpp"

namespace steelyard::bench {

struct Claim {
  std::string name;
  std::vector<std::string> languages = {};  // ISO 639-1 codes or English names
  u32 context = 0;                          // tokens
};

std::span<const std::string_view> known_claims();

struct Found {
  std::string_view state;  // "confirmed", "refuted", "undetermined"
  std::string why;
};

// By share of right answers with Wilson's interval: at least `enough` surely, or surely not.
Found decided(u64 right, u64 n, double enough, std::string_view what);
Result<Found> probe_languages(engine::Pool& pool, const std::vector<std::string>& languages);
Result<Found> probe_tools(engine::Pool& pool);
// The engine holds `tokens` tokens. `claimed`: how many there should be.
Result<Found> probe_context(engine::Engine& engine, u32 tokens, u32 claimed, const engine::Listener& listener);

// "claim.<name>" = {"state", "why"}. `options`: of further engines, for a context of the length that is claimed.
Result<Fact> test_claim(engine::Pool& pool, const engine::Options& options, const Claim& claim,
                        const engine::Listener& listener);

}  // namespace steelyard::bench
