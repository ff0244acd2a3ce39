// pack: what recipes compress with.
#pragma once

#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::recipe {

// One stream of the kind ("deflate", "zlib", "gzip", "bzip2", "xz", "lzma", "zip-lzma", "lz4", "zstd") at
// its library's default level, or at `level` if that isn't negative. Empty for a kind that isn't known.
std::vector<std::byte> pack(std::string_view kind, Bytes content, int level = -1);

u32 crc32(Bytes bytes);

}  // namespace steelyard::recipe
