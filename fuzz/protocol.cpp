// The decoder of a worker's output: whatever is accepted keeps every promise.

#include "scan/protocol.hpp"

#include <cstdlib>

#include "rules/catalog.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace steelyard;
  constexpr u64 kSizes[] = {100, 5000};
  const scan::Decoded decoded = scan::decode(std::as_bytes(std::span(data, size)), kSizes);
  for (std::size_t i = 0; i < 2; ++i) {
    if (!decoded.items[i]) continue;
    for (const Finding& finding : decoded.items[i]->findings) {
      if (rules::find(finding.rule) == nullptr) std::abort();
      if (finding.at && finding.at->end > kSizes[i]) std::abort();
    }
    for (const Coverage& coverage : decoded.items[i]->coverage) {
      if (coverage.examined > coverage.bytes) std::abort();
    }
  }
  return 0;
}
