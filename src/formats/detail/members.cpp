#include "formats/detail/members.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "formats/detail/layout.hpp"

namespace steelyard::formats {
namespace {

constexpr std::size_t kShown = 256;

json::Value named(std::string_view name) { return json::Value().set("name", text::to_value(name.substr(0, kShown))); }

bool leads_out(std::string_view path) {
  if (path.starts_with('/') || path.starts_with('\\')) return true;
  if (path.size() >= 2 && path[1] == ':' && ((path[0] | 0x20) >= 'a' && (path[0] | 0x20) <= 'z')) return true;
  int depth = 0;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find_first_of("/\\", begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part == "..") {
      if (--depth < 0) return true;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
    begin = end + 1;
  }
  return false;
}

bool all_zero(const Source& source, Range range) {
  std::array<std::byte, 4096> window;
  for (u64 at = range.begin; at < range.end;) {
    const std::size_t count = source.read(at, std::span(window).first(std::min<u64>(window.size(), range.end - at)));
    if (count == 0) return false;
    if (std::ranges::any_of(std::span(window).first(count), [](std::byte b) { return b != std::byte{0}; }))
      return false;
    at += count;
  }
  return true;
}

}  // namespace

void check_name(Item& item, std::string_view name, std::optional<Range> at) {
  if (leads_out(name)) item.report().add("ARC006", at, named(name));
  const bool control = std::ranges::any_of(name, [](char c) { return static_cast<u8>(c) < 0x20 || c == 0x7F; });
  if (control) item.report().add("ARC016", at, named(name));
}

void check_link(Item& item, std::string_view name, std::string_view target, std::optional<Range> at) {
  // A link's target is relative to where the link stands.
  const std::size_t slash = name.rfind('/');
  const std::string path =
      std::string(name.substr(0, slash == std::string_view::npos ? 0 : slash + 1)) + std::string(target);
  const bool out = leads_out(target.starts_with('/') || target.starts_with('\\') ? std::string(target) : path);
  item.report().add(out ? "ARC008" : "ARC007", at, named(name).set("target", text::to_value(target.substr(0, kShown))));
}

u64 examine_packed(Item& item, const Packed& packed) {
  const wire::Unpacked content(item.source(), packed.range.begin, packed.range.end, packed.packing,
                               item.fuel().unpacking, packed.single);
  using End = wire::Unpacked::End;
  const auto report = [&](std::string_view rule, std::string why) {
    item.report().add(rule, packed.range, named(packed.name).set("why", std::move(why)).set("bytes", content.size()));
  };
  const std::string_view kind = to_string(packed.packing);
  if (content.ended() == End::fuel) report("ARC001", "the budget for unpacking is spent");
  if (content.ended() == End::memory)
    report("ARC001", fmt::format("its {} dictionary is beyond the memory budget", kind));
  if (content.ended() == End::truncated) report("ARC002", fmt::format("{}: {}", kind, content.why()));
  if (content.ended() == End::damaged) report("ARC002", fmt::format("{}: {}", kind, content.why()));
  if (content.ended() == End::complete && packed.size && *packed.size != content.size())
    report("ARC002", fmt::format("{} bytes are declared, {} come out", *packed.size, content.size()));
  else if (content.ended() == End::complete && packed.checksum && *packed.checksum != content.crc32())
    report("ARC015", "its checksum is wrong");
  const bool whole = content.ended() == End::complete;
  if (!whole) item.coverage().gaps.push_back({packed.range, "it could not be unpacked to its end"});
  if (content.size() > 0 || !whole)
    (void)item.child(content, {.name = packed.name, .range = packed.range, .encoding = kind, .loader = packed.loader});
  return content.consumed();
}

void examine_stored(Item& item, std::string name, Range range, std::string_view loader) {
  const SliceSource content(item.source(), range.begin, range.end);
  (void)item.child(content, {.name = std::move(name), .range = range, .encoding = {}, .loader = loader});
}

void examine_unclaimed(Item& item, Range range, std::string_view where) {
  const bool zero = all_zero(item.source(), range);
  const std::string_view what = zero ? "zeros" : recognise(item.source(), range.begin);
  item.report().add(zero ? "ARC012" : "ARC011", range,
                    json::Value()
                        .set("bytes", range.end - range.begin)
                        .set("where", where)
                        .set("what", what.empty() ? "something unknown" : what));
  if (!zero) examine_stored(item, fmt::format("bytes {}", where), range, {});
}

}  // namespace steelyard::formats
