// What the rules' examples can't show: the literal parser, versions, several arrays, truncation.

#include <gtest/gtest.h>

#include "formats/format.hpp"
#include "recipe/recipe.hpp"
#include "wire/python_literal.hpp"

namespace steelyard {
namespace {

using wire::PythonLiteral;

std::optional<PythonLiteral> literal(std::string_view text) {
  std::string why;
  auto value = PythonLiteral::parse(text, why);
  EXPECT_EQ(value.has_value(), why.empty()) << text;
  return value;
}

TEST(PythonLiteral, AcceptsWhatNumPyWrites) {
  const auto value =
      literal("{'descr': [('a', '<f8', (2, 3)), ((\"t\", 'b'), '|O')], 'fortran_order': False, 'shape': (3,), }  \n");
  ASSERT_TRUE(value);
  ASSERT_NE(value->find("descr"), nullptr);
  EXPECT_EQ(value->find("descr")->items.size(), 2U);
  EXPECT_EQ(value->find("shape")->items[0].integer, 3U);
  EXPECT_FALSE(value->find("fortran_order")->yes);
  EXPECT_EQ(literal("{'a': 1, 'a': 2}")->find("a")->integer, 2U) << "of equal keys the last counts";
  EXPECT_EQ(literal("(5)")->kind, PythonLiteral::Kind::integer);
  EXPECT_EQ(literal("(5L,)")->kind, PythonLiteral::Kind::tuple);
  EXPECT_TRUE(literal("-1")->negative);
  EXPECT_EQ(literal("99999999999999999999999")->integer, UINT64_MAX);
}

TEST(PythonLiteral, RefusesWhatIsNoLiteral) {
  for (const char* text : {"", "{", "{'a'}", "{'a': }", "1 + 1", "__import__('os')", "'a' 'b'", "'a", "1.5", "(1 2)",
                           "'\\x41'", "[1,,2]", "()()", "1x", "-"})
    EXPECT_FALSE(literal(text)) << text;
  EXPECT_FALSE(literal(std::string(100, '(') + std::string(100, ')')));
}

Examination parsed(const std::string& text) {
  const auto bytes = recipe::build(text);
  EXPECT_TRUE(bytes) << bytes.error().message;
  return formats::examine(MemorySource(*bytes), "a.npy");
}

std::string array(const std::string& version, const std::string& length, const std::string& header,
                  const std::string& data) {
  return "hex 934e554d5059" + version + "\n" + length + "\ntext \"" + header + "\"\n" + data + "\n";
}

TEST(Npy, AllVersionsAndTypes) {
  const std::string header = "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3)}\\n";
  for (const auto& [version, length] : {std::pair{"0100", "u16 57"}, {"0200", "u32 57"}, {"0300", "u32 57"}}) {
    const Examination found = parsed(array(version, length, header, "zeros 12"));
    EXPECT_TRUE(found.findings.empty()) << version << found.findings[0].rule;
    EXPECT_EQ(found.coverage[0].examined, found.coverage[0].bytes);
  }
  EXPECT_EQ(parsed(array("0900", "u16 57", header, "zeros 12")).findings.at(0).rule, "NPY001");
  for (const auto& [descr, bytes] : {std::pair{"'|S7'", 7},
                                     {"'<U3'", 12},
                                     {"'>c16'", 16},
                                     {"'<M8[ns]'", 8},
                                     {"'|V5'", 5},
                                     {"[('a', '<f4'), ('b', '|b1', (4,))]", 8}}) {
    const std::string text = std::string("{'descr': ") + descr + ", 'fortran_order': False, 'shape': ()}\\n";
    const std::size_t length = text.size() - 1;
    const Examination found =
        parsed(array("0100", "u16 " + std::to_string(length), text, "zeros " + std::to_string(bytes)));
    EXPECT_TRUE(found.findings.empty()) << descr << found.findings[0].rule;
  }
}

TEST(Npy, EveryTruncationIsSeen) {
  const auto bytes =
      recipe::build(array("0100", "u16 57", "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3)}\\n", "zeros 12"));
  ASSERT_TRUE(bytes);
  for (std::size_t length = 6; length < bytes->size(); ++length) {
    const Examination found = formats::examine(MemorySource(Bytes(*bytes).first(length)), "a.npy");
    EXPECT_FALSE(found.findings.empty()) << length;
    for (const Coverage& coverage : found.coverage) EXPECT_LE(coverage.examined, coverage.bytes);
  }
}

}  // namespace
}  // namespace steelyard
