// Any format over any bytes: no crash, the invariants that the worker protocol demands, and a round
// trip through it. Built once per format, with FUZZ_FORMAT as its id.

#include "formats/format.hpp"

#include <algorithm>
#include <cstdlib>

#include "rules/catalog.hpp"
#include "scan/protocol.hpp"

namespace {

using namespace steelyard;

void must(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const Bytes bytes = std::as_bytes(std::span(data, size));
  const MemorySource source(bytes);
  const auto formats = formats::all();
  const auto format = std::ranges::find(formats, FUZZ_FORMAT, &formats::Format::id);
  must(format != formats.end());
  (void)formats::detect(source, "model");

  const Examination found = formats::examine_as(**format, source, "model");
  for (const Finding& finding : found.findings) must(rules::find(finding.rule) != nullptr);
  for (const Coverage& coverage : found.coverage) must(coverage.examined <= coverage.bytes);

  std::vector<std::byte> stream;
  scan::encode(0, found, [&](Bytes part) { stream.insert(stream.end(), part.begin(), part.end()); });
  const u64 bytes_of_file = size;
  const scan::Decoded decoded = scan::decode(stream, std::span(&bytes_of_file, 1));
  must(decoded.items[0].has_value());
  must(decoded.items[0]->facts.size() == std::min(found.facts.size(), scan::kMostFacts));
  return 0;
}
