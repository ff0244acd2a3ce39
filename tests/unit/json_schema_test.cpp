#include "wire/json_schema.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace steelyard::wire {
namespace {

Decimal decimal(std::string_view text) {
  const auto number = Decimal::parse(text);
  EXPECT_TRUE(number) << text;
  return number.value_or(Decimal{});
}

TEST(JsonTree, NumbersAreExact) {
  EXPECT_EQ(decimal("1.50"), decimal("15e-1"));
  EXPECT_EQ(decimal("-0"), decimal("0.000e5"));
  EXPECT_EQ(decimal("1e2"), decimal("100"));
  EXPECT_NE(decimal("9007199254740993"), decimal("9007199254740992"));
  EXPECT_LT(decimal("9007199254740992"), decimal("9007199254740993"));
  EXPECT_LT(decimal("-2"), decimal("-1.5"));
  EXPECT_LT(decimal("-1"), decimal("0"));
  EXPECT_LT(decimal("0.09"), decimal("0.1"));
  EXPECT_LT(decimal("99"), decimal("1e2"));
  EXPECT_LT(decimal("1e999999999"), decimal("1e9999999999999999999999"));
  EXPECT_TRUE(decimal("1.0").integral());
  EXPECT_FALSE(decimal("1.5").integral());
  EXPECT_EQ(decimal("12e1").whole(), 120U);
  EXPECT_FALSE(decimal("1e18").whole());
  EXPECT_FALSE(decimal("-1").whole());
  EXPECT_DOUBLE_EQ(decimal("-2.5e-3").approximate(), -0.0025);
}

TEST(JsonTree, DocumentsAreReadWholeOrNotAtAll) {
  const std::string text = R"({"a":[1,-2.5,1e30,true,null,"x\n"],"b":{}})";
  const auto node = read_json(text);
  ASSERT_TRUE(node) << node.error().message;
  EXPECT_EQ(to_json(*node), R"({"a":[1,-2.5,1e30,true,null,"x\n"],"b":{}})");
  for (const char* wrong : {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "1 2", "NaN", "'a'", "[1}", "{\"a\" 1}", "\"\xff\""})
    EXPECT_FALSE(read_json(wrong)) << wrong;
  EXPECT_TRUE(read_json("[NaN, -Infinity]", {.dialect = JsonPull::Dialect::python}));
  EXPECT_FALSE(read_json("[1,2,3]", {.values = 3}));
  EXPECT_FALSE(read_json("[1,2,3]", {.bytes = 6}));
  EXPECT_FALSE(read_json(std::string(100, '[') + std::string(100, ']')));
  EXPECT_FALSE(read_json(std::string(100, '[') + std::string(100, ']'), {.dialect = JsonPull::Dialect::python}));
}

bool valid(const std::string& schema, const std::string& instance) {
  const auto document = read_json(schema);
  EXPECT_TRUE(document) << schema;
  const auto compiled = document ? JsonSchema::read(*document) : fail(ErrorCode::usage, "");
  EXPECT_TRUE(compiled) << schema << (compiled ? "" : compiled.error().message);
  const auto node = read_json(instance);
  return compiled && node && compiled->valid(*node);
}

TEST(JsonSchema, WhereFloatsWouldBeWrong) {
  EXPECT_TRUE(valid(R"({"multipleOf": 0.01})", "4.35"));
  EXPECT_FALSE(valid(R"({"multipleOf": 0.01})", "4.355"));
  EXPECT_TRUE(valid(R"({"multipleOf": 3})", "3e400"));
  EXPECT_FALSE(valid(R"({"multipleOf": 7})", "1e400"));
  EXPECT_FALSE(valid(R"({"maximum": 9007199254740992})", "9007199254740993"));
  EXPECT_FALSE(valid(R"({"const": 9007199254740992})", "9007199254740993"));
  EXPECT_TRUE(valid(R"({"type": "integer"})", "1e400"));
}

TEST(JsonSchema, ReferencesGoIntoTheDocument) {
  const std::string list =
      R"({"$ref": "#/$defs/list", "$defs": {"list": {"properties": {"next": {"$ref": "#/$defs/list"}, "value": {"type": "integer"}}}}})";
  EXPECT_TRUE(valid(list, R"({"value": 1, "next": {"value": 2}})"));
  EXPECT_FALSE(valid(list, R"({"value": 1, "next": {"value": "2"}})"));
}

TEST(JsonSchema, WorkIsBounded) {
  std::string doubling = R"({"$ref": "#/$defs/a28", "$defs": {"a0": {"type": "null"})";
  for (int i = 1; i <= 28; ++i)
    doubling +=
        fmt::format(R"(, "a{0}": {{"oneOf": [{{"$ref": "#/$defs/a{1}"}}, {{"$ref": "#/$defs/a{1}"}}]}})", i, i - 1);
  EXPECT_FALSE(valid(doubling + "}}", "1"));
  EXPECT_FALSE(
      valid(R"({"not": )" + doubling + "}}, \"$defs\": " + doubling.substr(doubling.find("{\"a0\"")) + "}}", "1"))
      << "what was not decided isn't valid the other way round";
}

}  // namespace
}  // namespace steelyard::wire
