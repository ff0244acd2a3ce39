// Tar: the members of an archive as CPython's tarfile lists them, and what follows where it stops.
//
// Specs: POSIX ustar and pax interchange formats, GNU tar manual (long names, base-256 numbers, sparse
// files), Lib/tarfile.py of CPython 3.11, which PyTorch's legacy loader uses. Attacks resisted: members
// behind the end blocks or behind a broken header (GNU tar reads on), pax sizes that contradict the
// header's, members without content that claim a size, negative and huge numbers, endless extended
// headers (their size is bounded, nesting needs no recursion).
// Not thread-safe. Tested by tests/unit/tar_test.cpp and, against CPython, tests/oracle/archives_test.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/source.hpp"
#include "core/examination.hpp"

namespace steelyard::wire::tar {

inline constexpr std::size_t kMostMembers = 32'768;
inline constexpr u64 kMostExtended = u64{1} << 20;  // bytes of one extended header

struct Member {
  u64 at = 0;  // where its first header begins, extended ones included
  std::string name;
  std::string link;
  char type = '0';
  Range data;           // as far as the file goes
  u64 size = 0;         // as tarfile has it
  u64 header_size = 0;  // as the header has it
  bool pax_size = false;
  bool sparse = false;
  bool cut = false;         // the file ends within the data
  bool behind_end = false;  // tarfile doesn't get there

  bool has_content() const;
  bool is_link() const { return type == '1' || type == '2'; }
  bool is_device() const { return type == '3' || type == '4' || type == '6'; }
};

struct Archive {
  std::vector<Member> members;
  std::string problem;  // why tarfile raises while it lists them; empty: it doesn't
  u64 problem_at = 0;
  bool limited = false;  // there is more than is kept: the rest is in neither count
  bool ended = false;    // by a block of zeros
  u64 claimed = 0;
  std::vector<Range> unclaimed;  // neither members nor zeros
};

// A first block that tarfile takes for a header.
bool begins_archive(const Source& source);

Archive read(const Source& source);

}  // namespace steelyard::wire::tar
