// The two readers, to the detail: Lib/zipfile.py (ZipFile._RealGetContents, ZipInfo._decodeExtra,
// ZipFile.open) and miniz.c (mz_zip_reader_read_central_dir, mz_zip_file_stat_internal,
// mz_zip_locate_file_binary_search, mz_zip_reader_extract_to_mem_no_alloc1, as PyTorch builds it).

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/checked.hpp"
#include "base/cursor.hpp"
#include "base/text.hpp"
#include "wire/zip_parts.hpp"

namespace steelyard::wire::zip {
namespace {

// Code page 437, its upper half, as UTF-8.
constexpr std::array<std::string_view, 128> kCodePage437 = {
    "Ç", "ü", "é", "â", "ä", "à", "å", "ç", "ê", "ë", "è", "ï", "î", "ì", "Ä", "Å", "É", "æ",     "Æ", "ô", "ö", "ò",
    "û", "ù", "ÿ", "Ö", "Ü", "¢", "£", "¥", "₧", "ƒ", "á", "í", "ó", "ú", "ñ", "Ñ", "ª", "º",     "¿", "⌐", "¬", "½",
    "¼", "¡", "«", "»", "░", "▒", "▓", "│", "┤", "╡", "╢", "╖", "╕", "╣", "║", "╗", "╝", "╜",     "╛", "┐", "└", "┴",
    "┬", "├", "─", "┼", "╞", "╟", "╚", "╔", "╩", "╦", "╠", "═", "╬", "╧", "╨", "╤", "╥", "╙",     "╘", "╒", "╓", "╫",
    "╪", "┘", "┌", "█", "▄", "▌", "▐", "▀", "α", "ß", "Γ", "π", "Σ", "σ", "µ", "τ", "Φ", "Θ",     "Ω", "δ", "∞", "φ",
    "ε", "∩", "≡", "±", "≥", "≤", "⌠", "⌡", "÷", "≈", "°", "∙", "·", "√", "ⁿ", "²", "■", "\u00a0"};

u64 number(Bytes bytes, std::size_t at, std::size_t size) {
  u64 value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | std::to_integer<u64>(bytes[at + i]);
  return value;
}

// zip64 sizes and offset from the extra field. False: the reader refuses the archive.
bool apply_extra(Bytes extra, Reader reader, Entry& entry, std::string& why) {
  const bool wanted = extra.size() > 0 && std::max({entry.packed, entry.size, entry.offset}) == UINT32_MAX;
  if (reader == Reader::miniz && !wanted) return true;
  while (extra.size() >= 4 || (reader == Reader::miniz && !extra.empty())) {
    if (extra.size() < 4) {
      why = "an extra field is cut short";
      return false;
    }
    const std::size_t length = number(extra, 2, 2);
    if (length + 4 > extra.size()) {
      why = "an extra field is cut short";
      return false;
    }
    if (number(extra, 0, 2) == 1) {
      Bytes data = extra.subspan(4, length);
      for (u64* value : {&entry.size, &entry.packed, &entry.offset}) {
        const bool missing =
            *value == UINT32_MAX || (reader == Reader::zipfile && value == &entry.size && *value == UINT64_MAX);
        if (!missing) continue;
        if (data.size() < 8) {
          why = "a zip64 field is cut short";
          // miniz finds that when it opens the member.
          if (reader == Reader::zipfile) return false;
          entry.views[static_cast<std::size_t>(reader)].refused = "a zip64 field is cut short";
          return true;
        }
        *value = number(data, 0, 8);
        data = data.subspan(8);
      }
      if (reader == Reader::miniz) return true;
    }
    extra = extra.subspan(4 + length);
  }
  return true;
}

// What miniz checks of every entry before it opens the archive at all.
const char* miniz_refuses(const Source& source, const Directory& directory, const Entry& entry) {
  if (entry.packed != UINT32_MAX && entry.size != UINT32_MAX) {
    // It reads method and time as one number.
    if ((entry.method == 0 && entry.time == 0 && entry.size != entry.packed) || (entry.size != 0 && entry.packed == 0))
      return "an entry's sizes contradict each other";
  }
  if (entry.disk == UINT16_MAX || (entry.disk != directory.disk && entry.disk != 1)) return "it spans several disks";
  // As there, in 64 bits that wrap.
  if (entry.packed != UINT32_MAX && entry.offset + kLocalSize + entry.packed > source.size())
    return "an entry lies beyond the end";
  if ((entry.flags & 0x2000) != 0) return "its directory is encrypted";
  return nullptr;
}

std::string lower(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

// miniz's order of names: its heap sort isn't stable, and which of several equal names its binary
// search meets depends on that.
class MinizIndex {
 public:
  explicit MinizIndex(const Archive& archive) {
    for (u32 i = 0; i < archive.entries.size(); ++i) {
      if (!archive.entries[i].view(Reader::miniz).listed) continue;
      order_.push_back(static_cast<u32>(names_.size()));
      entries_.push_back(i);
      names_.push_back(lower(archive.entries[i].name));
    }
    sort();
  }
  u32 locate(const std::string& lower_name) const {
    for (i64 low = 0, high = static_cast<i64>(order_.size()) - 1; low <= high;) {
      const i64 middle = low + ((high - low) >> 1);
      const u32 index = order_[static_cast<std::size_t>(middle)];
      const int order = names_[index].compare(lower_name);
      if (order == 0) return entries_[index];
      if (order < 0)
        low = middle + 1;
      else
        high = middle - 1;
    }
    return kNone;
  }
  std::span<const std::string> names() const { return names_; }

 private:
  bool less(std::size_t a, std::size_t b) const { return names_[order_[a]] < names_[order_[b]]; }
  void sift(std::size_t root, std::size_t end) {
    while (true) {
      std::size_t child = 2 * root + 1;
      if (child >= end) return;
      if (child + 1 < end && less(child, child + 1)) ++child;
      if (!less(root, child)) return;
      std::swap(order_[root], order_[child]);
      root = child;
    }
  }
  void sort() {
    const std::size_t size = order_.size();
    if (size <= 1) return;
    for (std::size_t start = (size - 2) / 2 + 1; start-- > 0;) sift(start, size);
    for (std::size_t end = size - 1; end > 0; --end) {
      std::swap(order_[end], order_[0]);
      sift(0, end);
    }
  }

  std::vector<std::string> names_;  // lower case; compared as unsigned bytes, then by length
  std::vector<u32> order_;
  std::vector<u32> entries_;
};

void select_one(const Source& source, Reader reader, const Local& local, Entry& entry) {
  Selection& view = entry.views[static_cast<std::size_t>(reader)];
  const auto refuse = [&](const char* why) {
    if (view.refused == nullptr) view.refused = why;
  };
  const u64 end = checked_add(local.data, entry.packed).value_or(UINT64_MAX);
  view.data = {std::min(local.data, source.size()), std::min(end, source.size())};
  view.size = entry.size;
  view.local_method = local.method;
  if (!local.streamed())
    view.local_end = std::min(checked_add(local.data, local.packed).value_or(UINT64_MAX), source.size());
  if (reader == Reader::zipfile) {
    if ((entry.flags & 0x20) != 0) refuse("compressed patched data");
    if ((entry.flags & 0x40) != 0) refuse("strong encryption");
    const auto mine = decode_name(local.name, local.flags);
    if (!mine || mine != decode_name(entry.name, entry.flags)) refuse("the local header has another name");
    if ((entry.flags & 1) != 0) refuse("encrypted");
    if (entry.method != 0 && entry.method != 8 && entry.method != 12 && entry.method != 14)
      refuse("the method isn't supported");
    const u64 needed = entry.method == 0 ? std::min(entry.size, entry.packed) : 0;  // a stream may end before
    if (needed > source.size() - view.data.begin) refuse("its data lies beyond the end");
    if (entry.method == 0)
      view.data.end = std::min(view.data.end, view.data.begin + std::min(entry.size, entry.packed));
    if (entry.method == 0) view.size = std::min(entry.size, entry.packed);
    return;
  }
  if (entry.directory() || entry.packed == 0) {
    view.data.end = view.data.begin;
    return;
  }
  if ((entry.flags & (1U | 0x20U | 0x40U)) != 0) refuse("encrypted");
  if (entry.method != 0 && entry.method != 8) refuse("the method isn't supported");
  if (end > source.size()) refuse("its data lies beyond the end");
  if (entry.method == 0) {
    const u64 stored_end = checked_add(local.data, entry.size).value_or(UINT64_MAX);
    if (stored_end > source.size()) refuse("its data lies beyond the end");
    view.data.end = std::max(view.data.begin, std::min(stored_end, source.size()));
  }
}

void note_mismatches(const Local& local, u32 index, const Entry& entry, Archive& archive) {
  constexpr std::size_t kMost = 1024;
  const auto add = [&](const char* field, std::string here, std::string there) {
    if (archive.mismatches.size() < kMost)
      archive.mismatches.push_back({index, field, std::move(here), std::move(there)});
  };
  const auto numbers = [&](const char* field, u64 here, u64 there) {
    if (here != there) add(field, std::to_string(here), std::to_string(there));
  };
  if (local.name != entry.name) add("name", local.name.substr(0, 256), entry.name.substr(0, 256));
  numbers("method", local.method, entry.method);
  numbers("flags", local.flags, entry.flags);
  if (local.streamed()) return;
  numbers("checksum", local.crc, entry.crc);
  numbers("packed size", local.packed, entry.packed);
  numbers("size", local.size, entry.size);
}

}  // namespace

std::optional<std::string> decode_name(std::string_view raw, u16 flags) {
  if ((flags & 0x800) != 0) return text::valid_utf8(raw) ? std::optional<std::string>(raw) : std::nullopt;
  std::string out;
  for (const char c : raw) {
    const auto byte = static_cast<u8>(c);
    if (byte < 0x80)
      out += c;
    else
      out += kCodePage437[byte - 0x80U];
  }
  return out;
}

bool list_entries(const Source& source, Reader reader, Directory& directory, Archive& archive) {
  const auto index = static_cast<std::size_t>(reader);
  const u64 limit = directory.begin + directory.size;
  const std::size_t first = archive.entries.size();
  u64 names = 0;
  const auto refuse = [&](std::string why) {
    directory.refused = std::move(why);
    archive.entries.resize(first);
    return false;
  };
  // Nearly always both read the same directory: the second finds the first's entries.
  std::unordered_map<u64, u32> known;
  for (u32 i = 0; i < first; ++i) known.emplace(archive.entries[i].at.begin, i);
  std::vector<Entry> again;

  Cursor in(source, directory.begin, limit);
  for (u64 count = 0; reader == Reader::zipfile ? in.remaining() > 0 : count < directory.entries; ++count) {
    if (count >= kMostEntries || names > kMostNames) {
      archive.limited = true;
      break;
    }
    Entry entry;
    entry.at.begin = in.offset();
    if (in.read<u32>("signature") != 0x02014B50 || in.remaining() < kCentralSize - 4)
      return refuse("the directory is broken");
    entry.made_by = in.read<u16>("made by");
    entry.needed = in.read<u16>("needed");
    entry.flags = in.read<u16>("flags");
    entry.method = in.read<u16>("method");
    entry.time = in.read<u16>("time");
    in.read<u16>("date");
    entry.crc = in.read<u32>("checksum");
    entry.packed = in.read<u32>("packed size");
    entry.size = in.read<u32>("size");
    const u64 name = in.read<u16>("name length");
    const u64 extra_size = in.read<u16>("extra length");
    const u64 comment = in.read<u16>("comment length");
    entry.disk = in.read<u16>("disk");
    in.read<u16>("internal attributes");
    entry.attributes = in.read<u32>("attributes");
    entry.offset = in.read<u32>("offset");
    if (reader == Reader::miniz && name + extra_size + comment > in.remaining())
      return refuse("the directory is broken");
    // zipfile takes what is there.
    entry.name = in.text(std::min(name, in.remaining()), UINT16_MAX, "name");
    const std::string extra = in.text(std::min(extra_size, in.remaining()), UINT16_MAX, "extra");
    in.skip(std::min(comment, in.remaining()), "comment");
    if (!in.ok()) return refuse("the directory can't be read");
    entry.at.end = in.offset();
    names += entry.name.size();
    std::string why;
    if (reader == Reader::zipfile && !decode_name(entry.name, entry.flags)) return refuse("a name is not valid UTF-8");
    if (reader == Reader::zipfile && (entry.needed & 0xFF) > 63) return refuse("it needs a later version");
    if (!apply_extra(as_bytes(extra), reader, entry, why)) return refuse(why);
    if (reader == Reader::miniz) {
      if (const char* problem = miniz_refuses(source, directory, entry)) return refuse(problem);
    }
    entry.views[index].listed = true;
    const auto found = known.find(entry.at.begin);
    Entry* same = found == known.end() ? nullptr : &archive.entries[found->second];
    if (same != nullptr && same->at == entry.at && same->size == entry.size && same->packed == entry.packed &&
        same->offset == entry.offset)
      same->views[index] = entry.views[index];
    else
      again.push_back(std::move(entry));
  }
  archive.entries.insert(archive.entries.end(), std::make_move_iterator(again.begin()),
                         std::make_move_iterator(again.end()));
  return true;
}

void select_contents(const Source& source, Reader reader, const Directory& directory, Archive& archive) {
  for (u32 i = 0; i < archive.entries.size(); ++i) {
    Entry& entry = archive.entries[i];
    Selection& view = entry.views[static_cast<std::size_t>(reader)];
    if (!view.listed) continue;
    std::optional<u64> at = entry.offset;
    if (reader == Reader::zipfile) {
      at = checked_add(entry.offset, directory.begin);
      if (at && *at >= directory.offset)
        *at -= directory.offset;
      else
        at.reset();
    }
    view.local = at.value_or(UINT64_MAX);
    const auto local = at ? read_local(source, *at) : std::nullopt;
    // miniz gives nothing for these, without looking.
    if (!local && reader == Reader::miniz && (entry.directory() || entry.packed == 0)) continue;
    if (!local) {
      if (view.refused == nullptr) view.refused = "no local header where the directory says";
      continue;
    }
    select_one(source, reader, *local, entry);
    const Selection& other = entry.view(Reader::zipfile);
    if (reader == Reader::zipfile || !other.listed || other.local != view.local)
      note_mismatches(*local, i, entry, archive);
  }
}

void compare_readers(Archive& archive) {
  const MinizIndex miniz(archive);
  std::unordered_map<std::string, u32> by_name;  // as zipfile has them: the last one counts
  std::vector<std::string> order;
  const auto first_text = [](std::string name) {
    if (const std::size_t nul = name.find('\0'); nul != std::string::npos) name.resize(nul);
    return name;
  };
  for (u32 i = 0; i < archive.entries.size(); ++i) {
    const Entry& entry = archive.entries[i];
    std::string name =
        entry.view(Reader::zipfile).listed ? first_text(*decode_name(entry.name, entry.flags)) : entry.name;
    const auto [place, fresh] = by_name.try_emplace(name, entry.view(Reader::zipfile).listed ? i : kNone);
    if (fresh) {
      order.push_back(std::move(name));
    } else if (entry.view(Reader::zipfile).listed) {
      if (place->second != kNone) archive.twins.emplace_back(place->second, i);
      place->second = i;
    }
  }
  // Names that differ only in case are one to miniz.
  std::unordered_map<std::string, u32> by_lower;
  for (u32 i = 0; i < archive.entries.size(); ++i) {
    if (!archive.entries[i].view(Reader::miniz).listed) continue;
    const auto [place, fresh] = by_lower.try_emplace(lower(archive.entries[i].name), i);
    const Entry& other = archive.entries[place->second];
    const bool seen = other.name == archive.entries[i].name && other.view(Reader::zipfile).listed &&
                      archive.entries[i].view(Reader::zipfile).listed;
    if (!fresh && !seen) archive.twins.emplace_back(place->second, i);
  }
  for (std::string& text : order) {
    const u32 zipfile = by_name.at(text);
    Name name{{}, {zipfile, text.contains('\0') ? kNone : miniz.locate(lower(text))}, false};
    name.name = std::move(text);
    const bool a = archive.why_not(Reader::zipfile, name).empty();
    const bool b = archive.why_not(Reader::miniz, name).empty();
    if (a && b) {
      const Entry& one = archive.entries[archive.pick(Reader::zipfile, name)];
      const Entry& other = archive.entries[archive.pick(Reader::miniz, name)];
      name.differs = one.view(Reader::zipfile).data != other.view(Reader::miniz).data ||
                     one.view(Reader::zipfile).size != other.view(Reader::miniz).size || one.method != other.method;
    } else {
      name.differs = a || b;
    }
    archive.names.push_back(std::move(name));
  }
}

std::string Archive::why_not(Reader reader, const Name& name) const {
  if (const std::string& all = why_not(reader); !all.empty()) return all;
  const u32 index = pick(reader, name);
  if (index == kNone) return "not found";
  const char* refused_one = entries[index].view(reader).refused;
  return refused_one != nullptr ? refused_one : "";
}

}  // namespace steelyard::wire::zip
