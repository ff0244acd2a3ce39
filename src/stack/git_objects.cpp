#include "stack/git_objects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/checked.hpp"
#include "base/cursor.hpp"
#include "base/sha256.hpp"
#include "io/tree.hpp"
#include "wire/unpack.hpp"

namespace steelyard::stack {
namespace {

constexpr u64 kFanout = 8;
constexpr u64 kNames = kFanout + 256 * 4;
constexpr u64 kTrailer = 20;
constexpr std::array<std::string_view, 5> kTypes = {"", "commit", "tree", "blob", "tag"};

// The plain bytes of the zlib stream that begins at `at`, exactly `size` of them.
std::optional<std::string> inflate(const Source& source, u64 at, u64 end, u64 size, std::string& why) {
  if (size > Objects::kMostBytes) {
    why = fmt::format("an object of {} bytes", size);
    return std::nullopt;
  }
  wire::UnpackBudget budget{.fuel = 4 * (Objects::kMostBytes + size)};
  const wire::Unpacked plain(source, at, end, wire::Packing::zlib, budget, true);
  if (plain.ended() != wire::Unpacked::End::complete || plain.size() != size) {
    why = fmt::format("a damaged stream at {}", at);
    return std::nullopt;
  }
  std::string out(size, '\0');
  if (plain.read(0, std::as_writable_bytes(std::span(out))) != size) return std::nullopt;
  return out;
}

// Sizes at the front of a delta: seven bits a byte, the lowest first.
u64 delta_size(Cursor& in) {
  u64 value = 0;
  for (unsigned shift = 0; shift <= 56; shift += 7) {
    const u8 byte = in.read<u8>("size");
    value |= u64{byte & 0x7FU} << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  in.fail("size", "it doesn't end");
  return 0;
}

std::optional<std::string> apply(const std::string& base, const std::string& delta, std::string& why) {
  const MemorySource source(as_bytes(delta));
  Cursor in(source);
  const u64 from = delta_size(in);
  const u64 size = delta_size(in);
  std::string out;
  if (!in.ok() || from != base.size() || size > Objects::kMostBytes) in.fail("delta", "its sizes are wrong");
  while (in.ok() && in.remaining() > 0) {
    const u8 code = in.read<u8>("code");
    if ((code & 0x80U) != 0) {
      u64 offset = 0;
      u64 length = 0;
      for (unsigned i = 0; i < 4; ++i) {
        if ((code >> i & 1U) != 0) offset |= u64{in.read<u8>("offset")} << (8 * i);
      }
      for (unsigned i = 0; i < 3; ++i) {
        if ((code >> (4 + i) & 1U) != 0) length |= u64{in.read<u8>("length")} << (8 * i);
      }
      if (length == 0) length = 0x10000;
      if (offset > base.size() || length > base.size() - offset || length > size - out.size()) {
        in.fail("copy", "outside of its base");
        break;
      }
      out.append(base, offset, length);
    } else if (code == 0 || code > size - out.size()) {
      in.fail("insertion", "of a wrong length");
    } else {
      out += in.text(code, code, "insertion");
    }
  }
  if (!in.ok() || out.size() != size) {
    why = "a damaged delta";
    return std::nullopt;
  }
  return out;
}

std::string raw_id(const std::string& id) {
  std::string out;
  for (std::size_t i = 0; i + 1 < id.size(); i += 2) out += static_cast<char>(std::stoi(id.substr(i, 2), nullptr, 16));
  return out;
}

bool is_id(const std::string& id) {
  return id.size() == 40 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

Result<Objects> Objects::open(const std::filesystem::path& folder) {
  Objects out;
  SY_TRY(io::Tree tree, io::Tree::open(folder));
  out.folder_ = tree.root();
  if (tree.find("pack").kind != io::Tree::Kind::folder) return out;
  SY_TRY(const auto entries, tree.list("pack"));
  for (const auto& entry : entries) {
    if (!entry.name.ends_with(".idx") || out.packs_.size() == kMostPacks) continue;
    const std::string stem = "pack/" + entry.name.substr(0, entry.name.size() - 4);
    auto index = io::File::open(tree.absolute(stem + ".idx"));
    auto content = io::File::open(tree.absolute(stem + ".pack"));
    if (!index || !content) continue;
    Cursor head(*index);
    const std::string magic = head.text(4, 4, "magic");
    head.set_order(std::endian::big);
    const u32 version = head.read<u32>("version");
    if (magic != "\377tOc" || version != 2 || !head.skip(255 * 4, "fanout")) continue;
    const u64 objects = head.read<u32>("objects");
    if (!head.ok() || head.remaining() < objects * 28 + 2 * kTrailer) continue;
    out.packs_.push_back({std::move(*index), std::move(*content), objects});
  }
  return out;
}

std::optional<Object> Objects::read(const std::string& id, std::string& why) const {
  why = "it is absent";
  if (!is_id(id)) return std::nullopt;
  std::optional<Object> object = loose(id, why);
  for (auto pack = packs_.begin(); !object && pack != packs_.end(); ++pack) {
    if (const auto offset = find(*pack, raw_id(id))) object = packed(*pack, *offset, why);
  }
  if (!object) return std::nullopt;
  GitBlob name(object->content.size(), object->type);
  name.update(as_bytes(object->content));
  if (name.finish() == id) return object;
  why = "its content has another name";
  return std::nullopt;
}

std::optional<Object> Objects::loose(const std::string& id, std::string& why) const {
  const auto file = io::File::open(folder_ / id.substr(0, 2) / id.substr(2));
  if (!file) return std::nullopt;
  wire::UnpackBudget budget{.fuel = 8 * kMostBytes};
  const wire::Unpacked plain(*file, 0, file->size(), wire::Packing::zlib, budget, true);
  why = "a damaged file";
  if (plain.ended() != wire::Unpacked::End::complete || plain.size() > kMostBytes) return std::nullopt;
  std::string text(plain.size(), '\0');
  if (plain.read(0, std::as_writable_bytes(std::span(text))) != text.size()) return std::nullopt;
  const std::size_t space = text.find(' ');
  const std::size_t zero = text.find('\0');
  if (space == std::string::npos || zero == std::string::npos || space > zero) return std::nullopt;
  Object object{text.substr(0, space), text.substr(zero + 1)};
  if (text.substr(space + 1, zero - space - 1) != fmt::format("{}", object.content.size())) return std::nullopt;
  return object;
}

std::optional<u64> Objects::find(const Pack& pack, const std::string& raw_id) {
  u64 low = 0;
  u64 high = pack.objects;
  while (low < high) {
    const u64 middle = low + (high - low) / 2;
    Cursor in(pack.index, kNames + middle * 20, pack.index.size());
    const std::string name = in.text(20, 20, "name");
    if (!in.ok()) return std::nullopt;
    if (name == raw_id) {
      Cursor place(pack.index, kNames + pack.objects * 24 + middle * 4, pack.index.size(), std::endian::big);
      const u32 offset = place.read<u32>("offset");
      if (!place.ok()) return std::nullopt;
      if ((offset & 0x80000000U) == 0) return offset;
      Cursor far(pack.index, kNames + pack.objects * 28 + u64{offset & 0x7FFFFFFFU} * 8, pack.index.size(),
                 std::endian::big);
      const u64 large = far.read<u64>("offset");
      return far.ok() ? std::optional(large) : std::nullopt;
    }
    if (name < raw_id)
      low = middle + 1;
    else
      high = middle;
  }
  return std::nullopt;
}

std::optional<Objects::Entry> Objects::entry(const Pack& pack, u64 offset, std::string& why) {
  why = fmt::format("a damaged pack entry at {}", offset);
  const u64 end = pack.content.size() - std::min(pack.content.size(), kTrailer);
  if (offset >= end) return std::nullopt;
  Cursor in(pack.content, offset, end);
  u8 byte = in.read<u8>("type");
  Entry out;
  out.type = byte >> 4 & 7U;
  u64 size = byte & 15U;
  for (unsigned shift = 4; (byte & 0x80U) != 0; shift += 7) {
    if (shift > 56) return std::nullopt;
    byte = in.read<u8>("size");
    size |= u64{byte & 0x7FU} << shift;
  }
  if (out.type == 6) {
    byte = in.read<u8>("base");
    u64 distance = byte & 0x7FU;
    while ((byte & 0x80U) != 0) {
      if (distance > pack.content.size()) return std::nullopt;
      byte = in.read<u8>("base");
      distance = ((distance + 1) << 7) | (byte & 0x7FU);
    }
    if (distance == 0 || distance > offset) return std::nullopt;
    out.base_offset = offset - distance;
  } else if (out.type == 7) {
    out.base_id = in.text(20, 20, "base");
  } else if (out.type == 0 || out.type >= kTypes.size()) {
    return std::nullopt;
  }
  if (!in.ok()) return std::nullopt;
  auto content = inflate(pack.content, in.offset(), end, size, why);
  if (!content) return std::nullopt;
  out.content = std::move(*content);
  return out;
}

std::optional<Object> Objects::packed(const Pack& pack, u64 offset, std::string& why) const {
  std::vector<std::string> deltas;
  u64 bytes = 0;
  while (deltas.size() <= kMostDeltas && bytes <= 2 * kMostBytes) {
    auto step = entry(pack, offset, why);
    if (!step) return std::nullopt;
    bytes += step->content.size();
    if (step->type < 6) {
      Object out{std::string(kTypes[step->type]), std::move(step->content)};
      for (auto delta = deltas.rbegin(); delta != deltas.rend(); ++delta) {
        auto result = apply(out.content, *delta, why);
        if (!result) return std::nullopt;
        out.content = std::move(*result);
      }
      return out;
    }
    deltas.push_back(std::move(step->content));
    if (step->type == 7) {
      const auto base = find(pack, step->base_id);
      if (!base) {
        why = "a delta without its base";
        return std::nullopt;
      }
      offset = *base;
    } else {
      offset = step->base_offset;
    }
  }
  why = "a chain of deltas that is too long";
  return std::nullopt;
}

}  // namespace steelyard::stack
