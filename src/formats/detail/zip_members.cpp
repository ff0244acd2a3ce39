#include "formats/detail/zip_members.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "formats/detail/members.hpp"

namespace steelyard::formats {
namespace {

using wire::zip::Archive;
using wire::zip::Entry;
using wire::zip::Reader;
using wire::zip::Selection;

constexpr u64 kChecked = u64{8} << 20;  // stored members up to this size have their checksum computed
constexpr u64 kOverlapCost = 32;        // fuel for a packed byte that is unpacked again
constexpr u64 kMostTarget = 4096;

std::optional<wire::Packing> packing_of(u16 method) {
  switch (method) {
    case 8:
      return wire::Packing::deflate;
    case 12:
      return wire::Packing::bzip2;
    case 14:
      return wire::Packing::zip_lzma;
    case 93:
      return wire::Packing::zstd;
    case 95:
      return wire::Packing::xz;
    default:
      return std::nullopt;
  }
}

// Bytes that a reader may take for a member's content.
struct Candidate {
  Range data;
  u16 method = 0;
  u32 entry = 0;
};

json::Value named(std::string_view name) { return json::Value().set("name", text::to_value(name.substr(0, 256))); }

class Examiner {
 public:
  Examiner(Item& item, const Archive& archive, const ZipHooks& hooks) : item_(item), archive_(archive), hooks_(hooks) {}

  void run() {
    structure();
    readers();
    for (u32 i = 0; i < archive_.entries.size(); ++i) attributes(archive_.entries[i]);
    for (const Candidate& candidate : candidates()) examine(candidate);
    for (const wire::zip::Hidden& hidden : archive_.hidden) examine(hidden);
    for (const Range& range : archive_.unclaimed)
      examine_unclaimed(item_, range,
                        range.begin == 0            ? "before the archive"
                        : range.end == item_.size() ? "behind the archive"
                                                    : "between its members");
    Coverage& coverage = item_.coverage();
    coverage.examined = archive_.claimed;
    for (const Range& range : archive_.unclaimed) coverage.examined += range.end - range.begin;
    u64 lost = 0;
    for (const Range& range : lost_) lost += range.end - range.begin;
    coverage.examined -= std::min(lost, coverage.examined);
  }

 private:
  void add(std::string_view rule, std::optional<Range> at, json::Value data) {
    item_.report().add(rule, at, std::move(data));
  }
  void lose(Range range, std::string why) {
    lost_.push_back(range);
    item_.coverage().gaps.push_back({range, std::move(why)});
  }

  void structure() {
    const std::string& zipfile = archive_.why_not(Reader::zipfile);
    const std::string& miniz = archive_.why_not(Reader::miniz);
    if (!zipfile.empty() && !miniz.empty()) add("ARC014", std::nullopt, json::Value().set("why", zipfile));
    if (archive_.limited) {
      add("LIM006", std::nullopt,
          json::Value().set("budget", "number of members").set("name", "the rest of the archive"));
      item_.coverage().gaps.push_back({archive_.directory, "there are too many members"});
    }
    const u64 count = static_cast<u64>(std::ranges::count_if(archive_.entries, [](const Entry& entry) {
      return entry.view(Reader::zipfile).listed || entry.view(Reader::miniz).listed;
    }));
    if (archive_.end_record && !archive_.limited && archive_.declared_entries != count &&
        archive_.declared_entries != (count & UINT16_MAX))
      add("ZIP004", archive_.end_record, json::Value().set("declared", archive_.declared_entries).set("found", count));
    for (const wire::zip::Mismatch& one : archive_.mismatches)
      add("ZIP002", archive_.entries[one.entry].at,
          named(archive_.entries[one.entry].name)
              .set("field", one.field)
              .set("local", text::to_value(one.local))
              .set("central", text::to_value(one.central)));
    for (const auto& [a, b] : archive_.overlaps) {
      const auto name = [&](u32 entry) {
        return entry == wire::zip::kNone ? json::Value("the directory")
                                         : text::to_value(archive_.entries[entry].name.substr(0, 256));
      };
      add("ZIP003", std::nullopt, json::Value().set("one", name(a)).set("other", name(b)));
    }
    for (const auto& [a, b] : archive_.twins)
      add("ARC010", archive_.entries[b].at,
          named(archive_.entries[b].name).set("other", text::to_value(archive_.entries[a].name.substr(0, 256))));
  }

