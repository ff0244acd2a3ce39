// Installed programs and Python packages that load models; nothing is executed.
#pragma once

#include "base/environment.hpp"
#include "base/json.hpp"

namespace steelyard::host {

// Objects {name, version, path}, sorted; version "unknown" where no file states it.
json::Value runtimes(const Environment& environment);

}  // namespace steelyard::host
