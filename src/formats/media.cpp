// Pictures and sounds of a model card: PNG, JPEG, GIF, RIFF (WebP, WAV). No loader of models runs them; every byte is
// claimed by a chunk or reported.
//
// Spec: PNG (ISO 15948), ITU T.81, GIF89a, RIFF. Attack resisted: an archive or program behind the end of a
// picture. Tested by data/rules/REP/REP014.toml; fuzzed.

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "formats/detail/layout.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr std::string_view kPng = "\x89PNG\r\n\x1A\n";

// Each walks to the end of the picture and leaves the cursor there; the cursor fails on what is not one.

void png(Cursor& in) {
  in.skip(kPng.size(), "signature");
  while (in.ok()) {
    const u32 length = in.read<u32>("chunk length");
    const u32 type = in.read<u32>("chunk type");
    in.skip(length, "chunk");
    in.skip(4, "chunk CRC");
    if (type == 0x49454E44) return;  // IEND
  }
}

void jpeg(Cursor& in) {
  in.skip(2, "start of image");
  while (in.ok()) {
    if (in.read<u8>("marker") != 0xFF) return in.fail("marker", "expected 0xff");
    u8 marker = in.read<u8>("marker");
    while (marker == 0xFF && in.ok()) marker = in.read<u8>("marker");
    if (marker == 0xD9) return;
    if (marker >= 0xD0 && marker <= 0xD7) continue;
    const u16 length = in.read<u16>("segment length");
    if (length < 2) return in.fail("segment length", "below 2");
    in.skip(length - 2U, "segment");
    if (marker != 0xDA) continue;
    // Entropy-coded data: up to a marker that is neither a stuffed byte nor a restart.
    while (in.ok()) {
      const std::string_view window = as_text(in.peek(65'536));
      const std::size_t at = window.find('\xFF');
      if (at == std::string_view::npos || window.empty()) {
        if (!in.skip(std::max<std::size_t>(window.size(), 1), "scan")) return;
        continue;
      }
      in.skip(at, "scan");
      std::array<std::byte, 2> pair{};
      if (!in.take(pair, "marker")) return;
      const auto second = std::to_integer<u8>(pair[1]);
      if (second == 0 || (second >= 0xD0 && second <= 0xD7)) continue;
      if (second == 0xFF) continue;
      if (second == 0xD9) return;
      const u16 next = in.read<u16>("segment length");
      if (next < 2) return in.fail("segment length", "below 2");
      in.skip(next - 2U, "segment");
    }
  }
}

void gif(Cursor& in) {
  in.skip(10, "header");
  const u8 flags = in.read<u8>("flags");
  in.skip(2, "header");
  if ((flags & 0x80) != 0) in.skip(u64{3} << ((flags & 7) + 1), "colours");
  const auto blocks = [&] {
    for (u8 size = in.read<u8>("block"); size != 0 && in.ok(); size = in.read<u8>("block")) in.skip(size, "block");
  };
  while (in.ok()) {
    const u8 kind = in.read<u8>("kind");
    if (kind == 0x3B) return;
    if (kind == 0x21) {
      in.skip(1, "label");
      blocks();
    } else if (kind == 0x2C) {
      in.skip(8, "place");
      const u8 local = in.read<u8>("flags");
      if ((local & 0x80) != 0) in.skip(u64{3} << ((local & 7) + 1), "colours");
      in.skip(1, "code size");
      blocks();
    } else {
      return in.fail("kind", "no block of a GIF");
    }
  }
}

void riff(Cursor& in) {
  in.set_order(std::endian::little);
  in.skip(4, "signature");
  const u32 size = in.read<u32>("size");
  in.skip(size, "content");
  if (size % 2 != 0 && in.remaining() > 0) in.skip(1, "padding");
}

void parse(Item& item) {
  std::array<std::byte, 8> head{};
  const std::size_t length = item.source().read(0, head);
  const std::string_view begins = as_text(Bytes(head).first(length));
  Cursor in(item.source(), 0, item.size(), std::endian::big);
  if (begins.starts_with(kPng)) {
    png(in);
  } else if (begins.starts_with("\xFF\xD8")) {
    jpeg(in);
  } else if (begins.starts_with("GIF8")) {
    gif(in);
  } else {
    riff(in);
  }
  Coverage& coverage = item.coverage();
  coverage.examined = std::min(in.offset(), item.size());
  if (coverage.examined == item.size() && in.ok()) return;
  coverage.gaps.push_back(
      {{coverage.examined, item.size()}, in.ok() ? "bytes behind the end of the picture" : "no picture from there on"});
  const std::string_view what = recognise(item.source(), coverage.examined);
  item.report().add(what.empty() ? "REP015" : "REP014", Range{coverage.examined, item.size()},
                    json::Value().set("bytes", item.size() - coverage.examined).set("what", what));
}

int sniff(const Sniff& sniff) {
  const std::string_view head = as_text(sniff.head);
  const bool riff =
      head.starts_with("RIFF") && head.size() >= 12 && (head.substr(8, 4) == "WEBP" || head.substr(8, 4) == "WAVE");
  return head.starts_with(kPng) || head.starts_with("\xFF\xD8\xFF") || head.starts_with("GIF87a") ||
                 head.starts_with("GIF89a") || riff
             ? 80
             : 0;
}

}  // namespace

extern const Format media_format;
const Format media_format{"media", "picture or sound", "png,jpg,gif,webp,wav", "PNG, JPEG, GIF, RIFF", sniff, parse};

}  // namespace steelyard::formats
