// Tar archives: packaged models, NeMo, PyTorch's oldest layout.
//
// Specs: POSIX ustar and pax, GNU tar. Every member is examined as what its content is, those behind
// the end and the bytes that belong to nothing too. Attacks resisted: see wire/tar.hpp and
// formats/detail/members.hpp. Tested by data/rules/TAR/, data/rules/ARC/, tests/unit/tar_test.cpp,
// tests/oracle/archives_test.py; fuzzed.

#include "formats/detail/tar_members.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

void parse(Item& item) {
  examine_tar(item, {}, [](Item&, const wire::tar::Member&) { return false; });
}

// A header with a right checksum is rare by chance, whether or not it has the magic.
int sniff(const Sniff& sniff) {
  if (!wire::tar::begins_archive(sniff.source)) return 0;
  return as_text(sniff.head).substr(257, 5) == "ustar" ? 85 : 50;
}

}  // namespace

extern const Format tar_format;
const Format tar_format{"tar", "tar archive", "tar", "POSIX.1-2017 pax; GNU tar manual", sniff, parse, "tar"};

}  // namespace steelyard::formats
