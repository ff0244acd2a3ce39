// Pickle: Python objects, protocols 0 to 5. Spec: Lib/pickletools.py of CPython 3.11.
//
// Attack resisted: code that runs while the file is loaded, by whatever opcode and name; see
// wire/pickle.hpp and formats/detail/pickle_judge.hpp. What lies behind the last pickle is reported:
// it may be anything to another program. Tested by data/rules/PKL; fuzzed.
#include <algorithm>
#include <array>

#include "formats/detail/layout.hpp"
#include "formats/detail/pickle_scan.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

bool all_zero(const Source& source, u64 begin) {
  std::array<std::byte, 4096> block{};
  if (source.size() - begin > 64 * block.size()) return false;
  while (begin < source.size()) {
    const std::size_t count = source.read(begin, block);
    if (count == 0 || std::ranges::any_of(std::span(block).first(count), [](std::byte b) { return b != std::byte{}; }))
      return false;
    begin += count;
  }
  return true;
}

void parse(Item& item) {
  const PickleExtent extent = scan_pickles(item, {0, item.size()});
  if (item.artifact() == 0) item.report().fact("model.format", "pickle", Range{0, extent.end}, Assurance::verified);
  if (extent.end >= item.size() || extent.pickles == 0) return;
  const Range rest{extent.end, item.size()};
  if (all_zero(item.source(), rest.begin)) {
    item.coverage().examined += rest.end - rest.begin;
    return;
  }
  item.coverage().gaps.push_back({rest, "bytes behind the last pickle"});
  item.report().add(
      "PKL022", rest,
      json::Value().set("bytes", rest.end - rest.begin).set("looks", recognise(item.source(), rest.begin)));
}

int sniff(const Sniff& sniff) { return pickle_confidence(sniff.source, 0); }

}  // namespace

extern const Format pickle_format;
const Format pickle_format{"pickle",
                           "pickle (Python objects), protocols 0 to 5",
                           "pkl,pickle,pck,dill",
                           "Lib/pickletools.py of CPython 3.11",
                           sniff,
                           parse,
                           "pickle"};

}  // namespace steelyard::formats
