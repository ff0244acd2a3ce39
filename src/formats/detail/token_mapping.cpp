#include "formats/detail/token_mapping.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/sha256.hpp"

namespace steelyard::formats {

u64 token_digest(std::string_view token) {
  const std::string hex = sha256(token);
  u64 value = 0;
  std::from_chars(hex.data(), hex.data() + 16, value, 16);
  return value;
}

void TokenMapping::add(u64 id, std::string_view token) {
  ++tokens_;
  sum_ += token_digest(fmt::format("{}:{}", id, token));
}

void TokenMapping::report(Reporter& report) const {
  if (tokens_ == 0) return;
  report.fact("tokenizer.mapping", json::Value().set("tokens", tokens_).set("digest", fmt::format("{:016x}", sum_)),
              std::nullopt, Assurance::verified);
}

}  // namespace steelyard::formats
