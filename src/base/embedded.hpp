// The files under data/, embedded in the program at build time.
#pragma once

#include <span>
#include <string_view>

namespace steelyard::embedded {

struct File {
  std::string_view path;  // relative to data/: "rules/GGF/GGF001.toml"
  std::string_view text;
};

// Sorted by path.
std::span<const File> files();
// Those whose path begins with `prefix`.
std::span<const File> under(std::string_view prefix);
// The text of one file, or an empty view.
std::string_view find(std::string_view path);

}  // namespace steelyard::embedded
