#include "recipe/archive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "recipe/pack.hpp"

namespace steelyard::recipe {
namespace {

void append(Buffer& out, std::string_view text) {
  const Bytes bytes = as_bytes(text);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void little(Buffer& out, u64 value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::byte>(value >> 8 * i));
}

u64 to_number(const std::string& word) {
  const bool hex = word.starts_with("0x");
  u64 value = 0;
  const char* begin = word.data() + (hex ? 2 : 0);
  const auto [end, error] = std::from_chars(begin, word.data() + word.size(), value, hex ? 16 : 10);
  if (error != std::errc{} || end != word.data() + word.size() || begin == end)
    throw fmt::format("expected a number, found \"{}\"", word);
  return value;
}

struct Method {
  std::string_view name;
  u16 number;
  std::string_view packing;
};
constexpr std::array<Method, 5> kMethods = {{{"stored", 0, ""},
                                             {"deflated", 8, "deflate"},
                                             {"bzip2", 12, "bzip2"},
                                             {"lzma", 14, "zip-lzma"},
                                             {"zstd", 93, "zstd"}}};

}  // namespace

Options::Options(std::span<const std::string> words, std::span<const std::string_view> known) {
  for (std::size_t i = 0; i < words.size(); i += 2) {
    if (std::ranges::find(known, words[i]) == known.end())
      throw fmt::format("no option is called \"{}\"; there are: {}", words[i], fmt::join(known, ", "));
    if (i + 1 == words.size()) throw fmt::format("option {} needs a value", words[i]);
    values_[words[i]] = words[i + 1];
  }
}

u64 Options::number(std::string_view key, u64 otherwise) const {
  const auto found = values_.find(std::string(key));
  return found == values_.end() ? otherwise : to_number(found->second);
}

std::string Options::text(std::string_view key, std::string otherwise) const {
  const auto found = values_.find(std::string(key));
  return found == values_.end() ? otherwise : found->second;
}

std::string Options::hex(std::string_view key) const {
  const std::string digits = text(key, "");
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    out += static_cast<char>(to_number("0x" + digits.substr(i, 2)));
  return out;
}

void ZipWriter::member(std::span<const std::string> words, Bytes content, Buffer& out) {
  static constexpr auto kKnown = std::to_array<std::string_view>(
      {"flags",        "local-flags", "method",     "local-method", "crc",        "local-crc",  "packed",
       "local-packed", "size",        "local-size", "offset",       "attributes", "made-by",    "needed",
       "time",         "disk",        "extra",      "local-extra",  "name",       "local-name", "comment",
       "listed",       "local",       "align",      "zip64"});
  if (words.size() < 2) throw std::string("member needs a name and a method");
  const auto method = std::ranges::find(kMethods, words[1], &Method::name);
  if (method == kMethods.end()) throw fmt::format("no method is called \"{}\"", words[1]);
  const Options options(words.subspan(2), kKnown);
  const Buffer packed =
      method->packing.empty() ? Buffer(content.begin(), content.end()) : pack(method->packing, content);
  const u64 flags = options.number("flags", 0);
  const u64 number = options.number("method", method->number);
  const u64 crc = options.number("crc", crc32(content));
  const bool streamed = (flags & 8) != 0;
  const u64 at = out.size();
  if (options.number("local", 1) != 0) {
    const std::string name = options.text("local-name", words[0]);
    std::string extra = options.hex("local-extra");
    if (const u64 step = options.number("align", 0); step != 0) {
      // As PyTorch pads: field "FB" filled with Z, so that the content begins at a multiple of `step`.
      const u64 begin = at + 30 + name.size() + extra.size() + 4;
      const u64 padding = (step - begin % step) % step;
      extra += fmt::format("FB{}{}{}", static_cast<char>(padding), static_cast<char>(padding >> 8),
                           std::string(padding, 'Z'));
    }
    append(out, "PK\3\4");
    little(out, 20, 2);
    little(out, options.number("local-flags", flags), 2);
    little(out, options.number("local-method", number), 2);
    little(out, options.number("time", 0), 2);
    little(out, 0x5821, 2);
    little(out, options.number("local-crc", streamed ? 0 : crc), 4);
    little(out, options.number("local-packed", streamed ? 0 : packed.size()), 4);
    little(out, options.number("local-size", streamed ? 0 : content.size()), 4);
    little(out, name.size(), 2);
    little(out, extra.size(), 2);
    append(out, name);
    append(out, extra);
    out.insert(out.end(), packed.begin(), packed.end());
    if (streamed) {
      append(out, "PK\7\10");
      little(out, crc, 4);
      little(out, packed.size(), 4);
      little(out, content.size(), 4);
    }
  }
  if (options.number("listed", 1) == 0) return;
  ++members_;
  const std::string name = options.text("name", words[0]);
  const std::string comment = options.text("comment", "");
  std::string extra = options.hex("extra");
  std::array<u64, 3> values = {options.number("size", content.size()), options.number("packed", packed.size()),
                               options.number("offset", at)};
  if (options.number("zip64", 0) != 0) {
    Buffer wide;
    for (u64& value : values) little(wide, std::exchange(value, UINT32_MAX), 8);
    extra += std::string("\1\0\x18\0", 4) + std::string(as_text(wide));
  }
  append(directory_, "PK\1\2");
  little(directory_, options.number("made-by", 0x0314), 2);
  little(directory_, options.number("needed", 20), 2);
  little(directory_, flags, 2);
  little(directory_, number, 2);
  little(directory_, options.number("time", 0), 2);
  little(directory_, 0x5821, 2);
  little(directory_, crc, 4);
  little(directory_, values[1], 4);
  little(directory_, values[0], 4);
  little(directory_, name.size(), 2);
  little(directory_, extra.size(), 2);
  little(directory_, comment.size(), 2);
  little(directory_, options.number("disk", 0), 2);
  little(directory_, 0, 2);
  little(directory_, options.number("attributes", u64{0100644} << 16), 4);
  little(directory_, values[2], 4);
  append(directory_, name);
  append(directory_, extra);
  append(directory_, comment);
}

void ZipWriter::finish(std::span<const std::string> words, Buffer& out) const {
  static constexpr auto kKnown =
      std::to_array<std::string_view>({"entries", "size", "offset", "comment", "comment-size", "end", "directory"});
  const Options options(words, kKnown);
  const u64 at = out.size();
  if (options.number("directory", 1) != 0) out.insert(out.end(), directory_.begin(), directory_.end());
  if (options.number("end", 1) == 0) return;
  const std::string comment = options.text("comment", "");
  append(out, "PK\5\6");
  little(out, 0, 4);
  little(out, options.number("entries", members_), 2);
  little(out, options.number("entries", members_), 2);
  little(out, options.number("size", directory_.size()), 4);
  little(out, options.number("offset", at), 4);
  little(out, options.number("comment-size", comment.size()), 2);
  append(out, comment);
}

void tar_entry(std::span<const std::string> words, Bytes content, Buffer& out) {
  static constexpr auto kKnown = std::to_array<std::string_view>(
      {"type", "link", "size", "mode", "uid", "gid", "mtime", "magic", "prefix", "checksum", "base256", "pad"});
  if (words.empty()) throw std::string("file needs a name");
  const Options options(words.subspan(1), kKnown);
  std::array<char, 512> header{};
  const auto put = [&](std::size_t at, std::size_t width, std::string_view text) {
    std::copy_n(text.begin(), std::min(width, text.size()), header.begin() + static_cast<std::ptrdiff_t>(at));
  };
  const auto octal = [&](std::size_t at, std::size_t width, u64 value) {
    put(at, width, fmt::format("{:0{}o}", value, width - 1));
  };
  put(0, 100, words[0]);
  octal(100, 8, options.number("mode", 0644));
  octal(108, 8, options.number("uid", 0));
  octal(116, 8, options.number("gid", 0));
  if (options.number("base256", 0) != 0) {
    header[124] = static_cast<char>(0x80);
    for (std::size_t i = 0; i < 8; ++i)
      header[128 + i] = static_cast<char>(options.number("size", content.size()) >> 8 * (7 - i));
  } else {
    octal(124, 12, options.number("size", content.size()));
  }
  octal(136, 12, options.number("mtime", 0));
  put(156, 1, options.text("type", "0"));
  put(157, 100, options.text("link", ""));
  const std::string magic = options.text("magic", "ustar");
  if (magic == "ustar") put(257, 8, std::string_view("ustar\00000", 8));
  if (magic == "gnu") put(257, 8, std::string_view("ustar  \0", 8));
  put(345, 155, options.text("prefix", ""));
  std::fill_n(header.begin() + 148, 8, ' ');
  u64 sum = 0;
  for (const char c : header) sum += static_cast<u8>(c);
  put(148, 8, fmt::format("{:06o}", options.number("checksum", sum)) + std::string("\0 ", 2));
  append(out, std::string_view(header.data(), header.size()));
  out.insert(out.end(), content.begin(), content.end());
  if (options.number("pad", 1) != 0) out.resize(out.size() + (512 - content.size() % 512) % 512);
}

void pax_header(std::span<const std::string> words, char type, Buffer& out) {
  if (words.size() % 2 != 0) throw std::string("pax needs pairs of key and value");
  std::string records;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const std::string record = fmt::format(" {}={}\n", words[i], words[i + 1]);
    std::size_t length = record.size();
    while (std::to_string(length).size() + record.size() != length)
      length = std::to_string(length).size() + record.size();
    records += std::to_string(length) + record;
  }
  const std::vector<std::string> header = {"PaxHeaders/x", "type", std::string(1, type)};
  tar_entry(header, as_bytes(records), out);
}

}  // namespace steelyard::recipe
