// Driver of archives_test.py: one request per line, one JSON object per answer.
//   unpack KIND N PATH   what unpacking comes to, digests of the first N bytes and their second half
//   tar PATH             the members that tarfile lists: name, type, where the data is, size
//   zip PATH             by reader: why it doesn't open, or each name with the digest of its content

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <vector>

#include "base/json.hpp"
#include "base/sha256.hpp"
#include "wire/tar.hpp"
#include "wire/unpack.hpp"
#include "wire/zip.hpp"

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

std::string hex(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("{:02x}", static_cast<u8>(c));
  return out;
}

// What a reader that ignores checksums gets for an entry.
json::Value content(const Source& source, const wire::zip::Entry& entry, wire::zip::Reader reader) {
  const wire::zip::Selection& view = entry.view(reader);
  json::Value answer = json::Value().set("refused", view.refused != nullptr ? view.refused : "").set("size", view.size);
  if (entry.method == 0)
    return answer.set("sha256", digest(source, view.data.begin, view.data.end)).set("end", "complete");
  wire::UnpackBudget budget{.fuel = u64{1} << 34};
  const auto packing = entry.method == 8    ? wire::Packing::deflate
                       : entry.method == 12 ? wire::Packing::bzip2
                                            : wire::Packing::zip_lzma;
  const wire::Unpacked unpacked(source, view.data.begin, view.data.end, packing, budget, true);
  return answer.set("sha256", digest(unpacked, 0, std::min(unpacked.size(), view.size)))
      .set("end", unpacked.ended() == wire::Unpacked::End::complete ? "complete" : "damaged")
      .set("unpacked", unpacked.size());
}

json::Value tar(const Source& source) {
  const wire::tar::Archive archive = wire::tar::read(source);
  json::Value members = json::Array{};
  u64 unclaimed = 0;
  for (const Range& range : archive.unclaimed) unclaimed += range.end - range.begin;
  for (const wire::tar::Member& member : archive.members) {
    if (member.behind_end) continue;
    members.push(json::Value()
                     .set("name", hex(member.name))
                     .set("type", int{static_cast<u8>(member.type)})
                     .set("data", member.data.begin)
                     .set("size", member.size)
                     .set("sparse", member.sparse));
  }
  return json::Value()
      .set("members", members)
      .set("problem", archive.problem)
      .set("accounted", archive.claimed + unclaimed);
}

json::Value zip(const Source& source) {
  const wire::zip::Archive archive = wire::zip::read(source);
  json::Value answer;
  for (const auto reader : {wire::zip::Reader::zipfile, wire::zip::Reader::miniz}) {
    json::Value names = json::Object{};
    for (const wire::zip::Name& name : archive.names) {
      const u32 pick = archive.pick(reader, name);
      if (pick != wire::zip::kNone)
        names.set(hex(name.name), content(source, archive.entries[pick], reader).set("entry", pick));
    }
    answer.set(reader == wire::zip::Reader::zipfile ? "zipfile" : "miniz",
               json::Value().set("refused", archive.why_not(reader)).set("names", names));
  }
  json::Value names = json::Array{};
  for (const wire::zip::Name& name : archive.names) names.push(hex(name.name));
  return answer.set("names", names)
      .set("claimed", archive.claimed)
      .set("unclaimed", archive.unclaimed.size())
      .set("overlaps", archive.overlaps.size())
      .set("hidden", archive.hidden.size());
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
    words >> request;
    if (request == "unpack") words >> kind >> first;
    words >> path;
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const MemorySource source(as_bytes(bytes));
    fmt::print("{}\n", json::compact(request == "zip"   ? zip(source)
                                     : request == "tar" ? tar(source)
                                                        : unpack(source, kind, first)));
    std::fflush(stdout);
  }
  return 0;
}
