#include "wire/elf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/checked.hpp"
#include "base/cursor.hpp"

namespace steelyard::wire::elf {
namespace {

constexpr u32 kLoad = 1, kDynamic = 2, kInterp = 3, kNote = 4;
constexpr u32 kGnuStack = 0x6474e551, kGnuRelro = 0x6474e552, kGnuProperty = 0x6474e553;
constexpr u64 kNeeded = 1, kHash = 4, kStrtab = 5, kSymtab = 6, kStrsz = 10, kSoname = 14, kRpath = 15, kTextrel = 22,
              kBindNow = 24, kRunpath = 29, kFlags = 30, kGnuHash = 0x6ffffef5, kFlags1 = 0x6ffffffb;
constexpr u32 kSectionSymtab = 2, kSectionDynsym = 11;
constexpr u64 kMostNotes = u64{1} << 20;
constexpr u64 kNameFuel = u64{24} << 20;  // bytes of names that are kept

Has yes_or_no(bool yes) { return yes ? Has::yes : Has::no; }

struct Segment {
  u32 type = 0;
  u32 flags = 0;
  u64 offset = 0;
  u64 address = 0;
  u64 bytes = 0;  // in the file
  u64 align = 0;
};

class Reader {
 public:
  Reader(const Source& source, bool names) : source_(source), names_(names) {}

  std::optional<Image> run() {
    std::array<std::byte, 16> head{};
    if (source_.read(0, head) != head.size() || as_text(Bytes(head).first(4)) != "\177ELF") return std::nullopt;
    const int width = std::to_integer<int>(head[4]);
    const int order = std::to_integer<int>(head[5]);
    if ((width != 1 && width != 2) || (order != 1 && order != 2)) {
      problem("its class or byte order is none");
      return image_;
    }
    image_.wide = width == 2;
    image_.big = order == 2;
    if (!header()) return image_;
    segments();
    dynamic();
    notes();
    symbols();
    decide();
    return image_;
  }

 private:
  void problem(std::string what) {
    if (image_.problems.size() < 20) image_.problems.push_back(std::move(what));
  }
  Cursor at(u64 offset, u64 end = UINT64_MAX) const {
    const u64 size = source_.size();
    return {source_, std::min(offset, size), std::max(std::min(end, size), std::min(offset, size)),
            image_.big ? std::endian::big : std::endian::little};
  }
  u64 word(Cursor& in, std::string_view field) const {
    return image_.wide ? in.read<u64>(field) : u64{in.read<u32>(field)};
  }

  bool header() {
    Cursor in = at(16);
    type_ = in.read<u16>("type");
    image_.machine = in.read<u16>("machine");
    in.read<u32>("version");
    word(in, "entry");
    segments_at_ = word(in, "program headers");
    sections_at_ = word(in, "section headers");
    in.read<u32>("flags");
    in.read<u16>("header size");
    segment_size_ = in.read<u16>("program header size");
    segment_count_ = in.read<u16>("program headers");
    section_size_ = in.read<u16>("section header size");
    section_count_ = in.read<u16>("section headers");
    if (!in.ok()) problem(to_string(*in.fault()));
    image_.kind = type_ == 1   ? Kind::relocatable
                  : type_ == 2 ? Kind::executable
                  : type_ == 3 ? Kind::library
                  : type_ == 4 ? Kind::core
                               : Kind::other;
    return in.ok();
  }

  void segments() {
    if (segment_count_ > kMostHeaders) problem(fmt::format("{} program headers", segment_count_));
    if (segment_count_ != 0 && segment_size_ < (image_.wide ? 56 : 32)) {
      problem("its program headers are too short");
      return;
    }
    for (u64 i = 0; i < std::min<u64>(segment_count_, kMostHeaders); ++i) {
      const auto offset = checked_add(segments_at_, i * segment_size_);
      if (!offset) break;
      Cursor in = at(*offset);
      Segment one;
      one.type = in.read<u32>("segment type");
      if (image_.wide) one.flags = in.read<u32>("flags");
      one.offset = word(in, "offset");
      one.address = word(in, "address");
      word(in, "physical address");
      one.bytes = word(in, "size");
      word(in, "size in memory");
      if (!image_.wide) one.flags = in.read<u32>("flags");
      one.align = word(in, "alignment");
      if (!in.ok()) {
        problem(to_string(*in.fault()));
        break;
      }
      segments_.push_back(one);
    }
  }

