// What becomes of a directory, and what a worker may say about it: hostile twins of a tiny one.

#include "quantize/convert.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "quantize/layout.hpp"
#include "quantize/worker.hpp"
#include "recipe/recipe.hpp"

namespace steelyard::quantize {
namespace {

const std::string kConfig = R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 8, "intermediate_size": 8,
  "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
  "vocab_size": 4, "eos_token_id": 3})";
const std::string kTokenizer = R"({"added_tokens": [{"id": 3, "content": "<end>", "special": true}],
  "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
  "post_processor": null, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})";
const std::string kHeader = R"({"model.embed_tokens.weight": {"dtype": "F16", "shape": [4, 8], "data_offsets": [0, 64]},
  "model.norm.weight": {"dtype": "F16", "shape": [8], "data_offsets": [64, 80]},
  "model.layers.0.self_attn.q_proj.weight": {"dtype": "F16", "shape": [8, 8], "data_offsets": [80, 208]}})";

// F16 numbers that count up from 1: 0x3C00 is 1.0.
std::string weights(const std::string& header = kHeader) {
  std::string out;
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(header.size() >> (8 * i)));
  out += header;
  for (int i = 0; i < 104; ++i) {
    out.push_back(static_cast<char>(i));
    out.push_back(0x3C);
  }
  return out;
}

struct Directory {
  std::string config = kConfig, tokenizer = kTokenizer, data = weights();
  std::vector<std::string> names = {"config.json", "tokenizer.json", "model.safetensors"};

  Result<Plan> plan() const {
    const MemorySource a(std::as_bytes(std::span(config))), b(std::as_bytes(std::span(tokenizer))),
        c(std::as_bytes(std::span(data)));
    return plan_conversion({{names[0], &a}, {names[1], &b}, {names[2], &c}}, "Tiny");
  }
};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(Convert, WritesWhatTheLayoutReaderReads) {
  const Directory it;
  const Plan plan = it.plan().value();
  std::vector<std::byte> out;
  const MemorySource data(std::as_bytes(std::span(it.data)));
  const auto append = [&](Bytes bytes) -> Result<bool> {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return true;
  };
  ASSERT_TRUE(write_conversion(plan, {&data, &data, &data}, append));
  const MemorySource written(out);
  const Layout layout = read_layout(written).value();
  ASSERT_EQ(layout.tensors.size(), 3U);
  EXPECT_EQ(layout.keys.size(), plan.key_count);
  EXPECT_TRUE(layout.keys.contains("tokenizer.ggml.merges"));
  EXPECT_EQ(layout.tensors.at("token_embd.weight").type, "F16");
  const Tensor& norm = layout.tensors.at("output_norm.weight");
  EXPECT_EQ(norm.type, "F32");
  float first = 0;
  ASSERT_EQ(written.read(norm.at.begin, std::as_writable_bytes(std::span(&first, 1))), 4U);
  EXPECT_EQ(first, 1.0F + 32.0F / 1024.0F);
  // Rows 0, 1, 2, 3 of a head come from halves: 0, 2, 1, 3.
  const Tensor& query = layout.tensors.at("blk.0.attn_q.weight");
  for (const auto& [row, from] : std::vector<std::pair<u64, u64>>{{0, 0}, {1, 2}, {2, 1}, {3, 3}, {4, 4}, {5, 6}}) {
    u16 found = 0;
    ASSERT_EQ(written.read(query.at.begin + row * 16, std::as_writable_bytes(std::span(&found, 1))), 2U);
    EXPECT_EQ(found, 0x3C00 + 40 + from * 8) << row;
  }
}

