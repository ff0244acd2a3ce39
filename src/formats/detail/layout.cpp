#include "formats/detail/layout.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/checked.hpp"
#include "base/cursor.hpp"
#include "base/text.hpp"

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

// A ZIP is found from its end, so it may hide inside the last tensor: Python runs such a file. The end
// record must point at a directory where it says, which chance doesn't produce.
std::optional<Range> zip_at_end(const Source& source) {
  constexpr std::size_t kRecord = 22;
  constexpr std::size_t kLongestComment = 65'535;
  if (source.size() < kRecord) return std::nullopt;
  std::vector<std::byte> window(std::min<u64>(source.size(), kRecord + kLongestComment));
  const u64 base = source.size() - window.size();
  if (source.read(base, window) != window.size()) return std::nullopt;
  const std::string_view tail = as_text(window);
  for (auto at = tail.rfind("PK\x05\x06"); at != std::string_view::npos && at != 0; at = tail.rfind("PK\x05\x06", at - 1)) {
    Cursor record(source, base + at, source.size());
    record.skip(12, "ZIP end");
    const u64 length = record.read<u32>("ZIP end");
    record.skip(4, "ZIP end");
    const u64 comment = record.read<u16>("ZIP end");
    if (!record.ok() || comment > record.remaining() || length > base + at) continue;
    std::array<std::byte, 4> head{};
    const u64 directory = base + at - length;
    if (length == 0 || (source.read(directory, head) == head.size() && as_text(head) == "PK\x01\x02"sv))
      return Range{length == 0 ? base + at : directory, source.size()};
  }
  return std::nullopt;
}

}  // namespace

void Reporter::add(std::string_view rule, std::optional<Range> at, json::Value data) {
  auto entry = std::ranges::find(counts_, rule, &std::pair<std::string, std::size_t>::first);
  if (entry == counts_.end()) entry = counts_.insert(counts_.end(), {std::string(rule), 0});
  if (++entry->second <= kMostPerRule)
    out_.findings.push_back({std::string(rule), Severity::info, 0, at, std::move(data)});
}

bool Reporter::wants(std::string_view rule) const {
  const auto entry = std::ranges::find(counts_, rule, &std::pair<std::string, std::size_t>::first);
  return entry == counts_.end() || entry->second < kMostPerRule;
}

void Reporter::fact(std::string key, json::Value value, std::optional<Range> at, Assurance assurance) {
  if (std::cmp_greater_equal(std::ranges::count(out_.facts, key, &Fact::key), kMostPerKey)) return;
  out_.facts.push_back({std::move(key), std::move(value), 0, at, assurance});
}

void Reporter::finish() {
  for (const auto& [rule, count] : counts_) {
    if (count > kMostPerRule)
      out_.findings.push_back({"LIM001", Severity::info, 0, std::nullopt,
                               json::Value().set("rule", rule).set("more", u64{count - kMostPerRule})});
  }
}

json::Value excerpt(std::string_view bytes, std::size_t most) {
  if (bytes.size() <= most) return text::to_value(bytes);
  const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(bytes[at]) & 0xC0) == 0x80; };
  std::size_t end = most;
  while (end > 0 && most - end < 3 && continues(end)) --end;
  return text::to_value(bytes.substr(0, end));
}

void add_gap(Coverage& coverage, Range range, std::string why) {
  constexpr std::size_t kMost = 1000;
  if (coverage.gaps.size() < kMost) return coverage.gaps.push_back({range, std::move(why)});
  Gap& last = coverage.gaps.back();
  last = {{std::min(last.range.begin, range.begin), std::max(last.range.end, range.end)}, "many gaps, not listed singly"};
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

void check_layout(const Source& source, u64 begin, u64 alignment, std::vector<Claim> claims,
                  const std::function<std::string(const Claim&)>& name, const LayoutRules& rules, Reporter& report,
                  Coverage& coverage) {
  std::ranges::sort(claims, {}, [](const Claim& c) { return std::tuple(c.begin, c.end, c.declared.begin); });
  bool payload = false;
  const auto look = [&](Range range) {
    const std::string_view what = recognise(source, range.begin);
    if (what.empty()) return;
    payload = true;
    report.add(rules.payload, range, json::Value().set("what", what).set("bytes", range.end - range.begin));
  };
  const auto hole = [&](u64 from, u64 to) {
    const u64 pad = std::min(to, checked_align(from, alignment).value_or(to));
    if (!rules.padding.empty() && pad > from) {
      if (all_zero(source, from, pad)) {
        coverage.examined += pad - from;
      } else {
        report.add(rules.padding, Range{from, pad}, json::Value().set("bytes", pad - from));
        look({from, pad});
        add_gap(coverage, {from, pad}, "non-zero padding");
      }
      from = pad;
    }
    if (from >= to) return;
    report.add(rules.hole, Range{from, to}, json::Value().set("bytes", to - from));
    look({from, to});
    add_gap(coverage, {from, to}, "claimed by no tensor");
  };
  u64 at = begin;
  const Claim* widest = nullptr;
  for (const Claim& claim : claims) {  // an empty one has its place in the row as well
    if (claim.begin < at) {
      const bool named = report.wants(rules.overlap);
      report.add(rules.overlap, claim.declared,
                 json::Value()
                     .set("one", widest != nullptr && named ? excerpt(name(*widest), 64) : json::Value("the header"))
                     .set("other", named ? excerpt(name(claim), 64) : json::Value()));
    } else if (claim.begin > at) {
      hole(at, claim.begin);
    }
    if (claim.end > at) {
      coverage.examined += claim.end - std::max(at, claim.begin);
      at = claim.end;
      widest = &claim;
    }
  }
  u64 tail = at;
  if (!rules.padding.empty() && at < source.size()) {
    const u64 pad = std::min(source.size(), checked_align(at, alignment).value_or(source.size()));
    if (all_zero(source, at, pad)) {
      coverage.examined += pad - at;
      tail = pad;
    }
  }
  if (tail < source.size()) {
    report.add(rules.trailing, Range{tail, source.size()}, json::Value().set("bytes", source.size() - tail));
    look({tail, source.size()});
    add_gap(coverage, {tail, source.size()}, "trailing bytes");
  }
  if (const auto zip = payload ? std::nullopt : zip_at_end(source))
    report.add(rules.payload, zip, json::Value().set("what", "a ZIP archive").set("bytes", zip->end - zip->begin));
}

}  // namespace steelyard::formats