  const Segment* segment(u32 type) const {
    const auto found = std::ranges::find(segments_, type, &Segment::type);
    return found == segments_.end() ? nullptr : &*found;
  }

  // The place in the file of an address in memory.
  std::optional<u64> place(u64 address) const {
    for (const Segment& one : segments_) {
      if (one.type == kLoad && address >= one.address && address - one.address < one.bytes)
        return checked_add(one.offset, address - one.address);
    }
    return std::nullopt;
  }

  std::optional<u64> value(u64 tag) const {
    for (const auto& [key, number] : entries_) {
      if (key == tag) return number;
    }
    return std::nullopt;
  }

  // A text of a string table that begins at `table` and has `size` bytes.
  std::optional<std::string> text(u64 table, u64 size, u64 offset) const {
    const auto begin = checked_add(table, offset);
    if (offset >= size || !begin) return std::nullopt;
    std::string out;
    Cursor in = at(*begin, checked_add(table, size).value_or(UINT64_MAX));
    while (out.size() < kLongestName) {
      const Bytes part = in.peek(256);
      if (part.empty()) return std::nullopt;
      const auto end = std::ranges::find(part, std::byte{0});
      out += as_text(part.first(static_cast<std::size_t>(end - part.begin())));
      if (end != part.end()) return out;
      in.skip(part.size(), "text");
    }
    return std::nullopt;
  }

  void dynamic() {
    if (const Segment* interp = segment(kInterp)) {
      if (auto name = text(interp->offset, interp->bytes, 0)) image_.interpreter = std::move(*name);
    }
    const Segment* segment_of = segment(kDynamic);
    if (segment_of == nullptr) return;
    image_.dynamic = true;
    Cursor in = at(segment_of->offset, checked_add(segment_of->offset, segment_of->bytes).value_or(UINT64_MAX));
    while (entries_.size() < kMostDynamic && in.remaining() >= (image_.wide ? 16 : 8)) {
      const u64 tag = word(in, "tag");
      const u64 number = word(in, "value");
      if (tag == 0) {
        dynamic_ended_ = true;
        break;
      }
      entries_.emplace_back(tag, number);
    }
    if (!dynamic_ended_) problem("its dynamic section doesn't end");
    const auto table = value(kStrtab);
    const auto size = value(kStrsz);
    const auto strings = table ? place(*table) : std::nullopt;
    for (const auto& [tag, number] : entries_) {
      if (tag != kNeeded && tag != kSoname && tag != kRpath && tag != kRunpath) continue;
      auto name = strings && size ? text(*strings, *size, number) : std::nullopt;
      if (!name) {
        problem("a name in its dynamic section is outside of the table");
      } else if (tag == kNeeded) {
        image_.needed.push_back(std::move(*name));
      } else if (tag == kSoname) {
        image_.soname = std::move(*name);
      } else {
        image_.search.push_back(std::move(*name));
      }
    }
    if (strings && size) imports(*strings, *size);
  }

  // How many dynamic symbols there are to look at, which no entry says: the chains of a hash table; the section
  // of the same place; where a GNU hash table begins (undefined symbols come first; one without content says nothing);
  // or the room up to the names.
  u64 symbol_count(u64 symbols, u64 strings) const {
    if (const auto hash = value(kHash)) {
      if (const auto begin = place(*hash)) {
        Cursor in = at(*begin);
        in.read<u32>("buckets");
        return in.read<u32>("chains");
      }
    }
    const u64 each = image_.wide ? 24 : 16;
    for (u64 i = 0; section_size_ >= (image_.wide ? 64 : 40) && i < std::min<u64>(section_count_, 4 * kMostHeaders);
         ++i) {
      const auto table = section(i);
      if (table && table->type == kSectionDynsym && table->offset == symbols) return table->bytes / each;
    }
    if (const auto gnu = value(kGnuHash)) {
      if (const auto begin = place(*gnu)) {
        Cursor in = at(*begin);
        in.read<u32>("buckets");
        if (const u32 first = in.read<u32>("first symbol"); first > 1) return first;
      }
    }
    return strings > symbols ? (strings - symbols) / each : 0;
  }

