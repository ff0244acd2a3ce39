// What quantize reads: GGUF layouts, directories to convert, and what workers say of both. The first byte says which.

#include <cstdlib>

#include "quantize/convert.hpp"
#include "quantize/layout.hpp"
#include "quantize/worker.hpp"

namespace {

using namespace steelyard;

void check(const quantize::Layout& layout, u64 size) {
  for (const auto& [key, at] : layout.keys) {
    if (at.begin > at.end || at.end > size) std::abort();
  }
  for (const auto& [name, tensor] : layout.tensors) {
    if (tensor.block == 0 || tensor.at.begin > tensor.at.end || tensor.at.end > size) std::abort();
  }
}

void check(const quantize::Plan& plan, const std::vector<u64>& sizes) {
  for (const quantize::Copy& copy : plan.tensors) {
    for (const auto& [file, at] : copy.pieces) {
      if (file >= sizes.size() || at.begin > at.end || at.end > sizes[file]) std::abort();
    }
    if (!quantize::output_bytes(copy) || copy.pieces.empty() == copy.values.empty()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes bytes = std::as_bytes(std::span(data + 1, size - 1));
  const MemorySource input(bytes);
  static const std::string config =
      R"({"architectures":["LlamaForCausalLM"],"hidden_size":8,"intermediate_size":8,"num_hidden_layers":1,)"
      R"("num_attention_heads":2,"max_position_embeddings":64,"rms_norm_eps":1e-5,"vocab_size":4})";
  static const std::string experts =
      R"({"architectures":["MixtralForCausalLM"],"num_local_experts":2,"num_experts_per_tok":1,"num_key_value_heads":2,)" +
      config.substr(config.find("\"hidden_size"));
  static const std::string tokenizer =
      R"({"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"model":{"type":"BPE","vocab":{"a":0},)"
      R"("merges":["a b"]}})";
  const MemorySource usual_config(std::as_bytes(std::span(config))), usual(std::as_bytes(std::span(tokenizer)));
  const std::vector<u64> sizes = {bytes.size(), 100, 5000};
  switch (data[0] % 8) {
    case 0:
      if (const auto layout = quantize::read_layout(input)) check(*layout, bytes.size());
      break;
    case 1:
      if (const auto layout = quantize::decode_layout(bytes, 5000)) check(*layout, 5000);
      break;
    case 2:
      if (const auto plan = quantize::decode_plan(bytes, sizes)) check(*plan, sizes);
      break;
    default: {
      std::vector<quantize::Part> parts = {{"config.json", &usual_config}, {"tokenizer.json", &usual}};
      parts.push_back({"model.safetensors", &input});
      const MemorySource with_experts(std::as_bytes(std::span(experts)));
      if (data[0] % 8 == 4) parts[0].source = &input;
      if (data[0] % 8 == 5) parts[1].source = &input;
      if (data[0] % 8 == 6) parts.push_back({"tokenizer.model", &input});
      if (data[0] % 8 == 7) parts[0].source = &with_experts;
      std::vector<u64> places;
      for (const quantize::Part& part : parts) places.push_back(part.source->size());
      if (const auto plan = quantize::plan_conversion(parts, "fuzz")) check(*plan, places);
    }
  }
  return 0;
}
