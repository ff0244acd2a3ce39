// Posture of the system around the model, read from /proc and the file system, never changed.
//
// What can't be read is undetermined, never "ok". Names of variables that look like secrets are
// reported, their values never read into memory beyond the name. Not thread-safe.
// Sources: proc(5), namespaces(7), capabilities(7). Tested by tests/unit/host_test.cpp.
#pragma once

#include "base/environment.hpp"
#include "evidence/record.hpp"

namespace steelyard::host {

// `models`: absolute paths of the model files whose permissions matter.
evidence::Record examine(const Environment& environment, const std::vector<std::string>& models);

}  // namespace steelyard::host
