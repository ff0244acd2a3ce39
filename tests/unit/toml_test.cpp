#include "wire/toml.hpp"

#include <gtest/gtest.h>

namespace steelyard::toml {
namespace {

std::string error_of(std::string text) {
  const auto document = Document::parse(std::move(text), "f.toml");
  if (!document) return document.error().message;
  Table table(**document, (*document)->root(), "file");
  (void)table.text("name");
  (void)table.integer("count");
  (void)table.texts("list");
  (void)table.flag("on");
  table.finish();
  const auto checked = (*document)->check();
  return checked ? "" : checked.error().message;
}

TEST(Toml, MistakesPointAtTheirPlace) {
  EXPECT_EQ(error_of("name = \"x\"\nnaem = \"y\"\n"),
            "f.toml:2:1: file: unknown key \"naem\"; did you mean \"name\"?\n     2 | naem = \"y\"\n       | ^");
  EXPECT_EQ(error_of("\ncount = \"x\"\n"),
            "f.toml:2:1: file: count must be a whole number, found text\n     2 | count = \"x\"\n       | ^");
  EXPECT_NE(error_of("list = [1]\n").find("list must hold texts only, found a whole number"), std::string::npos);
  EXPECT_NE(error_of("on = 1\n").find("on must be true or false"), std::string::npos);
  EXPECT_NE(error_of("name = \n").find("f.toml:1:"), std::string::npos);
}

TEST(Toml, AllMistakesAreReportedAtOnce) {
  const std::string error = error_of("a = 1\nb = 2\n");
  EXPECT_NE(error.find("\"a\""), std::string::npos);
  EXPECT_NE(error.find("\"b\""), std::string::npos);
}

TEST(Toml, CharactersBeyondAsciiBelongIntoTextsAndComments) {
  EXPECT_EQ(error_of("name = \"Ünï\" # 模型\nlist = ['ü', \"\"\"\né\n\"\"\", '''ö''', \"\\\"é\"]\n"), "");
  EXPECT_NE(error_of("nämé = 1\n").find("f.toml:1:2: keys outside quotes"), std::string::npos);
  EXPECT_NE(error_of("\xcd\x8c+e\"").find("ASCII characters only"), std::string::npos);
  EXPECT_NE(error_of("name = \"\xff\"").find("not UTF-8"), std::string::npos);
}

}  // namespace
}  // namespace steelyard::toml
