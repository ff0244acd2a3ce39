// detail/document: fields that are asked for are found wherever they stand, with bounded memory.

#include "formats/detail/document.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace steelyard::formats {
namespace {

const DocumentReader kReader{.wanted = [](std::string_view key) { return key == "auto_map" || key == "_target_"; }};

Document json(std::string_view text) { return kReader.json(MemorySource(as_bytes(text))); }
Document yaml(std::string_view text) { return kReader.yaml(MemorySource(as_bytes(text)), 0, text.size()); }

TEST(Document, KeepsWhatIsAskedForWhereverItStands) {
  const Document found = json(R"({"a": {"b": [1, {"auto_map": {"X": ["m.C", null]}}]}, "auto_map": "f.G"})");
  EXPECT_EQ(found.fault, "");
  EXPECT_TRUE(found.object);
  ASSERT_EQ(found.fields.size(), 2u);
  EXPECT_EQ(found.fields[0].path, "a.b.auto_map");
  EXPECT_EQ(json::compact(found.fields[0].value), R"({"X":["m.C",null]})");
  EXPECT_EQ(found.fields[1].value.string(), "f.G");
}

TEST(Document, AFieldInsideAKeptValueIsFoundToo) {
  const Document found = json(R"({"auto_map": {"x": {"_target_": "os.system"}}})");
  ASSERT_EQ(found.fields.size(), 2u);
  EXPECT_EQ(found.fields[0].path, "auto_map.x._target_");
}

TEST(Document, PaddingHidesNothing) {
  std::string text = "{";
  for (int i = 0; i < 20'000; ++i) text += fmt::format("\"k{}\": [{}, {{\"x\": \"y\"}}],", i, i);
  const Document found = json(text + "\"auto_map\": \"m.C\"}");
  EXPECT_EQ(found.fault, "");
  EXPECT_FALSE(found.cut);
  ASSERT_EQ(found.fields.size(), 1u);
  EXPECT_EQ(found.fields[0].value.string(), "m.C");
}

TEST(Document, MoreThanIsKeptIsSaid) {
  std::string text = "{\"auto_map\": [";
  for (int i = 0; i < 50'000; ++i) text += "0,";
  EXPECT_TRUE(json(text + "0]}").cut);
}

TEST(Document, EqualKeysAreSeen) {
  EXPECT_EQ(json(R"({"a": 1, "b": 2, "a": 3})").duplicates.at(0).first, "a");
  EXPECT_TRUE(json(R"({"a": 1, "b": {"a": 3}})").duplicates.empty());
  std::string many = "{\"v\": {";
  for (int i = 0; i < 1000; ++i) many += fmt::format("\"k{}\": 1, ", i);
  EXPECT_TRUE(json(many + "\"z\": 0}}").duplicates.empty());
  EXPECT_FALSE(json(many + "\"k7\": 0}}").duplicates.empty());
}

TEST(Document, ReadsTheDialectOfPython) {
  const Document found = json(
      R"({"a": NaN, "b": -Infinity, "c": 1000000000000000019884624838656, "d": "\ud800\n\udc00x", "auto_map": "m.C"})");
  EXPECT_EQ(found.fault, "");
  EXPECT_EQ(found.fields.size(), 1u);
  EXPECT_NE(json(R"({"a": 1,})").fault, "");
  EXPECT_NE(json(R"({"a": nan})").fault, "");
  const std::string deep = std::string(980, '[') + std::string(980, ']');
  EXPECT_EQ(json(deep).fault, "");
  EXPECT_NE(json(std::string(5000, '[')).fault, "");
}

TEST(Document, YamlIsReadTheSameWay) {
  const Document found =
      yaml("a:\n  - b: 1\n  - _target_: os.system\nx: &n builtins.eval\ny:\n  _target_: *n\n---\n_target_: z\n");
  EXPECT_EQ(found.fault, "");
  ASSERT_EQ(found.fields.size(), 3u);
  EXPECT_EQ(found.fields[0].path, "a._target_");
  EXPECT_EQ(found.fields[1].value.string(), "builtins.eval");
  EXPECT_EQ(found.fields[2].value.string(), "z");
}

TEST(Document, TextsKeepTheirLastCharacter) {
  EXPECT_EQ(json("{\"auto_map\": \"日本語\"}").fields.at(0).value.string(), "日本語");
  EXPECT_EQ(yaml("auto_map: [日本語, é]\n").fields.at(0).value.array().at(0).string(), "日本語");
  const Document cut = json("{\"auto_map\": \"x" + std::string(70'000, 'a') + "\"}");
  EXPECT_EQ(cut.fields.at(0).value.string().size(), 65'536u);
  std::string wide;
  for (int i = 0; i < 30'000; ++i) wide += "語";
  EXPECT_EQ(json("{\"auto_map\": \"" + wide + "\"}").fields.at(0).value.string().size(), 65'535u);
}

TEST(Document, YamlTagsAndBombs) {
  EXPECT_EQ(yaml("a: !!python/name:os.system\n").tags.at(0).first, "tag:yaml.org,2002:python/name:os.system");
  EXPECT_TRUE(yaml("a: !!str x\nb: !!map {}\n").tags.empty());
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) bomb += fmt::format("a{}: &a{} [*a{}, *a{}]\n", i, i, i - 1, i - 1);
  EXPECT_EQ(yaml(bomb).fault, "");
  EXPECT_NE(yaml(std::string(200, '[')).fault, "");
  EXPECT_NE(yaml("? {a: b}\n: c\n_target_: x\n").fields.size(), 0u);
}

TEST(Document, PlacesInYamlAreBytes) {
  const std::string text = "ä: ö\n_target_: x\n";
  const Document found = yaml(text);
  ASSERT_EQ(found.fields.size(), 1u);
  EXPECT_EQ(text.substr(found.fields[0].at.begin, 1), "x");
}

}  // namespace
}  // namespace steelyard::formats
