#include <algorithm>
#include <array>
#include <tuple>

#include "base/checked.hpp"
#include "wire/zip_parts.hpp"

namespace steelyard::wire::zip {
namespace {

constexpr std::size_t kMostHidden = 4096;
constexpr std::size_t kMostOverlaps = 1024;

u64 number(Bytes bytes, std::size_t at, std::size_t size) {
  u64 value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | std::to_integer<u64>(bytes[at + i]);
  return value;
}

// Bytes of the data descriptor behind `end`: checksum and sizes in 4 or 8 bytes each, with or without
// a signature; 0 when what is there belongs to something else.
u64 descriptor(const Source& source, u64 end, const Entry& entry) {
  std::array<std::byte, 24> bytes{};
  const std::size_t count = source.read(end, bytes);
  const std::size_t signature = as_text(bytes).starts_with("PK\7\10") ? 4 : 0;
  for (const std::size_t width : {std::size_t{4}, std::size_t{8}}) {
    const std::size_t length = signature + 4 + 2 * width;
    if (length > count) continue;
    const bool sizes =
        number(bytes, signature + 4, width) == (width == 4 ? entry.packed & UINT32_MAX : entry.packed) &&
        number(bytes, signature + 4 + width, width) == (width == 4 ? entry.size & UINT32_MAX : entry.size);
    if (sizes && (signature != 0 || number(bytes, 0, 4) == entry.crc)) return length;
  }
  return 0;
}

struct Claim {
  Range range;
  u32 entry = kNone;
};

// The next "PK\3\4" in [begin, end), or end. With `others`: also "PK\1\2" and "PK\5\6".
u64 next_header(const Source& source, u64 begin, u64 end, bool others) {
  std::vector<std::byte> window(64 * 1024);
  while (begin < end) {
    const std::size_t count = source.read(begin, std::span(window).first(std::min<u64>(window.size(), end - begin)));
    if (count < 4) return end;
    const std::string_view text = as_text(Bytes(window).first(count));
    for (std::size_t at = text.find("PK"); at != std::string_view::npos && at + 4 <= count;
         at = text.find("PK", at + 1)) {
      const std::string_view kind = text.substr(at + 2, 2);
      if (kind == "\3\4" || (others && (kind == "\1\2" || kind == "\5\6"))) return begin + at;
    }
    if (count < window.size()) return end;
    begin += count - 3;
  }
  return end;
}

// Local headers in a gap that no directory lists; the rest of the gap is unclaimed.
void walk_gap(const Source& source, Range gap, Archive& archive) {
  while (gap.begin < gap.end) {
    const u64 at = next_header(source, gap.begin, gap.end, false);
    auto local = at < gap.end && archive.hidden.size() < kMostHidden ? read_local(source, at) : std::nullopt;
    if (!local || local->data > gap.end) {
      archive.unclaimed.push_back(gap);
      return;
    }
    if (at > gap.begin) archive.unclaimed.push_back({gap.begin, at});
    Hidden hidden{std::move(*local), 0};
    const u64 known = checked_add(hidden.local.data, hidden.local.packed).value_or(UINT64_MAX);
    const bool sized = (hidden.local.flags & 8) == 0 || hidden.local.packed != 0;
    hidden.end = sized && known <= gap.end ? known : next_header(source, hidden.local.data, gap.end, true);
    archive.claimed += hidden.end - at;
    gap.begin = hidden.end;
    archive.hidden.push_back(std::move(hidden));
  }
}

}  // namespace

void lay_out(const Source& source, const Directory (&directories)[2], Archive& archive) {
  const u64 size = source.size();
  std::vector<Claim> claims;
  const auto claim = [&](u64 begin, u64 end, u32 entry) {
    if (begin < end && end <= size) claims.push_back({{begin, end}, entry});
  };
  for (const Directory& directory : directories) {
    if (!directory.refused.empty()) continue;
    claim(directory.begin, directory.begin + directory.size, kNone);
    std::array<std::byte, kEndSize> end{};
    if (source.read(directory.end_record, end) == kEndSize) {
      const u64 comment_end = directory.end_record + kEndSize + number(end, 20, 2);
      claim(directory.end_record, std::min(comment_end, size), kNone);
    }
    if (directory.zip64) {
      claim(directory.end64.begin, directory.end64.end, kNone);
      claim(directory.end_record - kLocatorSize, directory.end_record, kNone);
    }
  }
  for (u32 i = 0; i < archive.entries.size(); ++i) {
    const Entry& entry = archive.entries[i];
    u64 last = UINT64_MAX;
    for (const Selection& view : entry.views) {
      if (!view.listed || view.local >= size || view.data.begin <= view.local || view.local == last) continue;
      last = view.local;
      // What both take: of a stored member miniz goes by the size, zipfile by the smaller one.
      const u64 end = std::max({view.data.end, entry.views[0].local == view.local ? entry.views[0].data.end : 0,
                                entry.views[1].local == view.local ? entry.views[1].data.end : 0});
      claim(view.local, end + (end < size ? descriptor(source, end, entry) : 0), i);
    }
  }
  std::ranges::sort(claims, {}, [](const Claim& c) { return std::tuple(c.range.begin, c.range.end, c.entry); });
  // Both readers nearly always claim the same directory.
  const auto twice = [](const Claim& a, const Claim& b) { return a.range == b.range && a.entry == b.entry; };
  claims.erase(std::unique(claims.begin(), claims.end(), twice), claims.end());

  u64 at = 0;
  u32 widest = kNone;
  for (const Claim& one : claims) {
    if (one.range.begin > at) {
      walk_gap(source, {at, one.range.begin}, archive);
    } else if (one.range.begin < at && archive.overlaps.size() < kMostOverlaps) {
      archive.overlaps.emplace_back(widest, one.entry);
    }
    if (one.range.end > at) {
      archive.claimed += one.range.end - std::max(at, one.range.begin);
      at = one.range.end;
      widest = one.entry;
    }
  }
  if (at < size) walk_gap(source, {at, size}, archive);
}

}  // namespace steelyard::wire::zip
