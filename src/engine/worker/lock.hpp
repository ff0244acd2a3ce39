// The sandbox of steelyard-engine, entered once before it reads a byte of a model. Needs nothing of llama.cpp, so that
// tests/unit/engine_escape_test.cpp tries to get out of exactly this one.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::engine {

// The layers that hold now: "namespaces", "landlock:7", "no_new_privs", "rlimits", "seccomp".
std::vector<std::string> lock(u64 memory_bytes);

}  // namespace steelyard::engine
