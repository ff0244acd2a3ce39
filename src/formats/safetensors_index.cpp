// model.safetensors.index.json: which shard holds which tensor. Spec: transformers' sharded checkpoints.
//
// Attack resisted: shard names that leave the model's folder, so that a loader opens another file.
// Small enough for simdjson's DOM. Tested by data/rules/STS/STS014.toml; fuzzed.

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "formats/detail/layout.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kLargest = u64{16} << 20;

bool plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && !name.starts_with('-') && !text::has_hidden(name) &&
         name.find_first_of("/\\:\0\n\r\t", 0, 7) == std::string_view::npos;
}

void parse(Item& item) {
  const Source& source = item.source();
  Reporter& report = item.report();
  Coverage& coverage = item.coverage();
  std::string content(std::min(source.size(), kLargest + 1), '\0');
  content.resize(source.read(0, std::as_writable_bytes(std::span(content))));
  const auto index = json::parse(content, {.most_bytes = kLargest, .decimals = true});
  if (!index || !(*index)["weight_map"].is_object()) {
    report.add("STS001", Range{0, 0},
               json::Value().set("fault", index ? "weight_map is not an object" : index.error().message));
    coverage.gaps.push_back({{0, source.size()}, "the index could not be read"});
  } else {
    std::set<std::string> shards;
    for (const auto& [tensor, shard] : (*index)["weight_map"].object())
      shards.insert(shard.is_string() ? shard.string() : json::compact(shard));
    json::Value list = json::Array{};
    for (const auto& shard : shards) {
      if (!plain_name(shard))
        report.add("STS014", Range{0, source.size()}, json::Value().set("shard", text::prefix(shard, 256)));
      if (list.array().size() < 1024) list.push(text::prefix(shard, 256));
    }
    report.fact("index.shards", std::move(list), Range{0, source.size()}, Assurance::claimed);
    report.fact("index.tensors", u64{(*index)["weight_map"].object().size()}, Range{0, source.size()},
                Assurance::verified);
    coverage.examined = source.size();
  }
  report.fact("model.format", "safetensors index", Range{0, source.size()}, Assurance::verified);
}

int sniff(const Sniff& sniff) {
  const std::string_view text = as_text(sniff.head);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' && text.contains("\"weight_map\"") ? 60 : 0;
}

}  // namespace

extern const Format safetensors_index_format;
const Format safetensors_index_format{"safetensors_index",
                                      "safetensors index (sharded checkpoints)",
                                      "safetensors.index.json",
                                      "transformers, sharded checkpoints",
                                      sniff,
                                      parse};

}  // namespace steelyard::formats
