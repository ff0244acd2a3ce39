#include "formats/detail/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/checked.hpp"

namespace steelyard::formats {
namespace {

struct Magic {
  std::string_view bytes;
  std::string_view what;
};
using namespace std::string_view_literals;
constexpr std::array<Magic, 14> kMagics = {{
    {"\x7f"
     "ELF"sv,
     "an ELF program"},
    {"MZ"sv, "a Windows program"},
    {"#!"sv, "a script"},
    {"PK\x03\x04"sv, "a ZIP archive"},
    {"PK\x05\x06"sv, "a ZIP archive"},
    {"\x1f\x8b\x08"sv, "gzip data"},
    {"7z\xbc\xaf\x27\x1c"sv, "a 7z archive"},
    {"%PDF"sv, "a PDF"},
    {"\xcf\xfa\xed\xfe"sv, "a Mach-O program"},
    {"\xca\xfe\xba\xbe"sv, "a Java class or Mach-O program"},
    {"GGUF"sv, "another GGUF file"},
    {"<script"sv, "HTML with a script"},
    {"<?php"sv, "a PHP script"},
    {"\xfd"
     "7zXZ"sv,
     "xz data"},
}};

bool all_zero(const Source& source, u64 begin, u64 end) {
  std::array<std::byte, 4096> window;
  while (begin < end) {
    const std::size_t count = source.read(begin, std::span(window).first(std::min<u64>(window.size(), end - begin)));
    if (count == 0) return false;
    if (std::ranges::any_of(std::span(window).first(count), [](std::byte b) { return b != std::byte{0}; }))
      return false;
    begin += count;
  }
  return true;
}

}  // namespace

void TensorTotals::add(std::string_view type, u64 elements) {
  ++tensors_;
  elements_ = checked_add(elements_, elements).value_or(UINT64_MAX);
  auto& [tensors, weights] = types_[std::string(type)];
  ++tensors;
  weights = checked_add(weights, elements).value_or(UINT64_MAX);
}

void TensorTotals::report(u64 bytes, Reporter& report) const {
  report.fact("model.parameters", elements_, std::nullopt, Assurance::verified);
  report.fact("model.tensors", tensors_, std::nullopt, Assurance::verified);
  report.fact("model.tensor_bytes", bytes, std::nullopt, Assurance::verified);
  json::Value histogram = json::Object{};
  for (const auto& [name, entry] : types_) histogram.set(name, entry.first);
  report.fact("model.tensor_types", std::move(histogram), std::nullopt, Assurance::verified);
  const auto widest = std::ranges::max_element(types_, {}, [](const auto& entry) { return entry.second.second; });
  if (widest != types_.end()) report.fact("model.quantization", widest->first, std::nullopt, Assurance::verified);
}

std::string_view recognise(const Source& source, u64 offset) {
  std::array<std::byte, 8> head{};
  const std::size_t count = source.read(offset, head);
  const std::string_view bytes = as_text(Bytes(head).first(count));
  // Pickle protocol 2 to 5: PROTO, version, and an opcode that may follow it.
  if (bytes.size() >= 3 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5 &&
      std::string_view("\x95}]()cX\x8c").contains(bytes[2]))
    return "a pickle";
  const auto found = std::ranges::find_if(kMagics, [&](const Magic& magic) { return bytes.starts_with(magic.bytes); });
  return found == kMagics.end() ? std::string_view() : found->what;
}

void check_layout(Item& item, u64 begin, u64 alignment, std::vector<Claim> claims, const LayoutRules& rules) {
  const Source& source = item.source();
  Reporter& report = item.report();
  Coverage& coverage = item.coverage();
  std::vector<Part>& parts = item.parts();
  for (std::size_t i = 0; i < std::min(claims.size(), kMostParts); ++i)
    parts.push_back({claims[i].name, {claims[i].begin, claims[i].end}});
  std::ranges::stable_sort(claims, {}, [](const Claim& c) { return std::pair(c.begin, c.end); });
  const auto hole = [&](u64 from, u64 to) {
    const u64 pad = std::min(to, checked_align(from, alignment).value_or(to));
    if (!rules.padding.empty() && pad > from) {
      if (all_zero(source, from, pad)) {
        coverage.examined += pad - from;
      } else {
        report.add(rules.padding, Range{from, pad}, json::Value().set("bytes", pad - from));
        coverage.gaps.push_back({{from, pad}, "non-zero padding"});
      }
      from = pad;
    }
    if (from >= to) return;
    const std::string_view what = recognise(source, from);
    report.add(rules.hole, Range{from, to}, json::Value().set("bytes", to - from));
    if (!what.empty())
      report.add(rules.payload, Range{from, to}, json::Value().set("what", what).set("bytes", to - from));
    coverage.gaps.push_back({{from, to}, "claimed by no tensor"});
  };
  u64 at = begin;
  const Claim* widest = nullptr;
  for (const Claim& claim : claims) {
    if (claim.begin == claim.end) continue;
    if (claim.begin < at) {
      report.add(rules.overlap, claim.declared,
                 json::Value()
                     .set("one", widest != nullptr ? json::Value(widest->name) : json::Value("the header"))
                     .set("other", claim.name));
    } else if (claim.begin > at) {
      hole(at, claim.begin);
    }
    if (claim.end > at) {
      coverage.examined += claim.end - std::max(at, claim.begin);
      at = claim.end;
      widest = &claim;
    }
  }
  if (at >= source.size()) return;
  u64 tail = at;
  if (!rules.padding.empty()) {
    const u64 pad = std::min(source.size(), checked_align(at, alignment).value_or(source.size()));
    if (all_zero(source, at, pad)) {
      coverage.examined += pad - at;
      tail = pad;
    }
  }
  if (tail >= source.size()) return;
  report.add(rules.trailing, Range{tail, source.size()}, json::Value().set("bytes", source.size() - tail));
  if (const std::string_view what = recognise(source, tail); !what.empty())
    report.add(rules.payload, Range{tail, source.size()},
               json::Value().set("what", what).set("bytes", source.size() - tail));
  coverage.gaps.push_back({{tail, source.size()}, "trailing bytes"});
}

}  // namespace steelyard::formats
