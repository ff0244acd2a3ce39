#include "recipe/pack.hpp"

#include <bzlib.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <map>
#include <stdexcept>

namespace steelyard::recipe {
namespace {

using Out = std::vector<std::byte>;

void must(bool condition) {
  if (!condition) throw std::runtime_error("recipe: a compression library failed");
}

// Window bits: negative for raw deflate, 15 for zlib, 31 for gzip.
Out deflated(Bytes content, int window, int level) {
  z_stream stream{};
  must(deflateInit2(&stream, level, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Out out(deflateBound(&stream, content.size()) + 64);
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  must(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

Out bzipped(Bytes content, int level) {
  static constexpr std::byte kNothing{};
  if (content.empty()) content = Bytes(&kNothing, 0);  // libbz2 refuses a null pointer
  Out out(content.size() + content.size() / 100 + 700);
  auto size = static_cast<unsigned>(out.size());
  must(BZ2_bzBuffToBuffCompress(reinterpret_cast<char*>(out.data()), &size, const_cast<char*>(as_text(content).data()),
                                static_cast<unsigned>(content.size()), level < 1 ? 9 : level, 0, 0) == BZ_OK);
  out.resize(size);
  return out;
}

Out lzma_packed(std::string_view kind, Bytes content, int level) {
  lzma_stream stream = LZMA_STREAM_INIT;
  lzma_options_lzma options{};
  must(!static_cast<bool>(lzma_lzma_preset(&options, level < 0 ? LZMA_PRESET_DEFAULT : static_cast<u32>(level))));
  const lzma_filter filters[] = {{LZMA_FILTER_LZMA1, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  Out out(content.size() + content.size() / 2 + 4096);
  std::size_t begin = 0;
  if (kind == "xz") {
    must(lzma_easy_encoder(&stream, level < 0 ? LZMA_PRESET_DEFAULT : static_cast<u32>(level), LZMA_CHECK_CRC64) ==
         LZMA_OK);
  } else if (kind == "lzma") {
    must(lzma_alone_encoder(&stream, &options) == LZMA_OK);
  } else {
    must(lzma_raw_encoder(&stream, filters) == LZMA_OK);
    const u32 dictionary = options.dict_size;
    for (const u32 byte : {9U, 4U, 5U, 0U, options.pb * 45 + options.lp * 9 + options.lc, dictionary & 255,
                           dictionary >> 8 & 255, dictionary >> 16 & 255, dictionary >> 24})
      out[begin++] = static_cast<std::byte>(byte);
  }
  stream.next_in = reinterpret_cast<const u8*>(content.data());
  stream.avail_in = content.size();
  stream.next_out = reinterpret_cast<u8*>(out.data()) + begin;
  stream.avail_out = out.size() - begin;
  must(lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END);
  out.resize(begin + stream.total_out);
  lzma_end(&stream);
  return out;
}

Out lz4_packed(Bytes content) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  Out out(LZ4F_compressFrameBound(content.size(), &preferences));
  const std::size_t size = LZ4F_compressFrame(out.data(), out.size(), content.data(), content.size(), &preferences);
  must(LZ4F_isError(size) == 0);
  out.resize(size);
  return out;
}

Out zstd_packed(Bytes content, int level) {
  Out out(ZSTD_compressBound(content.size()));
  const std::size_t size =
      ZSTD_compress(out.data(), out.size(), content.data(), content.size(), level < 0 ? ZSTD_CLEVEL_DEFAULT : level);
  must(ZSTD_isError(size) == 0);
  out.resize(size);
  return out;
}

}  // namespace

std::vector<std::byte> pack(std::string_view kind, Bytes content, int level) {
  static const std::map<std::string_view, int> kWindows = {{"deflate", -15}, {"zlib", 15}, {"gzip", 31}};
  if (const auto window = kWindows.find(kind); window != kWindows.end())
    return deflated(content, window->second, level);
  if (kind == "bzip2") return bzipped(content, level);
  if (kind == "xz" || kind == "lzma" || kind == "zip-lzma") return lzma_packed(kind, content, level);
  if (kind == "lz4") return lz4_packed(content);
  if (kind == "zstd") return zstd_packed(content, level);
  return {};
}

u32 crc32(Bytes bytes) {
  return static_cast<u32>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace steelyard::recipe
