// The verdict: minimal pairs of every kind of requirement (tests/verdict/<kind>.json), the fold, and
// what has to hold of every sentence. A kind without a file of pairs fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/environment.hpp"
#include "base/sha256.hpp"
#include "policy/kind.hpp"
#include "policy/requirements.hpp"

namespace steelyard::policy {
namespace {

using evidence::Record;

// A copy of `value` with the item at a JSON pointer (RFC 6901) replaced, appended ("-") or removed.
json::Value edited(const json::Value& value, std::string_view pointer, const json::Value* put) {
  if (pointer.empty()) return *put;
  const std::size_t slash = std::min(pointer.find('/', 1), pointer.size());
  const std::string key(pointer.substr(1, slash - 1));
  const std::string_view rest = pointer.substr(slash);
  const bool removes = rest.empty() && put == nullptr;
  bool found = key == "-";
  if (value.is_array()) {
    json::Value out = json::Array{};
    for (std::size_t i = 0; i < value.array().size(); ++i) {
      const bool here = key == std::to_string(i);
      found = found || here;
      if (!here || !removes) out.push(here ? edited(value.array()[i], rest, put) : value.array()[i]);
    }
    if (key == "-") out.push(*put);
    EXPECT_TRUE(found) << pointer;
    return out;
  }
  json::Value out = json::Object{};
  for (const auto& [name, item] : value.object()) {
    const bool here = name == key;
    found = found || here;
    if (!here || !removes) out.set(name, here ? edited(item, rest, put) : item);
  }
  if (!found && rest.empty() && put) out.set(key, *put);
  return out;
}

json::Value edited(const json::Value& document, const json::Value& edit) {
  return edited(document, edit["at"].string(), edit["remove"].boolean() ? nullptr : edit.find("to"));
}

json::Value list_of(const json::Value& given, std::string_view key) {
  return given[key].is_array() ? given[key] : json::Array{};
}

// A whole record from the parts that a file of pairs names.
Record record_of(const json::Value& given) {
  json::Value facts = json::Array{};
  for (const json::Value& fact : given["facts"].array())
    facts.push(json::Value()
                   .set("key", fact["key"])
                   .set("value", fact["value"])
                   .set("artifact", nullptr)
                   .set("at", nullptr)
                   .set("assurance", fact["assurance"]));
  json::Value findings = json::Array{};
  for (const json::Value& finding : given["findings"].array())
    findings.push(json::Value()
                      .set("rule", finding["rule"])
                      .set("severity", finding["severity"])
                      .set("artifact", nullptr)
                      .set("at", nullptr)
                      .set("data", finding["data"].is_object() ? finding["data"] : json::Value(json::Object{})));
  const json::Value method = json::Value()
                                 .set("tool", "0.1.0")
                                 .set("analyzer", 1)
                                 .set("rules", nullptr)
                                 .set("engine", given["engine"])
                                 .set("params", json::Object{})
                                 .set("seed", nullptr)
                                 .set("uses", json::Array{});
  const json::Value statement =
      json::Value()
          .set("schema", evidence::kSchema)
          .set("kind", given["kind"])
          .set("subjects", list_of(given, "subjects"))
          .set("method", method)
          .set("artifacts", list_of(given, "artifacts"))
          .set("facts", facts)
          .set("findings", findings)
          .set("measurements", list_of(given, "measurements"))
          .set("coverage", list_of(given, "coverage"))
          .set("status", given["status"].is_null() ? json::Value("complete") : given["status"]);
  const std::string at = given["at"].is_null() ? "2026-11-24T00:00:00Z" : given["at"].string();
  const auto decoded = evidence::decode(
      json::Value()
          .set("id", "ev1:" + sha256(json::canonical(statement)))
          .set("statement", statement)
          .set("run",
               json::Value().set("at", at).set("ms", 0).set("sandbox", json::Array{}).set("digest_source", "hashed")));
  EXPECT_TRUE(decoded) << decoded.error().message;
  return decoded.value_or(Record{});
}

struct World {
  std::vector<Record> records;
  Requirements requirements;
  std::string digest;
  i64 now = 0;
  std::vector<accept::Accepted> accepted;