TEST(Convert, HostileDirectoriesAreRefused) {
  const auto header = [](std::string_view from, std::string_view to) {
    Directory it;
    it.data = weights(replaced(kHeader, from, to));
    return it.plan();
  };
  const auto tokenizer = [](std::string_view from, std::string_view to) {
    Directory it;
    it.tokenizer = replaced(kTokenizer, from, to);
    return it.plan();
  };
  ASSERT_TRUE(Directory().plan());
  EXPECT_FALSE(header("[0, 64]", "[0, 999999]"));
  EXPECT_FALSE(header("[0, 64]", "[64, 0]"));
  EXPECT_FALSE(header("[0, 64]", "[-64, 0]"));
  EXPECT_FALSE(header("[4, 8]", "[9223372036854775808, 8]"));
  EXPECT_FALSE(header("[4, 8]", "[4, 8, 1]"));
  EXPECT_FALSE(header("[4, 8]", "[0, 8]"));
  EXPECT_FALSE(header("\"F16\"", "\"F8_E4M3\""));
  EXPECT_FALSE(header("layers.0.", "layers.00."));
  EXPECT_FALSE(header("model.norm.weight", "../norm.weight"));
  EXPECT_FALSE(tokenizer("\"b\": 1", "\"b\": 0"));
  EXPECT_FALSE(tokenizer("\"b\": 1", "\"b\": 4"));
  EXPECT_FALSE(tokenizer("\"id\": 3", "\"id\": 99"));
  EXPECT_FALSE(tokenizer("\"id\": 3", "\"id\": 2"));
  EXPECT_FALSE(tokenizer("\"a b\"", "7"));
  Directory deep;
  deep.config = std::string(100'000, '[');
  EXPECT_FALSE(deep.plan());
  Directory short_one;
  short_one.data = "abc";
  EXPECT_FALSE(short_one.plan());
}

TEST(Convert, WorkersAreNotBelieved) {
  const Directory it;
  const Plan plan = it.plan().value();
  const std::vector<u64> sizes = {it.config.size(), it.tokenizer.size(), it.data.size()};
  const std::vector<std::byte> good = encode(plan);
  ASSERT_TRUE(decode_plan(good, sizes));
  EXPECT_EQ(encode(decode_plan(good, sizes).value()), good);
  for (std::size_t cut = 0; cut < good.size(); ++cut) EXPECT_FALSE(decode_plan(Bytes(good).first(cut), sizes)) << cut;
  const auto changed = [&](const std::function<void(Copy&)>& change) {
    Plan other = plan;
    change(other.tensors[1]);  // blk.0.attn_q.weight
    return decode_plan(encode(other), sizes).has_value();
  };
  EXPECT_FALSE(changed([](Copy& copy) { copy.pieces[0].at.end += 2; }));
  EXPECT_FALSE(changed([&](Copy& copy) { copy.pieces[0].at = {sizes[2], sizes[2] + 64}; }));
  EXPECT_FALSE(changed([](Copy& copy) { copy.pieces[0].file = 3; }));
  EXPECT_FALSE(changed([](Copy& copy) { copy.type = 2; }));
  EXPECT_FALSE(changed([](Copy& copy) { copy.from = 30; }));
  EXPECT_FALSE(changed([](Copy& copy) { copy.heads = 3; }));
  EXPECT_FALSE(changed([](Copy& copy) { copy.shifted = true; }));
  EXPECT_FALSE(changed([](Copy& copy) { copy.pieces.clear(); }));
  EXPECT_FALSE(changed([](Copy& copy) { copy.pieces.push_back(copy.pieces[0]); }));
  EXPECT_FALSE(changed([](Copy& copy) {  // two halves, in a tensor of eight rows
    copy.heads = 0;
    copy.pieces.push_back(copy.pieces[0]);
    copy.pieces[0].at.end = copy.pieces[1].at.begin += (copy.pieces[1].at.end - copy.pieces[1].at.begin) / 2;
  }));
  EXPECT_FALSE(changed([](Copy& copy) { copy.heads = 1'000'000; }));
  EXPECT_FALSE(changed([](Copy& copy) { copy.dimensions = {UINT64_MAX, 3}; }));
  EXPECT_FALSE(changed([](Copy& copy) { copy.values = {1, 2}; }));
  EXPECT_FALSE(changed([&](Copy& copy) { copy.name = plan.tensors.front().name; }));
}

TEST(Convert, LayoutsOfWorkersAreNotBelieved) {
  const std::vector<std::byte> file = recipe::build(
                                          "gguf 3 2 1\nkv_str general.architecture \"llama\"\ntensor \"a\" 8 0 32 4\n"
                                          "tensor \"b\" 0 160 8\nalign 32\nfill 1 136\nalign 32\nfill 2 32\n")
                                          .value();
  const Layout layout = read_layout(MemorySource(file)).value();
  const std::vector<std::byte> good = encode(layout);
  ASSERT_TRUE(decode_layout(good, file.size()));
  EXPECT_EQ(encode(decode_layout(good, file.size()).value()), good);
  EXPECT_EQ(decode_layout(good, file.size()).value().tensors.at("a").bytes, 34U);
  for (std::size_t cut = 0; cut < good.size(); ++cut) EXPECT_FALSE(decode_layout(Bytes(good).first(cut), file.size()));
  const auto changed = [&](const std::function<void(Layout&)>& change) {
    Layout other = layout;
    change(other);
    return decode_layout(encode(other), file.size()).has_value();
  };
  EXPECT_FALSE(decode_layout(good, file.size() - 1));
  EXPECT_FALSE(changed([](Layout& it) { it.tensors.at("a").at.end -= 34; }));
  EXPECT_FALSE(changed([](Layout& it) { it.tensors.at("a").id = 9999; }));
  EXPECT_FALSE(changed([](Layout& it) { it.tensors.at("a").dimensions = {31, 4}; }));
  EXPECT_FALSE(changed([](Layout& it) { it.keys.begin()->second = {10, 5}; }));
  EXPECT_FALSE(changed([](Layout& it) { it.data = UINT64_MAX; }));
  EXPECT_FALSE(changed([](Layout& it) { it.described = UINT64_MAX; }));
}

}  // namespace
}  // namespace steelyard::quantize
