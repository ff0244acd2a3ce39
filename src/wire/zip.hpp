// Zip: an archive as two real readers see it, and every byte that neither of them does.
//
// Specs: PKWARE APPNOTE 6.3.10; Lib/zipfile.py of CPython 3.11; miniz 3.0.2 as PyTorch's reader uses
// it: central directory looked up by binary search over names without regard to case, local flags,
// names, sizes and checksums not looked at. The two are followed to the detail, because a scanner that
// reads like one is blind to what the other loads: several entries of one name, a prefix that shifts
// offsets, two end records, an entry count that is too small, zip64 fields that only one believes.
//
// Attacks resisted beyond that: members that overlap (bombs), that only a local header names, that lie
// in gaps, before or behind the archive. Memory is bounded by kMostEntries and kMostNames.
// Tested by tests/unit/zip_test.cpp and, against CPython and miniz, tests/oracle/archives_test.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/source.hpp"
#include "core/examination.hpp"

namespace steelyard::wire::zip {

inline constexpr std::size_t kMostEntries = 32'768;
inline constexpr u64 kMostNames = u64{4} << 20;  // bytes of all names
inline constexpr u32 kNone = UINT32_MAX;

enum class Reader : u8 { zipfile, miniz };

// What a reader makes of one entry.
struct Selection {
  bool listed = false;            // the entry is in the directory that it reads
  const char* refused = nullptr;  // why it won't give the content
  u64 local = 0;                  // of the local header
  Range data;                     // the packed bytes
  u16 local_method = 0;           // as the local header has it
  u64 local_end = 0;              // where the data ends if the size there is right
  u64 size = 0;                   // of the content
};

struct Entry {
  Range at;          // in the central directory
  std::string name;  // raw
  u16 made_by = 0;
  u16 needed = 0;
  u16 flags = 0;
  u16 method = 0;
  u16 time = 0;
  u32 crc = 0;
  u64 packed = 0;
  u64 size = 0;
  u64 offset = 0;  // of the local header, as the directory has it
  u32 attributes = 0;
  u16 disk = 0;
  Selection views[2];  // by Reader

  const Selection& view(Reader reader) const { return views[static_cast<std::size_t>(reader)]; }
  bool directory() const { return name.ends_with('/') || (attributes & 0x10) != 0; }
  bool encrypted() const { return (flags & (1U | 1U << 6)) != 0; }
  // Of a member made on Unix: S_IFMT of its mode, else 0.
  u32 file_type() const { return (made_by >> 8) == 3 ? attributes >> 16 & 0170000 : 0; }
};

struct Local {
  u64 at = 0;
  Range name_at;
  std::string name;
  u16 flags = 0;
  u16 method = 0;
  u32 crc = 0;
  u64 packed = 0;  // zip64 applied
  u64 size = 0;
  u64 data = 0;  // where the packed bytes begin
  // Sizes and checksum follow the data.
  bool streamed() const { return (flags & 8) != 0 && packed == 0 && size == 0 && crc == 0; }
};

// A local header and its entry disagree.
struct Mismatch {
  u32 entry = 0;
  std::string field;
  std::string local;  // value
  std::string central;
};

// A name, and the entry that each reader gives for it.
struct Name {
  std::string name;               // as zipfile has it
  u32 picks[2] = {kNone, kNone};  // by Reader; kNone: not found
  // They select different bytes, or only one gives any.
  bool differs = false;
};

// Bytes of a local header that no directory lists.
struct Hidden {
  Local local;
  u64 end = 0;  // where the data can reach at most
};

struct Archive {
  std::string refused[2];      // by Reader: why it can't open the archive
  std::vector<Entry> entries;  // of both readers' directories
  bool limited = false;        // there are more entries, or longer names, than are kept
  Range directory;             // of the reader that opens it; empty when none does
  std::optional<Range> end_record;
  u64 declared_entries = 0;  // by the end record
  std::vector<Mismatch> mismatches;
  std::vector<Name> names;
  std::vector<std::pair<u32, u32>> twins;     // entries whose names a reader can't tell apart
  std::vector<std::pair<u32, u32>> overlaps;  // entries that share bytes
  std::vector<Hidden> hidden;
  std::vector<Range> unclaimed;  // before, between and behind the members
  u64 claimed = 0;               // bytes of headers, members, directories and end records

  const std::string& why_not(Reader reader) const { return refused[static_cast<std::size_t>(reader)]; }
  // Why the reader gives nothing for the name; empty: it gives its pick.
  std::string why_not(Reader reader, const Name& name) const;
  u32 pick(Reader reader, const Name& name) const { return name.picks[static_cast<std::size_t>(reader)]; }
};

// Whether one of the readers finds an end record, and a directory where it says.
bool has_directory(const Source& source);

Archive read(const Source& source);

// Whether a directory that one of the readers finds lists a name that ends so, in lower case.
bool lists(const Source& source, std::string_view ending);

// A local header at `at`, or nothing.
std::optional<Local> read_local(const Source& source, u64 at);

}  // namespace steelyard::wire::zip
