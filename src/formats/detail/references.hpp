// What a file of a model's repository refers to: other files of the folder, Python modules, other
// repositories, URLs and packages. Collected per file into the fact repo.references; the files of a
// target are held against each other in identity/repository.cpp.
//
// Attack resisted: fields that make a loader read outside the folder or fetch code that nobody examined.
// Pure; not thread-safe. Tested by data/rules/CFG/ and tests/unit/repository_test.cpp.
#pragma once

#include <string>
#include <string_view>

#include "formats/item.hpp"

namespace steelyard::formats {

enum class PathKind { plain, upward, absolute, share, url, insecure_url };
// What a text is that stands where a path, a repository's name or a URL is expected. `upward`: it
// leaves the folder by ".."; `share`: a UNC name or file: URL.
PathKind path_kind(std::string_view text);

// "org/name", as a hub names its repositories.
bool repository_name(std::string_view text);
// A whole commit: 40 hexadecimal digits.
bool commit_name(std::string_view text);

class References {
 public:
  // An import is a dotted name that may be a module of the folder, or of something that is installed.
  enum class Kind { file, module, repository, url, package, import };

  // `pinned`: a whole commit or an exact version is named.
  void add(std::string_view field, std::string_view target, Kind kind, Range at, bool pinned = false);
  // Writes the fact, when there is anything to say.
  void report(Reporter& report);

 private:
  json::Value list_ = json::Array{};
  Range at_;
  std::size_t left_out_ = 0;
};

}  // namespace steelyard::formats
