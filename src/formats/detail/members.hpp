// Members: what zip, tar and compressed files have in common.
//
// Attacks resisted: names that lead out of the folder they are unpacked to (CWE-22), links and devices,
// streams that end early, expand without end or fail their checksum. Tested by data/rules/ARC/.
#pragma once

#include "formats/item.hpp"
#include "wire/unpack.hpp"

namespace steelyard::formats {

// Findings about a member's name: absolute, upwards, with a drive, a NUL or control characters.
void check_name(Item& item, std::string_view name, std::optional<Range> at);
// A member that is a link; whether it leads out of the archive.
void check_link(Item& item, std::string_view name, std::string_view target, std::optional<Range> at);

struct Packed {
  std::string name;
  Range range;  // of the packed bytes in the item
  wire::Packing packing = wire::Packing::deflate;
  bool single = true;           // one stream
  std::optional<u64> size;      // as declared
  std::optional<u32> checksum;  // as declared
  std::string_view loader;
};

// Unpacks, examines the content as a child and reports how the stream ended; adds the gap when it
// wasn't examined whole. Returns how many of the packed bytes belong to streams.
u64 examine_packed(Item& item, const Packed& packed);
// The bytes in the range are the content.
void examine_stored(Item& item, std::string name, Range range, std::string_view loader);

// Bytes that belong to nothing, examined as a child in case something else reads them.
void examine_unclaimed(Item& item, Range range, std::string_view where);

}  // namespace steelyard::formats
