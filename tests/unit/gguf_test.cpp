// What rule examples can't show: values, byte orders, versions, truncation at every byte, memory.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.hpp"
#include "formats/format.hpp"
#include "recipe/recipe.hpp"

namespace steelyard::formats {
namespace {

Examination parse(Bytes bytes) {
  const MemorySource source(bytes);
  return examine(source, "model");
}

Examination built(const std::string& text) {
  const auto bytes = recipe::build(text);
  EXPECT_TRUE(bytes) << bytes.error().message;
  return parse(*bytes);
}

json::Value value(const Examination& found, std::string_view key) {
  const Fact* fact = found.fact(key);
  return fact == nullptr ? json::Value("absent") : fact->value;
}

const std::string kBody =
    "kv_str general.architecture \"llama\"\nkv_u32 llama.context_length 8192\nkv_str general.organization \"Example\"\n"
    "kv_strs tokenizer.ggml.tokens \"a\" \"b\" \"c\"\n"
    "tensor \"a\" 0 0 8 4\ntensor \"b\" 8 128 64\nalign 32\nzeros 128\nzeros 96\n";

TEST(Gguf, ValuesAreReadInBothByteOrders) {
  for (const char* order : {"le\n", "be\n"}) {
    const Examination found = built(std::string(order) + "gguf 3 2 4\n" + kBody);
    EXPECT_TRUE(found.findings.empty()) << order << found.findings[0].rule << json::compact(found.findings[0].data);
    EXPECT_EQ(value(found, "model.parameters"), json::Value(96));
    EXPECT_EQ(value(found, "model.context_length"), json::Value(8192));
    EXPECT_EQ(value(found, "model.architecture"), json::Value("llama"));
    EXPECT_EQ(value(found, "identity.maker"), json::Value("Example"));
    EXPECT_EQ(value(found, "tokenizer.tokens"), json::Value(3));
    EXPECT_EQ(json::compact(value(found, "model.tensor_types")), "{\"F32\":1,\"Q8_0\":1}");
    EXPECT_EQ(found.coverage[0].examined, found.coverage[0].bytes);
  }
}

TEST(Gguf, VersionOneHasNarrowCounts) {
  const Examination found = built(
      "text \"GGUF\"\nu32 1 1 1\nstr32 \"general.architecture\"\nu32 8\nstr32 \"llama\"\nstr32 \"w\"\nu32 1 8 0\nu64 "
      "0\nalign 32\nzeros 32\n");
  EXPECT_TRUE(found.findings.empty()) << json::compact(found.findings[0].data);
  EXPECT_EQ(value(found, "model.format"), json::Value("GGUF v1"));
  EXPECT_EQ(value(found, "model.parameters"), json::Value(8));
}

TEST(Gguf, TruncationAtAnyByteIsNeverClean) {
  const auto whole = recipe::build("gguf 3 2 4\n" + kBody);
  for (std::size_t length = 4; length < whole->size(); ++length) {
    const Examination found = parse(Bytes(*whole).first(length));
    // The padding behind the last tensor (68 bytes of data, padded to 96) may be missing.
    if (length >= whole->size() - 28) continue;
    EXPECT_FALSE(found.findings.empty()) << length;
    EXPECT_FALSE(found.coverage[0].gaps.empty()) << length;
  }
}

TEST(Gguf, EveryTypeHasItsSize) {
  struct Case {
    int type;
    int elements;
    int bytes;
  };
  for (const Case c :
       {Case{0, 32, 128}, {1, 32, 64},    {2, 32, 18},    {3, 32, 20},   {6, 32, 22},  {7, 32, 24},    {8, 32, 34},
        {10, 256, 84},    {12, 256, 144}, {14, 256, 210}, {16, 256, 66}, {20, 32, 18}, {23, 256, 136}, {28, 4, 32},
        {29, 256, 56},    {30, 16, 32},   {34, 256, 54},  {35, 256, 66}, {39, 32, 17}, {40, 64, 36},   {41, 128, 18}}) {
    const std::string head = "gguf 3 1 1\nkv_str general.architecture \"x\"\ntensor \"w\" " + std::to_string(c.type) +
                             " 0 " + std::to_string(c.elements) + "\nalign 32\n";
    EXPECT_TRUE(built(head + "zeros " + std::to_string(c.bytes)).findings.empty()) << c.type;
    EXPECT_FALSE(built(head + "zeros " + std::to_string(c.bytes - 1)).findings.empty()) << c.type << ": one byte short";
  }
}

TEST(Gguf, FloodsAreLimited) {
  const Examination found =
      built("gguf 3 3000 1\nkv_str general.architecture \"x\"\nrepeat 3000 {\ntensor \"w\" 99 0 1\n}\n");
  EXPECT_LT(found.findings.size(), 60u);
  EXPECT_TRUE(std::ranges::any_of(found.findings, [](const Finding& f) { return f.rule == "LIM001"; }));
}

TEST(Safetensors, LongNamesAreCutBetweenCharacters) {
  std::string name = "x";
  for (int i = 0; i < 100; ++i) name += "€";  // no multiple of three bytes below is a character's end
  const Examination found = built("safetensors {\n{\"" + name +
                                  "\": {\"dtype\": \"F33\", \"shape\": [1], \"data_offsets\": [0, 4]}}\n}\nzeros 4\n");
  ASSERT_FALSE(found.findings.empty());
  for (const Finding& finding : found.findings) EXPECT_TRUE(text::valid_utf8(finding.data["tensor"].string()));
}

TEST(Safetensors, ValuesAndMetadata) {
  const Examination found = built(
      "safetensors {\n{\"__metadata__\": {\"format\": \"pt\", \"license\": \"mit\"}, \"a\": {\"dtype\": \"F16\", "
      "\"shape\": [2, 3], \"data_offsets\": [0, 12]},\n"
      " \"b\": {\"dtype\": \"F32\", \"shape\": [], \"data_offsets\": [12, 16]}, \"e\": {\"dtype\": \"F32\", \"shape\": "
      "[0], \"data_offsets\": [16, 16]}}   \n}\nzeros 16\n");
  EXPECT_TRUE(found.findings.empty()) << found.findings[0].rule << json::compact(found.findings[0].data);
  EXPECT_EQ(value(found, "model.parameters"), json::Value(7));
  EXPECT_EQ(value(found, "identity.licence"), json::Value("mit"));
  EXPECT_EQ(found.coverage[0].examined, found.coverage[0].bytes);
}

}  // namespace
}  // namespace steelyard::formats