  Verdict judge(std::span<const Record> some) const {
    return evaluate({some, "context", digest, &requirements, now, accepted});
  }
  Verdict judge() const { return judge(records); }
};

World world_of(const json::Value& document) {
  World world;
  for (const json::Value& given : document["records"].array()) {
    world.records.push_back(record_of(given));
    const auto& findings = given["findings"].array();
    for (std::size_t i = 0; i < findings.size(); ++i) {
      const json::Value& accepted = findings[i]["accepted"];
      if (accepted.is_object())
        world.accepted.push_back({evidence::id(world.records.back()) + "#findings/" + std::to_string(i), "ignore",
                                  accepted["reason"].string(), accepted["until"].string()});
    }
  }
  world.digest = document["digest"].string();
  world.now = parse_time(document["now"].string()).value_or(0);
  const auto requirements =
      decode_requirements(json::Value()
                              .set("schema", "steelyard/require/1")
                              .set("name", "pairs")
                              .set("title", "")
                              .set("require", json::Value().push(json::Value()
                                                                     .set("id", "r")
                                                                     .set("kind", document["kind"])
                                                                     .set("why", "")
                                                                     .set("params", document["params"]))));
  EXPECT_TRUE(requirements) << requirements.error().message;
  if (requirements) world.requirements = *requirements;
  return world;
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

json::Value pairs_of(std::string_view kind) {
  const auto path = std::filesystem::path(STEELYARD_SOURCE_DIR) / "tests/verdict" / (std::string(kind) + ".json");
  const auto parsed = json::parse(read(path));
  EXPECT_TRUE(parsed) << path << ": " << parsed.error().message;
  return parsed.value_or(json::Value());
}

bool exists(const World& world, const std::string& cite) {
  const std::size_t hash = std::min(cite.find('#'), cite.size());
  return std::ranges::any_of(world.records, [&](const Record& record) {
    if (evidence::id(record) != cite.substr(0, hash)) return false;
    if (hash == cite.size()) return true;
    const std::size_t slash = cite.find('/');
    return std::stoul(cite.substr(slash + 1)) <
           evidence::statement(record)[cite.substr(hash + 1, slash - hash - 1)].array().size();
  });
}

// What docs/design.md §1 asks of every sentence, in whatever world.
void check_sentences(const World& world) {
  const Verdict verdict = world.judge();
  for (std::size_t i = 0; i < verdict.rulings.size(); ++i) {
    const Ruling& ruling = verdict.rulings[i];
    EXPECT_FALSE(ruling.because.text.empty());
    EXPECT_EQ(ruling.decide.empty(), ruling.state != State::undetermined) << ruling.because.text;
    EXPECT_FALSE(ruling.state == State::met && ruling.because.cites.empty()) << ruling.because.text;
    for (const std::string& cite : ruling.because.cites) {
      EXPECT_TRUE(exists(world, cite)) << cite;
      std::vector<Record> rest = world.records;
      std::erase_if(rest, [&](const Record& record) { return cite.starts_with(evidence::id(record)); });
      EXPECT_LT(rest.size(), world.records.size());
      EXPECT_NE(world.judge(rest).rulings[i].because.text, ruling.because.text) << "without " << cite;
    }
  }
  World turned = world;
  std::ranges::reverse(turned.records);
  EXPECT_EQ(json::canonical(encode(turned.judge())), json::canonical(encode(verdict)));
  turned.records.insert(turned.records.end(), world.records.begin(), world.records.end());
  EXPECT_EQ(json::canonical(encode(turned.judge())), json::canonical(encode(verdict))) << "copies count once";
  EXPECT_NE(world.judge({}).decision, Decision::fit) << "silence reads as a pass";
}

class Pairs : public testing::TestWithParam<const Kind*> {};

TEST_P(Pairs, OneEditTurnsTheRuling) {
  const json::Value document = pairs_of(GetParam()->name);
  ASSERT_EQ(document["kind"].string(), GetParam()->name);
  EXPECT_EQ(world_of(document).judge().rulings.at(0).state, State::met);
  check_sentences(world_of(document));
  std::set<std::string> transitions;
  for (const json::Value& item : document["cases"].array()) {
    SCOPED_TRACE(item["name"].string());
    json::Value before = document;
    for (const json::Value& edit : item["start"].array()) before = edited(before, edit);
    const World first = world_of(before);
    const World second = world_of(edited(before, item["edit"]));
    EXPECT_EQ(to_string(first.judge().rulings.at(0).state), item["from"].string())
        << first.judge().rulings.at(0).because.text;
    EXPECT_EQ(to_string(second.judge().rulings.at(0).state), item["to"].string())
        << second.judge().rulings.at(0).because.text;
    check_sentences(first);
    check_sentences(second);
    transitions.insert(item["from"].string() + ">" + item["to"].string());
  }
  for (const char* needed : {"met>unmet", "met>undetermined", "unmet>met"})
    EXPECT_TRUE(transitions.contains(needed)) << needed;
}

INSTANTIATE_TEST_SUITE_P(Kinds, Pairs, testing::ValuesIn(kinds().begin(), kinds().end()),
                         [](const auto& parameter) { return std::string(parameter.param->name); });

// A context record with paths and mitigations, under as many no_path requirements as `accepts` has.
World paths(const std::vector<std::vector<std::string>>& accepts, const json::Value& findings) {
  json::Value document = pairs_of("no_path");
  World world = world_of(document);
  json::Value facts = json::Array{};
  for (const char* id : {"confirm:send", "remove_tool:send", "confirm:run", "block:both"}) {
    const std::string text = id;
    facts.push(json::Value()
                   .set("key", "context.mitigation")
                   .set("assurance", "verified")
                   .set("value", json::Value()
                                     .set("id", text)
                                     .set("kind", text.substr(0, text.find(':')))
                                     .set("text", "do " + text)
                                     .set("by", "gateway")
                                     .set("cost", text == "block:both"         ? 3
                                                  : text == "remove_tool:send" ? 5
                                                                               : 2)));
  }
  document = edited(edited(document, "/records/0/facts", &facts), "/records/0/findings", &findings);
  world.records = {record_of(document["records"].array()[0])};
  world.requirements.items.clear();
  for (const auto& accept : accepts) {
    json::Value kinds_accepted = json::Array{};
    for (const auto& kind : accept) kinds_accepted.push(kind);
    world.requirements.items.push_back(
        {"p" + std::to_string(world.requirements.items.size()), "no_path", "",
         json::Value().set("classes", json::Value().push("integrity")).set("accept", kinds_accepted)});
  }
  return world;
}

json::Value path(const char* id, std::initializer_list<const char*> cuts) {
  json::Value names = json::Array{};
  for (const char* cut : cuts) names.push(cut);
  return json::Value()
      .set("rule", "CTX001")
      .set("severity", "high")
      .set("data", json::Value().set("id", id).set("class", "integrity").set("text", "t").set("cuts", names));
}

std::vector<std::string> ids(const std::vector<Mitigation>& mitigations) {
  std::vector<std::string> out;
  for (const Mitigation& mitigation : mitigations) out.push_back(mitigation.id);
  return out;
}

using Ids = std::vector<std::string>;
const json::Value kSend = path("inbox>send", {"confirm:send", "remove_tool:send", "block:both"});
const json::Value kRun = path("web>run", {"confirm:run", "block:both"});

TEST(Fold, TheCheapestSetForAllPathsTurns) {
  const Verdict one = paths({{}}, json::Value().push(kSend)).judge();
  EXPECT_EQ(one.decision, Decision::fit_with_conditions);
  EXPECT_EQ(ids(one.conditions), Ids{"confirm:send"});
  EXPECT_TRUE(one.rulings[0].turned);
  EXPECT_EQ(one.layers[2].requirement, "p0");
  const Verdict two = paths({{}}, json::Value().push(kSend).push(kRun)).judge();
  EXPECT_EQ(ids(two.conditions), Ids{"block:both"});
}

TEST(Fold, AMitigationCutsOnlyForThoseWhoAcceptIt) {
  // The second requirement doesn't accept a person's approval, so the first gets by with its choice.
  const Verdict verdict = paths({{}, {"remove_tool"}}, json::Value().push(kSend)).judge();
  EXPECT_EQ(ids(verdict.conditions), Ids{"remove_tool:send"});
  EXPECT_EQ(ids(verdict.rulings[1].mitigations), Ids{"remove_tool:send"});
}

TEST(Fold, APathThatNothingAcceptedCutsMakesUnfit) {
  const Verdict verdict = paths({{}, {"remove_tool"}}, json::Value().push(kSend).push(kRun)).judge();
  EXPECT_EQ(verdict.decision, Decision::unfit);
  EXPECT_TRUE(verdict.conditions.empty());
  EXPECT_FALSE(verdict.rulings[0].turned);
  EXPECT_EQ(verdict.layers[2].requirement, "p1");
}

TEST(Fold, NeitherGatewayNorUserNoMitigation) {
  World world = paths({{}}, json::Value().push(kSend));
  for (Fact& fact : world.records[0].found.facts) {
    const json::Value by = "hope";
    fact.value = edited(fact.value, "/by", &by);
  }
  EXPECT_EQ(world.judge().decision, Decision::unfit);
}

TEST(Fold, UndeterminedOutweighsConditionsAndUnmetOutweighsAll) {
  World world = paths({{}}, json::Value().push(kSend));
  world.requirements.items.push_back(
      {"host", "host_posture", "", json::Value().set("checks", json::Value().push("secrets"))});
  Verdict verdict = world.judge();
  EXPECT_EQ(verdict.decision, Decision::undetermined);
  EXPECT_EQ(ids(verdict.conditions), Ids{"confirm:send"});
  EXPECT_EQ(verdict.layers[1].decision, Decision::undetermined);
  EXPECT_EQ(verdict.layers[2].decision, Decision::fit_with_conditions);
  EXPECT_FALSE(verdict.layers[0].assessed);
  world.records.push_back(record_of(
      json::Value()
          .set("kind", "host")
          .set("facts", json::Value().push(json::Value()
                                               .set("key", "host.check.secrets")
                                               .set("value", json::Value().set("state", "bad").set("why", "readable"))
                                               .set("assurance", "verified")))));
  verdict = world.judge();
  EXPECT_EQ(verdict.decision, Decision::unfit);
  EXPECT_EQ(verdict.layers[2].decision, Decision::fit_with_conditions) << "a layer answers for itself";
}

TEST(Fold, AskingForNothingIsNoPass) {
  World world = world_of(pairs_of("coverage"));
  world.requirements.items.clear();
  EXPECT_EQ(world.judge().decision, Decision::undetermined);
  EXPECT_EQ(evaluate({}).decision, Decision::undetermined);
  world.requirements.items.push_back({"r", "tomorrow", "", json::Object{}});
  EXPECT_EQ(world.judge().decision, Decision::undetermined);
}

TEST(Fold, TheHeadlineSaysWhatWasMeasured) {
  World world = world_of(pairs_of("coverage"));
  EXPECT_EQ(world.judge().assurance, "static only: not attacked, not benchmarked");
  world.records[0].found.measurements.push_back(
      {"attack_rate", json::Object{}, "0.1", "1", 10, {}, "", "", json::Object{}});
  EXPECT_EQ(world.judge().assurance, "attacked, not benchmarked");
  world.records.push_back(world_of(pairs_of("speed")).records[1]);
  EXPECT_EQ(world.judge().assurance, "attacked and benchmarked");
  world.records[1].subjects[0].sha256 = std::string(64, '2');
  EXPECT_EQ(world.judge().assurance, "attacked, not benchmarked") << "a bench of another model";
  world.records[1].subjects[0].sha256 = world.records[0].subjects[0].sha256;
  world.records[1].status = evidence::Status::partial;
  EXPECT_EQ(world.judge().assurance, "attacked, not benchmarked");
  world.records[0].status = evidence::Status::partial;
  EXPECT_EQ(world.judge().assurance, "static only: not attacked, not benchmarked");
}

// The model chooses its metadata; the sentence stays one short, quoted line.
TEST(Sentences, WhatTheModelSaysIsQuotedAndCut) {
  World world = world_of(pairs_of("licence"));
  std::string evil = "mit\"\n\x1b[2J";
  for (int i = 0; i < 5000; ++i) evil += "ü";
  world.records[0].found.facts[0].value = evil;
  const Ruling ruling = world.judge().rulings[0];
  EXPECT_EQ(ruling.state, State::undetermined);
  EXPECT_EQ(ruling.because.text.find('\n'), std::string::npos);
  EXPECT_NE(ruling.because.text.find("mit\\\"\\n\\u001b[2J"), std::string::npos) << ruling.because.text;
  EXPECT_LT(ruling.because.text.size(), 400u);
  EXPECT_EQ(ruling.decide.find("[2J"), std::string::npos) << "a command holds nothing of the model's";
}

// Gaps that count past 2^64 together must not wrap into "nothing left out".
TEST(Sentences, HugeGapsDontWrap) {
  World world = world_of(pairs_of("coverage"));
  world.requirements.items[0].params.set("min_percent", 1);
  Coverage& coverage = world.records[0].found.coverage[0];
  coverage = {0, UINT64_MAX, UINT64_MAX, {{{0, UINT64_MAX}, "a"}, {{0, 2}, "b"}}};
  EXPECT_EQ(world.judge().rulings[0].state, State::unmet);
}

TEST(Document, CarriesEverythingThatTheVerdictFollowsFrom) {
  const World world = paths({{}}, json::Value().push(kSend));
  const Inputs inputs{world.records, "context", world.digest, &world.requirements, world.now};
  const json::Value written = document(inputs, evaluate(inputs));
  const auto read_back = json::parse(json::compact(written));
  ASSERT_TRUE(read_back);
  World again;
  for (const json::Value& encoded : (*read_back)["inputs"]["records"].array())
    again.records.push_back(*evidence::decode(encoded));
  again.requirements = *decode_requirements((*read_back)["inputs"]["requirements"]);
  again.digest = (*read_back)["inputs"]["context"]["digest"].string();
  again.now = (*read_back)["inputs"]["now"].integer();
  EXPECT_EQ(json::canonical(encode(again.judge())), json::canonical((*read_back)["verdict"]));
}

}  // namespace
}  // namespace steelyard::policy