  void readers() {
    for (const wire::zip::Name& name : archive_.names) {
      if (!name.differs || name.name.ends_with('/')) continue;
      const std::string zipfile = archive_.why_not(Reader::zipfile, name);
      const std::string miniz = archive_.why_not(Reader::miniz, name);
      if (miniz == "the method isn't supported") continue;  // no archive for it, but no trick either
      const auto shown = [&](Reader reader, const std::string& why) {
        if (!why.empty()) return "nothing: " + why;
        const Selection& view = archive_.entries[archive_.pick(reader, name)].view(reader);
        return fmt::format("{} bytes at {:#x}", view.data.end - view.data.begin, view.data.begin);
      };
      const u32 pick = archive_.pick(zipfile.empty() ? Reader::zipfile : Reader::miniz, name);
      add("ZIP001", archive_.entries[pick].at,
          named(name.name).set("zipfile", shown(Reader::zipfile, zipfile)).set("miniz", shown(Reader::miniz, miniz)));
    }
  }

  void attributes(const Entry& entry) {
    check_name(item_, entry.name, entry.at);
    other_name(entry);
    const u32 type = entry.file_type();
    if (type == 0120000) {
      const Selection& view = entry.view(entry.view(Reader::zipfile).listed ? Reader::zipfile : Reader::miniz);
      check_link(item_, entry.name, target(entry, view), entry.at);
    } else if (type != 0 && type != 0100000 && type != 0040000) {
      add("ARC009", entry.at, named(entry.name));
    }
  }

  // Info-ZIP's Unicode path: readers that know the field take the member's name from it.
  void other_name(const Entry& entry) {
    other_name(entry, entry.at.begin, 46, 30);
    const Selection& view = entry.view(entry.view(Reader::zipfile).listed ? Reader::zipfile : Reader::miniz);
    if (view.listed) other_name(entry, view.local, 30, 28);
  }

  // The bytes of a header before the name, and where it says how long its fields are.
  void other_name(const Entry& entry, u64 header, u64 fixed, u64 length_at) {
    constexpr u64 kField = 0x7075;
    constexpr std::size_t kPrefix = 5;  // a version and a checksum come first
    std::array<std::byte, 2> length{};
    if (item_.source().read(header + length_at, length) != length.size()) return;
    std::vector<std::byte> extra(std::to_integer<std::size_t>(length[0]) | std::to_integer<std::size_t>(length[1])
                                                                               << 8);
    extra.resize(item_.source().read(header + fixed + entry.name.size(), extra));
    const std::string_view bytes = as_text(extra);
    const auto number = [&](std::size_t at) {
      return static_cast<u64>(static_cast<u8>(bytes[at])) | static_cast<u64>(static_cast<u8>(bytes[at + 1])) << 8;
    };
    for (std::size_t at = 0; at + 4 <= bytes.size(); at += 4 + number(at + 2)) {
      const std::string_view field = bytes.substr(at + 4, number(at + 2));
      if (number(at) != kField || field.size() < kPrefix) continue;
      const std::string_view name = field.substr(kPrefix);
      check_name(item_, name, entry.at);
      const auto plain = [](std::string_view text) {
        return std::ranges::all_of(text, [](char c) { return static_cast<u8>(c) < 0x80; });
      };
      // The field is for letters that the other name can't have.
      if (!name.empty() && name != entry.name && plain(name) && plain(entry.name))
        add("ZIP005", entry.at, named(entry.name).set("other", text::to_value(name.substr(0, 256))));
    }
  }

  std::string target(const Entry& entry, const Selection& view) {
    std::string out(static_cast<std::size_t>(std::min<u64>(kMostTarget, entry.size)), '\0');
    const auto bytes = std::as_writable_bytes(std::span(out));
    if (const auto packing = packing_of(entry.method)) {
      const wire::Unpacked content(item_.source(), view.data.begin, view.data.end, *packing, item_.fuel().unpacking,
                                   true);
      out.resize(content.read(0, bytes));
    } else {
      out.resize(SliceSource(item_.source(), view.data.begin, view.data.end).read(0, bytes));
    }
    return out;
  }

