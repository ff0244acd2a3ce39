#include "evidence/record.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/sha256.hpp"
#include "evidence/history.hpp"
#include "evidence/store.hpp"
#include "io/file.hpp"

namespace steelyard::evidence {
namespace {

Record sample() {
  Record record;
  record.kind = "scan";
  record.subjects.push_back({"file", "model.gguf", sha256("x"), 100});
  record.method = {.tool = "0.1.0", .analyzer = 1, .rules = "sha256:r", .engine = {}, .seed = {}, .uses = {}};
  record.found.artifacts.push_back({std::nullopt, 0, "model.gguf", "gguf", {0, 100}, {}, 100});
  record.found.facts.push_back({"model.parameters", u64{134515008}, 0, Range{0, 8}, Assurance::verified});
  record.found.findings.push_back({"GGF001", Severity::high, 0, Range{8, 12}, json::Value().set("n", 3)});
  record.found.coverage.push_back({0, 100, 90, {{{90, 100}, "trailing bytes"}}});
  record.found.measurements.push_back(
      {"speed", json::Object{}, "12.5", "tok/s", 5, {"12", "13"}, "0.95", "bootstrap", json::Object{}});
  record.run = {"2026-11-24T10:12:28Z", 12, {"seccomp"}, "hashed"};
  return record;
}

TEST(Record, RoundTrip) {
  const auto decoded = decode(encode(sample()));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(json::canonical(encode(*decoded)), json::canonical(encode(sample())));
}

TEST(Record, RunIsNotHashed) {
  Record later = sample();
  later.run.at = "2030-01-01T00:00:00Z";
  EXPECT_EQ(id(later), id(sample()));
  later.found.facts[0].value = 1;
  EXPECT_NE(id(later), id(sample()));
}

TEST(Record, CacheKeyNeedsEveryDigest) {
  Record record = sample();
  EXPECT_EQ(cache_key(record).size(), 64u);
  record.subjects[0].sha256.clear();
  EXPECT_EQ(cache_key(record), "");
}

// Every edit of an encoded record must be refused, because the id no longer fits or a type is wrong.
TEST(Record, EditsAreRefused) {
  const std::string text = json::compact(encode(sample()));
  const auto edited = [&](const std::string& from, const std::string& to) {
    std::string copy = text;
    const auto at = copy.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    copy.replace(at, from.size(), to);
    return decode(*json::parse(copy, {.duplicates = true}));
  };
  EXPECT_FALSE(edited("134515008", "134515009"));
  EXPECT_FALSE(edited("\"high\"", "\"low\""));
  EXPECT_FALSE(edited("\"high\"", "\"dreadful\""));
  EXPECT_FALSE(edited("steelyard/evidence/1", "steelyard/evidence/2"));
  EXPECT_FALSE(edited("\"examined\":90", "\"examined\":101"));
  EXPECT_FALSE(edited("\"artifact\":0", "\"artifact\":7"));
  EXPECT_FALSE(edited("\"kind\":\"scan\"", "\"kind\":\"scan\",\"extra\":1"));
}

class StoreTest : public testing::Test {
 protected:
  std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) / ("store-" + std::to_string(::getpid()));
  void TearDown() override { std::filesystem::remove_all(folder_); }
  static constexpr i64 kMade = 1795515148;
};

TEST_F(StoreTest, FindsTheSameInputWithinItsAge) {
  const Store store(folder_);
  ASSERT_TRUE(store.put(sample()));
  const std::string key = cache_key(sample());
  EXPECT_TRUE(store.find(key, kMade + 10, 60));
  EXPECT_FALSE(store.find(key, kMade + 100, 60)) << "too old";
  EXPECT_FALSE(store.find(key, kMade - 100, 60)) << "from the future";
  EXPECT_TRUE(store.get(id(sample())));
  EXPECT_FALSE(store.get("ev1:../../etc/passwd"));
}

TEST_F(StoreTest, PartialRecordsAreKeptButNotReused) {
  const Store store(folder_);
  Record record = sample();
  record.status = Status::partial;
  record.found.complete = false;
  ASSERT_TRUE(store.put(record));
  EXPECT_TRUE(store.get(id(record)));
  EXPECT_FALSE(store.find(cache_key(record), kMade + 1, 60));
}

TEST_F(StoreTest, TamperedRecordsAreAbsent) {
  const Store store(folder_);
  ASSERT_TRUE(store.put(sample()));
  const auto path = folder_ / "records" / (id(sample()).substr(4) + ".json");
  std::string text = *io::read_text(path);
  text.replace(text.find("\"high\""), 6, "\"info\"");
  ASSERT_TRUE(io::write_atomically(path, text));
  EXPECT_FALSE(store.find(cache_key(sample()), kMade + 1, 60));
}

json::Value verdict_of(const Record& record, const std::string& context, i64 now) {
  json::Value records = json::Array{};
  records.push(encode(record));
  return json::Value()
      .set("schema", "steelyard/verdict/1")
      .set("verdict", json::Value().set("context", context).set("profile", "business"))
      .set("inputs", json::Value().set("records", records).set("now", now));
}

TEST_F(StoreTest, HistoryKeepsTheNewestVerdictOfEachUse) {
  const History history(folder_);
  EXPECT_TRUE(history.all().empty());
  ASSERT_TRUE(history.put(verdict_of(sample(), "mail", 1)).value_or(false));
  ASSERT_TRUE(history.put(verdict_of(sample(), "chat", 2)).value_or(false));
  ASSERT_TRUE(history.put(verdict_of(sample(), "mail", 3)).value_or(false));
  const auto all = history.all();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]["inputs"]["now"].integer(), 3);
  EXPECT_EQ(all[1]["verdict"]["context"].string(), "chat");
  Record unhashed = sample();
  unhashed.subjects[0].sha256.clear();
  EXPECT_FALSE(history.put(verdict_of(unhashed, "mail", 4)).value_or(true));
}

}  // namespace
}  // namespace steelyard::evidence
