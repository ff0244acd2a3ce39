// Driver of archives_test.py: one request per line, one JSON object per answer.
//   unpack KIND N PATH   what unpacking comes to, digests of the first N bytes and their second half

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <vector>

#include "base/json.hpp"
#include "base/sha256.hpp"
#include "wire/unpack.hpp"

namespace {

using namespace steelyard;

std::string digest(const Source& source, u64 begin, u64 end) {
  Sha256 hash;
  std::vector<std::byte> window(50'000);  // no divisor of the reader's own windows
  for (u64 at = begin; at < end;) {
    const std::size_t count = source.read(at, std::span(window).first(std::min<u64>(window.size(), end - at)));
    if (count == 0) break;
    hash.update(Bytes(window).first(count));
    at += count;
  }
  return hash.finish();
}

json::Value unpack(const Source& source, std::string_view kind, u64 first) {
  wire::UnpackBudget budget{.fuel = u64{1} << 34};
  const u64 memory = budget.memory;
  json::Value answer;
  for (int i = 0; i < 9; ++i) {
    const auto packing = static_cast<wire::Packing>(i);
    if (wire::to_string(packing) != kind) continue;
    const wire::Unpacked content(source, 0, source.size(), packing, budget);
    constexpr std::array<std::string_view, 5> kEnds = {"complete", "truncated", "damaged", "fuel", "memory"};
    answer.set("size", content.size())
        .set("end", kEnds[static_cast<std::size_t>(content.ended())])
        .set("why", content.why())
        .set("consumed", content.consumed())
        .set("streams", content.streams())
        .set("sha256", digest(content, 0, std::min(first, content.size())))
        .set("tail", digest(content, std::min(first, content.size()) / 2, std::min(first, content.size())));
  }
  return answer.set("balanced", budget.memory == memory);
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string request;
    std::string kind;
    std::string path;
    u64 first = 0;
    words >> request >> kind >> first >> path;
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    fmt::print("{}\n", json::compact(unpack(MemorySource(as_bytes(bytes)), kind, first)));
    std::fflush(stdout);
  }
  return 0;
}
