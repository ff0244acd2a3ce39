// The steps of zip::read(); private to wire/zip*.cpp.
#pragma once

#include "wire/zip.hpp"

namespace steelyard::wire::zip {

inline constexpr u64 kEndSize = 22;
inline constexpr u64 kEnd64Size = 56;
inline constexpr u64 kLocatorSize = 20;
inline constexpr u64 kCentralSize = 46;
inline constexpr u64 kLocalSize = 30;

// The central directory as one reader finds it.
struct Directory {
  std::string refused;
  u64 end_record = 0;
  bool zip64 = false;
  Range end64;  // the zip64 end record in use and its locator
  u64 begin = 0;
  u64 size = 0;
  u64 offset = 0;  // as the end record has it; zipfile shifts all offsets by begin - offset
  u64 entries = 0;
  u32 disk = 0;
};

std::optional<u64> find_end(const Source& source, Reader reader);
Directory find_directory(const Source& source, Reader reader);
// Parses the directory into `archive.entries` as `reader` does. False: it refuses the archive.
bool list_entries(const Source& source, Reader reader, Directory& directory, Archive& archive);
// Where each listed entry's content is, and for which names the readers differ.
void select_contents(const Source& source, Reader reader, const Directory& directory, Archive& archive);
void compare_readers(Archive& archive);
// Claims, gaps, overlaps and what lies hidden in the gaps.
void lay_out(const Source& source, const Directory (&directories)[2], Archive& archive);

// The text that Python has for a raw name: UTF-8 or code page 437 by bit 11 of the flags; nothing for invalid UTF-8.
std::optional<std::string> decode_name(std::string_view raw, u16 flags);

}  // namespace steelyard::wire::zip
