#include "bench/import.hpp"

#include <gtest/gtest.h>

namespace steelyard::bench {
namespace {

constexpr const char* kResults = R"({
  "results": {
    "arc_easy": {"alias": "arc_easy", "acc,none": 0.58, "acc_stderr,none": 0.01, "acc_norm,none": 0.55, "acc_norm_stderr,none": 0.01},
    "gsm8k": {"alias": "gsm8k", "exact_match,strict-match": 0.01, "exact_match_stderr,strict-match": "N/A", "exact_match,flexible-extract": 0.02, "exact_match_stderr,flexible-extract": 0.004},
    "wikitext": {"alias": "wikitext", "word_perplexity,none": 30.1, "bits_per_byte,none": 0.9, "bits_per_byte_stderr,none": "N/A"}
  },
  "configs": {"arc_easy": {}},
  "n-shot": {"arc_easy": 0, "gsm8k": 5},
  "n-samples": {"arc_easy": {"original": 2376, "effective": 2376}, "gsm8k": {"original": 1319, "effective": 100}, "wikitext": {"original": 62, "effective": 62}},
  "higher_is_better": {"arc_easy": {"acc": true, "acc_norm": true}, "wikitext": {"bits_per_byte": false}},
  "config": {"model": "hf", "model_sha": "abc123", "limit": NaN},
  "model_name": "org/model", "lm_eval_version": "0.4.9"
})";

Result<evidence::Record> import(std::string_view text) {
  return import_scores(text, {"weights", "m.gguf", std::string(64, '1'), 7});
}

TEST(Import, ScoresOfTheHarness) {
  const auto record = import(kResults);
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(record->kind, "scores");
  const Fact* model = record->found.fact("scores.model");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->assurance, Assurance::claimed);
  EXPECT_EQ(model->value["name"].string(), "org/model");
  EXPECT_EQ(model->value["revision"].string(), "abc123");
  const auto& found = record->found.measurements;
  ASSERT_EQ(found.size(), 4U) << "a perplexity is no share";
  EXPECT_EQ(found[0].metric, "quality");
  EXPECT_EQ(found[0].value, "0.58");
  EXPECT_EQ(found[0].interval, (std::vector<std::string>{"0.5604", "0.5996"}));
  EXPECT_EQ(found[1].metric, "quality_per_byte");
  EXPECT_EQ(found[2].slice["filter"].string(), "strict-match");
  EXPECT_EQ(found[2].slice["items"].string(), "a part");
  EXPECT_EQ(found[2].slice["shots"].string(), "5");
  EXPECT_EQ(found[2].interval_method, "wilson") << "without a standard error the number of samples serves";
  EXPECT_EQ(found[3].metric, "score") << "a task has one quality";
  EXPECT_TRUE(evidence::decode(evidence::encode(*record)));
}

TEST(Import, WhatIsNoResultsFile) {
  for (const char* text : {"", "[]", "{}", "{\"results\": {}}", "{\"results\": {}, \"configs\": {}}",
                           R"({"results": {"a": {"acc,none": 0.5}}, "configs": {}})",
                           R"({"results": {"a": {"acc,none": 1.5, "acc_stderr,none": 0.1}}, "configs": {}})",
                           R"({"results": {"a": {"acc,none": NaN, "acc_stderr,none": 0.1}}, "configs": {}})"})
    EXPECT_FALSE(import(text)) << text;
}

}  // namespace
}  // namespace steelyard::bench