  void imports(u64 strings, u64 size) {
    const auto table = value(kSymtab);
    const auto symbols = table ? place(*table) : std::nullopt;
    if (!symbols) return;
    const u64 count = symbol_count(*symbols, strings);
    if (count > kMostSymbols) problem(fmt::format("{} dynamic symbols", count));
    imports_read_ = count > 0 && count <= kMostSymbols;
    each_symbol(*symbols, std::min<u64>(count, kMostSymbols), strings, size, [&](std::string name, bool defined) {
      if (!defined) image_.imports.push_back(std::move(name));
    });
    std::ranges::sort(image_.imports);
    image_.imports.erase(std::ranges::unique(image_.imports).begin(), image_.imports.end());
  }

  template <class Each>
  void each_symbol(u64 symbols, u64 count, u64 strings, u64 size, const Each& each) {
    Cursor in = at(symbols);
    u64 kept = 0;
    for (u64 i = 0; i < count; ++i) {
      const u32 name = in.read<u32>("name");
      if (image_.wide) {
        in.skip(2, "information");
      } else {
        in.skip(10, "value, size and information");
      }
      const u16 section = in.read<u16>("section");
      if (image_.wide) in.skip(16, "value and size");
      if (!in.ok()) {
        problem(to_string(*in.fault()));
        return;
      }
      if (name == 0) continue;
      auto known = text(strings, size, name);
      if (!known) {
        problem("the name of a symbol is outside of the table");
        continue;
      }
      kept += known->size();
      if (kept > kNameFuel) {
        problem("more names of symbols than are kept");
        return;
      }
      if (!known->empty()) each(std::move(*known), section != 0);
    }
  }

  void notes() {
    for (const Segment& one : segments_) {
      if (one.type != kNote && one.type != kGnuProperty) continue;
      note(one);
    }
  }
  void note(const Segment& segment_of) {
    const u64 align = segment_of.align == 8 ? 8 : 4;
    Cursor in =
        at(segment_of.offset, checked_add(segment_of.offset, std::min(segment_of.bytes, kMostNotes)).value_or(0));
    while (in.ok() && in.remaining() >= 12) {
      const u32 name_size = in.read<u32>("name size");
      const u32 size = in.read<u32>("size");
      const u32 type = in.read<u32>("type");
      const auto name_room = checked_align(name_size, 4);
      const auto room = checked_align(size, align);
      if (!name_room || !room || *name_room > in.remaining()) break;
      const std::string name = in.text(*name_room, kMostNotes, "name");
      // The description begins aligned within the segment.
      const u64 skew = (align - (in.offset() - segment_of.offset) % align) % align;
      if (skew != 0 && !in.skip(skew, "padding")) break;
      const u64 length = std::min<u64>(*room, in.remaining());
      if (size > length) {
        problem("a note that goes beyond its segment");
        break;
      }
      const std::string content = in.text(length, kMostNotes, "description").substr(0, size);
      if (!name.starts_with(std::string_view("GNU\0", 4))) continue;
      if (type == 3 && image_.build_id.empty() && content.size() <= 64) {
        for (const char c : content) image_.build_id += fmt::format("{:02x}", static_cast<u8>(c));
      }
      if (type == 5) property(content);
    }
  }
  void property(const std::string& content) {
    const MemorySource source(as_bytes(content));
    Cursor in(source, 0, content.size(), image_.big ? std::endian::big : std::endian::little);
    while (in.ok() && in.remaining() >= 8) {
      const u32 type = in.read<u32>("property");
      const u32 size = in.read<u32>("size");
      if (type == 0xc0000002U && size == 4) {
        const u32 bits = in.read<u32>("features");
        image_.ibt = yes_or_no((bits & 1U) != 0);
        image_.shstk = yes_or_no((bits & 2U) != 0);
        in.skip(image_.wide && in.remaining() >= 4 ? 4 : 0, "padding");
        continue;
      }
      const auto room = checked_align(size, image_.wide ? 8 : 4);
      if (!room || *room > in.remaining()) return;
      in.skip(*room, "property");
    }
  }

