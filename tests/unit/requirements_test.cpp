// Requirements: what is refused and how, and that the built-in profiles ask for what they say.
#include "policy/requirements.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "policy/expectation.hpp"
#include "policy/kind.hpp"

namespace steelyard::policy {
namespace {

constexpr std::string_view kHead = "schema = \"steelyard/require/1\"\nname = \"n\"\n";

std::string with(std::string_view body) { return std::string(kHead) + std::string(body); }

TEST(Requirements, Profiles) {
  ASSERT_EQ(profile_names(), (std::vector<std::string>{"business", "personal", "regulated"}));
  for (const std::string& name : profile_names()) {
    const auto requirements = profile(name);
    ASSERT_TRUE(requirements) << requirements.error().message;
    EXPECT_EQ(requirements->name, name);
    for (const Requirement& item : requirements->items) EXPECT_FALSE(item.why.empty()) << name << ": " << item.id;
    const auto decoded = decode_requirements(encode(*requirements));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(json::canonical(encode(*decoded)), json::canonical(encode(*requirements)));
  }
  const auto unknown = profile("buisness");
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("did you mean \"business\""), std::string::npos);
}

// What a person approves may be what an attacker wrote: "regulated" accepts no such mitigation.
TEST(Requirements, RegulatedRestsOnNobodysAttention) {
  const auto requirements = profile("regulated");
  ASSERT_TRUE(requirements);
  const auto no_path = std::ranges::find(requirements->items, "no_path", &Requirement::kind);
  ASSERT_NE(no_path, requirements->items.end());
  const auto& accept = no_path->params["accept"].array();
  EXPECT_FALSE(accept.empty()) << "an empty list accepts everything";
  for (const json::Value& kind : accept) EXPECT_NE(kind.string(), "confirm");
}

struct Refused {
  const char* name;
  std::string text;
  const char* says;
};

class Refusals : public testing::TestWithParam<Refused> {};

TEST_P(Refusals, SaysWhatAndWhere) {
  const auto parsed = parse_requirements(GetParam().text, "r.toml");
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message.find(GetParam().says), std::string::npos) << parsed.error().message;
  EXPECT_NE(parsed.error().message.find("r.toml"), std::string::npos) << parsed.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    All, Refusals,
    testing::Values(
        Refused{"NotToml", "= 1", "r.toml:1"},
        Refused{"Schema",
                "schema = \"steelyard/require/2\"\nname = \"n\"\n[[require]]\nid = \"a\"\nkind = \"coverage\"\n",
                "this version reads"},
        Refused{"NoName", "schema = \"steelyard/require/1\"\n[[require]]\nid = \"a\"\nkind = \"coverage\"\n",
                "name is required"},
        Refused{"Nothing", with(""), "at least one [[require]]"},
        Refused{"KindSuggested", with("[[require]]\nid = \"a\"\nkind = \"no_finding\"\n"),
                "did you mean \"no_findings\"?"},
        Refused{"KindsListed", with("[[require]]\nid = \"a\"\nkind = \"zzz\"\n"),
                "coverage, damage, disclosure, evidence_age"},
        Refused{"KeySuggested", with("[[require]]\nid = \"a\"\nkind = \"coverage\"\nmin_procent = 3\n"),
                "did you mean \"min_percent\"?"},
        Refused{"TopKey", with("tilte = \"t\"\n[[require]]\nid = \"a\"\nkind = \"coverage\"\n"),
                "did you mean \"title\"?"},
        Refused{"SameId",
                with("[[require]]\nid = \"a\"\nkind = \"coverage\"\n[[require]]\nid = \"a\"\nkind = \"coverage\"\n"),
                "used twice"},
        Refused{"BadId", with("[[require]]\nid = \"A b\"\nkind = \"coverage\"\n"), "expected 1 to 64 of a-z"},
        Refused{"NoId", with("[[require]]\nkind = \"coverage\"\n"), "id is required"},
        Refused{"Missing", with("[[require]]\nid = \"a\"\nkind = \"format\"\n"), "allow is required"},
        Refused{"Empty", with("[[require]]\nid = \"a\"\nkind = \"format\"\nallow = []\n"), "at least one"},
        Refused{"EmptyText", with("[[require]]\nid = \"a\"\nkind = \"format\"\nallow = [\"\"]\n"), "isn't empty"},
        Refused{"Choice", with("[[require]]\nid = \"a\"\nkind = \"no_findings\"\nseverity = \"hihg\"\n"),
                "did you mean \"high\"?"},
        Refused{"ChoiceInList", with("[[require]]\nid = \"a\"\nkind = \"host_posture\"\nchecks = [\"secret\"]\n"),
                "did you mean \"secrets\"?"},
        Refused{"Type", with("[[require]]\nid = \"a\"\nkind = \"evidence_age\"\nmax_days = \"9\"\n"),
                "whole number from 1 to 36500"},
        Refused{"Range", with("[[require]]\nid = \"a\"\nkind = \"evidence_age\"\nmax_days = 0\n"),
                "whole number from 1 to 36500"},
        Refused{"Date", with("[[require]]\nid = \"a\"\nkind = \"no_findings\"\nseverity = 2026-01-01\n"),
                "may not be a date"},
        Refused{"SchemaInExpect",
                with("[[expect]]\nid = \"a\"\nprompt = \"p\"\nchecker = \"json_schema\"\nexpected = "
                     "'{\"requird\": []}'\n"),
                "/requird"},
        Refused{"NoJsonInExpect",
                with("[[expect]]\nid = \"a\"\nprompt = \"p\"\nchecker = \"tool_call\"\nexpected = \"x\"\n"),
                "expected JSON in the text"},
        Refused{"NoSampleShowsAll",
                with("[[expect]]\nid = \"a\"\nprompt = \"p\"\nchecker = \"json\"\nexpected = \"-\"\nmin_percent = "
                     "100\n"),
                "from 1 to 99"},
        Refused{"Pin", with("[[require]]\nid = \"a\"\nkind = \"source\"\npins = [\"sha256:ab\"]\n"),
                "64 lowercase hex digits"}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

TEST(Requirements, CaretUnderTheSpot) {
  const auto parsed = parse_requirements(with("[[require]]\nid = \"a\"\nkind = \"covrage\"\n"), "r.toml");
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message.find("r.toml:5:"), std::string::npos) << parsed.error().message;
  EXPECT_NE(parsed.error().message.find('^'), std::string::npos) << parsed.error().message;
}

TEST(Requirements, EnoughAnswersAreAskedFor) {
  const auto samples = [](i64 percent) { return expectation_samples(json::Value().set("min_percent", percent)); };
  EXPECT_EQ(samples(50), 20U);
  EXPECT_EQ(samples(90), 70U);
  EXPECT_EQ(samples(99), 761U);
  EXPECT_EQ(expectation_samples(json::Object{}), 70U) << "90 is usual";
  EXPECT_EQ(expectation_samples(json::Value().set("samples", 5)), 5U);
}

TEST(Requirements, ExpectationsHaveATableOfTheirOwn) {
  const std::string head = "schema = \"steelyard/require/1\"\nname = \"mine\"\n";
  const std::string table =
      "[[expect]]\nid = \"capital\"\nprompt = \"The capital of France?\"\nchecker = \"contains\"\nexpected = "
      "\"Paris\"\n";
  const auto parsed = parse_requirements(head + table, "r.toml");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed->items.size(), 1U);
  EXPECT_EQ(parsed->items[0].kind, "expect");
  EXPECT_EQ(parsed->items[0].params["expected"].string(), "Paris");
  EXPECT_FALSE(parse_requirements(head + table + "kind = \"expect\"\n", "r.toml"));
  EXPECT_FALSE(parse_requirements(head + table + table, "r.toml"));
}

