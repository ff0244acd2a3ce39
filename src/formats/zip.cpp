// Zip archives of any kind: NumPy's .npz, packaged models, repositories.
//
// Spec: PKWARE APPNOTE 6.3.10. Every member is examined as what its content is; see
// formats/detail/zip_members.hpp. Found by its first bytes, or by the end record that readers look for
// at the end of the file. Tested by data/rules/ZIP/, tests/unit/zip_test.cpp,
// tests/oracle/archives_test.py; fuzzed.

#include "formats/detail/zip_members.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

int sniff(const Sniff& sniff) {
  const std::string_view head = as_text(sniff.head);
  if (head.starts_with("PK\3\4") || head.starts_with("PK\5\6")) return 80;
  return wire::zip::has_directory(sniff.source) ? 45 : 0;
}

void parse(Item& item) {
  const wire::zip::Archive archive = wire::zip::read(item.source());
  examine_zip(item, archive, {});
}

}  // namespace

extern const Format zip_format;
const Format zip_format{"zip", "zip archive (NumPy npz included)", "zip,npz", "PKWARE APPNOTE 6.3.10", sniff, parse,
                        "zip"};

}  // namespace steelyard::formats
