#include "bench/model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/text.hpp"

namespace steelyard::bench {

Result<std::vector<u32>> gguf_model(const Examination& found, const std::string& name) {
  struct Part {
    u32 artifact = 0;
    u64 index = 0;
    u64 count = 1;
    std::string architecture, type;
    // What sees for a model, which llama.cpp runs by other means; what quantizing weighs by, which can't be run.
    bool beside() const { return architecture == "clip" || (architecture.empty() && type == "imatrix"); }
  };
  std::map<u32, Part> files;
  for (u32 i = 0; i < found.artifacts.size(); ++i) {
    const Artifact& artifact = found.artifacts[i];
    if (artifact.format == "gguf" && !artifact.parent) files[i].artifact = i;
  }
  for (const Fact& fact : found.facts) {
    const auto file = fact.artifact ? files.find(*fact.artifact) : files.end();
    if (file == files.end()) continue;
    if (fact.key == "split.index") file->second.index = fact.value.unsigned_integer().value_or(0);
    if (fact.key == "split.count") file->second.count = fact.value.unsigned_integer().value_or(1);
    if (fact.key == "model.architecture") file->second.architecture = fact.value.string();
    if (fact.key == "model.type") file->second.type = fact.value.string();
  }
  std::vector<Part> parts;
  for (const auto& [artifact, part] : files) {
    if (!part.beside()) parts.push_back(part);
  }
  const std::string shown = text::display(name);
  if (parts.empty())
    return fail(ErrorCode::usage, fmt::format("{}: expected a GGUF model, or a folder with one", shown));
  std::ranges::sort(parts, {}, &Part::index);
  const u64 count = parts.front().count;
  if (parts.size() > 1 && (count != parts.size() || !std::ranges::all_of(parts, [&](const Part& one) {
                             return one.count == count && &one - parts.data() == static_cast<i64>(one.index);
                           })))
    return fail(ErrorCode::usage, fmt::format("{}: {} GGUF files that aren't the parts of one model; name one of them",
                                              shown, parts.size()));
  if (parts.size() != std::max<u64>(count, 1))
    return fail(ErrorCode::usage, fmt::format("{}: 1 of {} files of a model; the others aren't there", shown, count));
  std::vector<u32> out;
  for (const Part& one : parts) out.push_back(one.artifact);
  return out;
}

bool other_weights(const Examination& found) {
  constexpr std::array<std::string_view, 7> kWeights = {"safetensors", "pickle", "pytorch", "torch_legacy",
                                                        "torch_tar",   "npy",    "skops"};
  return std::ranges::any_of(found.artifacts, [&](const Artifact& artifact) {
    return (artifact.format == "gguf" && artifact.parent) ||
           std::ranges::find(kWeights, artifact.format) != kWeights.end();
  });
}

Examination about(const Examination& found, const std::vector<u32>& artifacts) {
  Examination out;
  out.artifacts = found.artifacts;
  for (const Fact& fact : found.facts) {
    if (fact.artifact && std::ranges::find(artifacts, *fact.artifact) != artifacts.end()) out.facts.push_back(fact);
  }
  return out;
}

}  // namespace steelyard::bench
