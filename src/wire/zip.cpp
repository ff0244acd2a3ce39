#include "wire/zip.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/cursor.hpp"
#include "base/text.hpp"
#include "wire/zip_parts.hpp"

namespace steelyard::wire::zip {
namespace {

constexpr std::string_view kEndMagic = "PK\5\6";
constexpr u64 kMostComment = 65'535;

u64 number(Bytes bytes, std::size_t at, std::size_t size) {
  u64 value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | std::to_integer<u64>(bytes[at + i]);
  return value;
}

// The last end record that begins in the final `back` bytes and is followed by at least `room` bytes of its own.
std::optional<u64> last_end(const Source& source, u64 back, u64 room) {
  const u64 size = source.size();
  const u64 begin = size - std::min(size, back);
  std::vector<std::byte> tail(static_cast<std::size_t>(size - begin));
  tail.resize(source.read(begin, tail));
  const std::string_view text = as_text(tail);
  std::optional<u64> last;
  for (std::size_t at = text.find(kEndMagic); at != std::string_view::npos; at = text.find(kEndMagic, at + 1)) {
    if (size - (begin + at) >= room) last = begin + at;
  }
  return last;
}

bool fixed(const Source& source, u64 at, std::span<std::byte> out) { return source.read(at, out) == out.size(); }

}  // namespace

std::optional<u64> find_end(const Source& source, Reader reader) {
  const u64 size = source.size();
  if (size < kEndSize) return std::nullopt;
  if (reader == Reader::miniz) {
    // Windows of 4,096 bytes, each 4,093 before the last, until 65,535 + 22 bytes have been seen; a
    // window that would begin before the file ends the search without being looked at.
    u64 back = std::min<u64>(size, 4096);
    while (back < kMostComment + kEndSize && size - back >= 4093) back += 4093;
    return last_end(source, back, kEndSize);
  }
  std::array<std::byte, kEndSize> end{};
  if (fixed(source, size - kEndSize, end) && as_text(end).starts_with(kEndMagic) && number(end, 20, 2) == 0)
    return size - kEndSize;
  // The last one counts, even if it is cut short: then there is none.
  const auto at = last_end(source, kMostComment + 1 + kEndSize, 0);
  return at && size - *at >= kEndSize ? at : std::nullopt;
}

Directory find_directory(const Source& source, Reader reader) {
  Directory out;
  const auto refuse = [&](std::string why) {
    out.refused = std::move(why);
    return out;
  };
  const auto end = find_end(source, reader);
  if (!end) return refuse("no end record");
  out.end_record = *end;
  std::array<std::byte, kEndSize> record{};
  if (!fixed(source, *end, record)) return refuse("the end record can't be read");
  u64 this_disk = number(record, 4, 2);
  u64 directory_disk = number(record, 6, 2);
  u64 here = number(record, 8, 2);
  out.entries = number(record, 10, 2);
  out.size = number(record, 12, 4);
  out.offset = number(record, 16, 4);

  std::array<std::byte, kLocatorSize> locator{};
  if (*end >= kLocatorSize + (reader == Reader::miniz ? kEnd64Size : 0) &&
      fixed(source, *end - kLocatorSize, locator) && as_text(locator).starts_with("PK\6\7")) {
    std::array<std::byte, kEnd64Size> end64{};
    u64 at = 0;
    if (reader == Reader::zipfile) {
      // Directly before the locator, whatever that says.
      if (number(locator, 4, 4) != 0 || number(locator, 16, 4) > 1) return refuse("it spans several disks");
      out.zip64 = *end >= kLocatorSize + kEnd64Size;
      at = out.zip64 ? *end - kLocatorSize - kEnd64Size : 0;
    } else {
      at = number(locator, 8, 8);
      if (at > source.size() - kEnd64Size) return refuse("its zip64 end record lies beyond the end");
      out.zip64 = true;
    }
    out.zip64 = out.zip64 && fixed(source, at, end64) && as_text(end64).starts_with("PK\6\6");
    if (out.zip64) {
      out.end64 = {at, at + kEnd64Size};
      this_disk = number(end64, 16, 4);
      directory_disk = number(end64, 20, 4);
      here = number(end64, 24, 8);
      out.entries = number(end64, 32, 8);
      out.size = number(end64, 40, 8);
      out.offset = number(end64, 48, 8);
      if (reader == Reader::miniz) {
        if (number(end64, 4, 8) < kEnd64Size - 12) return refuse("its zip64 end record is too short");
        if (number(locator, 16, 4) != 1) return refuse("it spans several disks");
        if (out.entries > UINT32_MAX || here > UINT32_MAX || out.size > UINT32_MAX)
          return refuse("its directory is too large");
      }
    }
  }
  if (reader == Reader::zipfile) {
    const u64 behind = out.size > UINT64_MAX - kEnd64Size - kLocatorSize
                           ? UINT64_MAX
                           : out.size + (out.zip64 ? kEnd64Size + kLocatorSize : 0);
    if (behind > *end) return refuse("the directory would begin before the file");
    out.begin = *end - behind;
    return out;
  }
  if (out.entries != here) return refuse("it spans several disks");
  if ((this_disk | directory_disk) != 0 && (this_disk != 1 || directory_disk != 1))
    return refuse("it spans several disks");
  if (out.size < out.entries * kCentralSize) return refuse("the directory is too small for its entries");
  if (out.offset > source.size() || out.size > source.size() - out.offset)
    return refuse("the directory lies beyond the end");
  out.begin = out.offset;
  out.disk = static_cast<u32>(this_disk);
  return out;
}

std::optional<Local> read_local(const Source& source, u64 at) {
  std::array<std::byte, kLocalSize> fixed_part{};
  if (at > source.size() || !fixed(source, at, fixed_part) || !as_text(fixed_part).starts_with("PK\3\4"))
    return std::nullopt;
  Local local;
  local.at = at;
  local.flags = static_cast<u16>(number(fixed_part, 6, 2));
  local.method = static_cast<u16>(number(fixed_part, 8, 2));
  local.crc = static_cast<u32>(number(fixed_part, 14, 4));
  local.packed = number(fixed_part, 18, 4);
  local.size = number(fixed_part, 22, 4);
  const u64 name = number(fixed_part, 26, 2);
  const u64 extra = number(fixed_part, 28, 2);
  local.name_at = {at + kLocalSize, at + kLocalSize + name};
  local.data = local.name_at.end + extra;
  // One read for both; what lies beyond the end is missing from the name.
  const bool zip64 = local.packed == UINT32_MAX || local.size == UINT32_MAX;
  std::vector<std::byte> rest(static_cast<std::size_t>(name + (zip64 ? extra : 0)));
  rest.resize(source.read(local.name_at.begin, rest));
  local.name = as_text(rest).substr(0, name);
  for (std::size_t field = name; zip64 && field + 4 <= rest.size();) {
    const std::size_t length = number(rest, field + 2, 2);
    if (number(rest, field, 2) == 1 && field + 4 + length <= rest.size()) {
      std::size_t value = field + 4;
      for (u64* size : {&local.size, &local.packed}) {
        if (*size != UINT32_MAX || value + 8 > field + 4 + length) continue;
        *size = number(rest, value, 8);
        value += 8;
      }
      break;
    }
    field += 4 + length;
  }
  return local;
}

Archive read(const Source& source) {
  Archive archive;
  Directory directories[2] = {find_directory(source, Reader::zipfile), find_directory(source, Reader::miniz)};
  for (const Reader reader : {Reader::zipfile, Reader::miniz}) {
    const auto index = static_cast<std::size_t>(reader);
    Directory& directory = directories[index];
    if (directory.refused.empty() && list_entries(source, reader, directory, archive)) {
      select_contents(source, reader, directory, archive);
      if (!archive.end_record) {
        archive.end_record = Range{directory.end_record, directory.end_record + kEndSize};
        archive.directory = {directory.begin, directory.begin + directory.size};
        archive.declared_entries = directory.entries;
      }
    }
    archive.refused[index] = directory.refused;
  }
  compare_readers(archive);
  lay_out(source, directories, archive);
  return archive;
}

bool has_directory(const Source& source) {
  if (!find_end(source, Reader::miniz) && !find_end(source, Reader::zipfile)) return false;
  for (const Reader reader : {Reader::zipfile, Reader::miniz}) {
    const Directory directory = find_directory(source, reader);
    std::array<std::byte, 4> magic{};
    if (!directory.refused.empty()) continue;
    if (directory.size == 0 || (fixed(source, directory.begin, magic) && as_text(magic) == "PK\1\2")) return true;
  }
  return false;
}

bool lists(const Source& source, std::string_view ending) {
  for (const Reader reader : {Reader::zipfile, Reader::miniz}) {
    Directory directory = find_directory(source, reader);
    Archive archive;
    if (!directory.refused.empty() || !list_entries(source, reader, directory, archive)) continue;
    if (std::ranges::any_of(archive.entries,
                            [&](const Entry& entry) { return text::lower(entry.name).ends_with(ending); }))
      return true;
  }
  return false;
}

}  // namespace steelyard::wire::zip