TEST(Requirements, JsonIsHeldToTheSame) {
  const auto document = [](std::string_view item) {
    return *json::parse("{\"schema\":\"steelyard/require/1\",\"name\":\"n\",\"title\":\"\",\"require\":[" +
                        std::string(item) + "]}");
  };
  EXPECT_TRUE(decode_requirements(document(R"({"id":"a","kind":"coverage","why":"","params":{}})")));
  for (const char* item :
       {"", R"({"id":"a","kind":"nope","why":"","params":{}})",
        R"({"id":"a","kind":"coverage","why":"","params":{"x":1}})",
        R"({"id":"a","kind":"coverage","why":"","params":[]})", R"({"id":"","kind":"coverage","why":"","params":{}})",
        R"({"id":"a","kind":"coverage","why":"","params":{},"extra":1})",
        R"({"id":"a","kind":"format","why":"","params":{}})",
        R"({"id":"a","kind":"evidence_age","why":"","params":{"max_days":99999}})",
        R"({"id":"a","kind":"coverage","why":"","params":{}},{"id":"a","kind":"coverage","why":"","params":{}})"})
    EXPECT_FALSE(decode_requirements(document(item))) << item;
  EXPECT_FALSE(decode_requirements(json::Value()));
}

TEST(Kinds, SayWhatTheyAre) {
  for (const Kind* kind : kinds()) {
    EXPECT_FALSE(kind->summary.empty()) << kind->name;
    EXPECT_EQ(find_kind(kind->name), kind);
    for (const Param& param : kind->params) EXPECT_FALSE(param.meaning.empty()) << kind->name << "." << param.name;
  }
}

}  // namespace
}  // namespace steelyard::policy
