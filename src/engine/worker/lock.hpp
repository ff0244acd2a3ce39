// The sandbox of steelyard-engine, entered once before it reads a byte of a model. Needs nothing of llama.cpp, so that
// tests/unit/engine_escape_test.cpp tries to get out of exactly this one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::engine {

// The layers that hold now: "namespaces", "landlock:7", "no_new_privs", "rlimits", "seccomp". `start_threads`, if set,
// is called before the last of them, after which no thread can be made: those that it starts are bound by all of them.
std::vector<std::string> lock(u64 memory_bytes, const std::function<void()>& start_threads = {});

}  // namespace steelyard::engine
