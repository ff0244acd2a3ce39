// Tar members: what every format does that is a tar archive. Tested by data/rules/TAR/, data/rules/ARC/.
#pragma once

#include <functional>

#include "formats/item.hpp"
#include "wire/tar.hpp"

namespace steelyard::formats {

// `own` examines a member itself and says so, or leaves it to its content.
void examine_tar(Item& item, std::string_view loader,
                 const std::function<bool(Item& item, const wire::tar::Member& member)>& own);

}  // namespace steelyard::formats
