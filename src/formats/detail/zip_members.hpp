// Zip members: what every format does that is a zip archive.
//
// All that any reader could select is examined: what zipfile and miniz give, what a local header says
// otherwise, what only local headers name, and the bytes around. Members that share bytes cost fuel.
// Attacks resisted: see wire/zip.hpp. Tested by data/rules/ZIP/, data/rules/ARC/.
#pragma once

#include <functional>

#include "formats/item.hpp"
#include "wire/zip.hpp"

namespace steelyard::formats {

struct ZipHooks {
  // Claims a stored member, whose content needn't be looked into.
  std::function<bool(const wire::zip::Entry& entry, Range data)> claims = [](const auto&, Range) { return false; };
  std::string_view loader;
};

void examine_zip(Item& item, const wire::zip::Archive& archive, const ZipHooks& hooks);

}  // namespace steelyard::formats
