#include "formats/detail/gguf_memory.hpp"

#include <algorithm>

#include "base/checked.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kRowsPacked = 8;  // repacked in groups of rows

std::optional<u64> plus(std::optional<u64> sum, u64 more) { return sum ? checked_add(*sum, more) : std::nullopt; }

}  // namespace

void GgufMemory::add(std::string_view name, const std::array<u64, 4>& dimensions, std::string_view type, u64 bytes) {
  const u64 rows = dimensions[1];
  const bool matrix = rows > 1 && name.ends_with(".weight");
  const bool grouped = matrix && rows % kRowsPacked == 0;
  const bool packed = grouped && (type == "Q4_0" || type == "Q4_K" || type == "IQ4_NL");
  const bool packed_512 = grouped && type == "Q2_K";
  if (name == "token_embd.weight") {
    width_ = dimensions[0];
    vocabulary_ = rows;
    if (packed) embedding_ = bytes;
    if (packed_512) embedding_512_ = bytes;
    return;
  }
  if (packed) repacked_ = plus(repacked_, bytes);
  if (packed_512) repacked_512_ = plus(repacked_512_, bytes);
  if (name == "output.weight") output_ = true;
  if (!name.starts_with("blk.")) return;
  if (matrix) widest_ = std::max(widest_, rows);
  recurrent_ = recurrent_ || name.contains(".ssm_") || name.contains(".time_mix_") || name.contains(".shortconv.");
  compressed_ = compressed_ || name.contains(".attn_kv_a") || name.contains(".attn_kv_b");
  if (name.ends_with(".attn_k.weight") || name.ends_with(".attn_v.weight")) cached_ = plus(cached_, rows);
  if (name.ends_with(".attn_qkv.weight")) fused_ = plus(fused_, rows);
}

void GgufMemory::report(Reporter& report) const {
  const auto whole = output_ ? repacked_ : plus(repacked_, embedding_.value_or(0));  // the embedding is the output too
  const auto whole_512 = output_ ? repacked_512_ : plus(repacked_512_, embedding_512_.value_or(0));
  if (!cached_ || !fused_ || !whole || !whole_512 || (width_ == 0 && *cached_ == 0 && *fused_ == 0)) return;
  report.fact("model.memory",
              json::Value()
                  .set("cached_rows", *cached_)
                  .set("fused_rows", *fused_)
                  .set("repacked", *whole)
                  .set("repacked_avx512", *whole_512)
                  .set("recurrent", recurrent_)
                  .set("compressed", compressed_)
                  .set("width", width_)
                  .set("widest", widest_)
                  .set("vocabulary", vocabulary_),
              std::nullopt, Assurance::verified);
}

}  // namespace steelyard::formats