  std::vector<Candidate> candidates() const {
    std::vector<Candidate> out;
    std::set<std::tuple<u64, u64, u16>> seen;
    const auto consider = [&](Range data, u16 method, u32 entry) {
      if (seen.emplace(data.begin, data.end, method).second) out.push_back({data, method, entry});
    };
    for (u32 i = 0; i < archive_.entries.size(); ++i) {
      const Entry& entry = archive_.entries[i];
      for (const Selection& view : entry.views) {
        if (!view.listed || view.data.begin <= view.local) continue;
        if (view.data.end > view.data.begin || view.size == 0) consider(view.data, entry.method, i);
        const u64 end = view.local_end != 0 ? view.local_end : view.data.end;
        if (end != view.data.end || view.local_method != entry.method)
          consider({view.data.begin, std::max(view.data.begin, end)}, view.local_method, i);
      }
    }
    // In the order of their place, for one pass over the file.
    std::ranges::stable_sort(out, {}, [](const Candidate& c) { return std::pair(c.data.begin, c.data.end); });
    return out;
  }

  // Bytes that were examined before cost fuel, so that members that share them can't multiply the work.
  bool pay(Range data) {
    if (data.begin < paid_) {
      const u64 again = std::min(data.end, paid_) - data.begin;
      const u64 cost = checked_mul(again, kOverlapCost).value_or(UINT64_MAX);
      u64& fuel = item_.fuel().unpacking.fuel;
      if (fuel < cost) {
        fuel = 0;
        return false;
      }
      fuel -= cost;
    }
    paid_ = std::max(paid_, data.end);
    return true;
  }

  void examine(const Candidate& candidate) {
    const Entry& entry = archive_.entries[candidate.entry];
    if (entry.file_type() == 0120000) return;
    if (candidate.data.begin == candidate.data.end && entry.size == 0) return;  // an empty member or a folder
    if (entry.encrypted()) {
      add("ARC004", candidate.data, named(entry.name));
      lose(candidate.data, "an encrypted member");
      return;
    }
    if (candidate.method == 0 && hooks_.claims(entry, candidate.data)) return;
    content(entry.name, candidate.data, candidate.method, entry.size, entry.crc, true);
  }

  void examine(const wire::zip::Hidden& hidden) {
    const Range data{hidden.local.data, hidden.end};
    add("ARC013", Range{hidden.local.at, hidden.end}, named(hidden.local.name));
    check_name(item_, hidden.local.name, Range{hidden.local.at, hidden.local.data});
    if ((hidden.local.flags & 1) != 0) {
      add("ARC004", data, named(hidden.local.name));
      lose(data, "an encrypted member");
    } else if (data.end > data.begin) {
      content(hidden.local.name, data, hidden.local.method, hidden.local.size, hidden.local.crc,
              !hidden.local.streamed());
    }
  }

  void content(const std::string& name, Range data, u16 method, u64 size, u32 crc, bool declared) {
    if (!pay(data)) {
      add("ARC001", data, named(name).set("why", "members share bytes, and the budget is spent").set("bytes", 0));
      lose(data, "the budget for unpacking is spent");
      return;
    }
    if (method == 0) {
      if (declared && data.end - data.begin == size && size <= kChecked && checksum(data) != crc)
        add("ARC015", data, named(name).set("why", "its checksum is wrong").set("bytes", size));
      examine_stored(item_, name, data, hooks_.loader);
      return;
    }
    const auto packing = packing_of(method);
    if (!packing) {
      add("ARC005", data, named(name).set("method", u64{method}));
      lose(data, "a compression method that isn't supported");
      return;
    }
    const u64 used = examine_packed(item_, {.name = name,
                                            .range = data,
                                            .packing = *packing,
                                            .single = true,
                                            .size = declared ? std::optional(size) : std::nullopt,
                                            .checksum = declared ? std::optional(crc) : std::nullopt,
                                            .loader = hooks_.loader});
    if (declared && used < data.end - data.begin && used > 0)
      add("ARC003", Range{data.begin + used, data.end}, named(name).set("bytes", data.end - data.begin - used));
  }

  u32 checksum(Range data) const {
    u32 crc = 0;
    std::vector<std::byte> window(static_cast<std::size_t>(std::min<u64>(64 * 1024, data.end - data.begin)));
    for (u64 at = data.begin; at < data.end;) {
      const std::size_t count =
          item_.source().read(at, std::span(window).first(std::min<u64>(window.size(), data.end - at)));
      if (count == 0) break;
      crc = wire::crc32(crc, Bytes(window).first(count));
      at += count;
    }
    return crc;
  }

  Item& item_;
  const Archive& archive_;
  const ZipHooks& hooks_;
  u64 paid_ = 0;
  std::vector<Range> lost_;
};

}  // namespace

void examine_zip(Item& item, const wire::zip::Archive& archive, const ZipHooks& hooks) {
  Examiner(item, archive, hooks).run();
}

}  // namespace steelyard::formats