  void symbols() {
    if (!names_ || section_size_ < (image_.wide ? 64 : 40)) return;
    for (u64 i = 0; i < std::min<u64>(section_count_, 4 * kMostHeaders); ++i) {
      const auto table = section(i);
      if (!table || table->type != kSectionSymtab) continue;
      const auto strings = section(table->link);
      if (!strings) continue;
      const u64 each = image_.wide ? 24 : 16;
      if (table->bytes / each > kMostSymbols) problem(fmt::format("{} symbols", table->bytes / each));
      symbols_read_ = table->bytes / each <= kMostSymbols;
      each_symbol(table->offset, std::min<u64>(table->bytes / each, kMostSymbols), strings->offset, strings->bytes,
                  [&](std::string name, bool defined) {
                    if (defined) image_.names.push_back(std::move(name));
                  });
      break;
    }
    std::ranges::sort(image_.names);
    image_.names.erase(std::ranges::unique(image_.names).begin(), image_.names.end());
  }
  struct Section {
    u32 type = 0;
    u64 offset = 0;
    u64 bytes = 0;
    u32 link = 0;
  };
  std::optional<Section> section(u64 index) const {
    const auto offset = checked_add(sections_at_, index * section_size_);
    if (!offset || index >= section_count_) return std::nullopt;
    Cursor in = at(*offset);
    Section out;
    in.read<u32>("name");
    out.type = in.read<u32>("type");
    word(in, "flags");
    word(in, "address");
    out.offset = word(in, "offset");
    out.bytes = word(in, "size");
    out.link = in.read<u32>("link");
    return in.ok() ? std::optional(out) : std::nullopt;
  }

  void decide() {
    const u64 flags_1 = value(kFlags1).value_or(0);
    const u64 flags = value(kFlags).value_or(0);
    constexpr u64 kPie = 0x08000000;
    if (image_.kind == Kind::library && ((flags_1 & kPie) != 0 || !image_.interpreter.empty()))
      image_.kind = Kind::position_independent;
    const bool loads = type_ == 2 || type_ == 3;
    if (!loads || segments_.empty()) return;

    image_.relro = yes_or_no(segment(kGnuRelro) != nullptr);
    if (image_.dynamic) {
      if (dynamic_ended_) {
        image_.bind_now = yes_or_no(value(kBindNow).has_value() || (flags & 8U) != 0 || (flags_1 & 1U) != 0);
        image_.text_relocations = yes_or_no(value(kTextrel).has_value() || (flags & 4U) != 0);
      }
    } else {
      image_.bind_now = Has::yes;  // nothing is bound later
      image_.text_relocations = Has::no;
    }
    const Segment* stack = segment(kGnuStack);
    const bool both =
        std::ranges::any_of(segments_, [](const Segment& s) { return s.type == kLoad && (s.flags & 3U) == 3U; });
    image_.nx = yes_or_no(stack != nullptr && (stack->flags & 1U) == 0 && !both);
    if (image_.ibt == Has::unknown) image_.ibt = image_.shstk = Has::no;

    // A static program has its own copies of libc's functions: only its symbol table tells.
    const bool by_imports = image_.dynamic && imports_read_ && !image_.needed.empty();
    const auto& list = by_imports ? image_.imports : image_.names;
    if (!by_imports && !symbols_read_) return;
    const auto has = [&](std::string_view name) { return std::ranges::binary_search(list, name); };
    image_.canary = yes_or_no(has("__stack_chk_fail") || has("__stack_chk_fail_local"));
    image_.fortify =
        by_imports
            ? yes_or_no(std::ranges::any_of(
                  list, [](const std::string& name) { return name.starts_with("__") && name.ends_with("_chk"); }))
            : Has::unknown;
  }

  const Source& source_;
  bool names_;
  Image image_;
  u16 type_ = 0;
  u64 segments_at_ = 0;
  u64 sections_at_ = 0;
  u64 segment_size_ = 0;
  u64 segment_count_ = 0;
  u64 section_size_ = 0;
  u64 section_count_ = 0;
  std::vector<Segment> segments_;
  std::vector<std::pair<u64, u64>> entries_;  // of the dynamic section
  bool dynamic_ended_ = false;
  bool imports_read_ = false;
  bool symbols_read_ = false;
};

}  // namespace

std::optional<Image> read(const Source& source, bool names) { return Reader(source, names).run(); }

std::string_view to_string(Has has) { return has == Has::yes ? "yes" : has == Has::no ? "no" : "unknown"; }

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::executable:
      return "executable";
    case Kind::position_independent:
      return "position-independent executable";
    case Kind::library:
      return "library";
    case Kind::relocatable:
      return "object";
    case Kind::core:
      return "core";
    case Kind::other:
      break;
  }
  return "other";
}

}  // namespace steelyard::wire::elf
