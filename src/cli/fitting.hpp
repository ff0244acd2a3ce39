// `steelyard bench --fits`: what the header says about memory, held against this machine. Needs no engine.
#pragma once

#include "cli/session.hpp"

namespace steelyard::cli {

inline constexpr Flag kMemory = {"--memory", "SIZE",
                                 "memory that there is for it, as 8GiB (default: what this machine has left)", ""};

// 0: it fits with some context; 1: it doesn't; 3: it can't be told.
Result<int> fit(Session& session);

// "8GiB", "900MB", "123456": bytes.
Result<u64> parse_bytes(std::string_view text);
// --memory, or what this machine has; 0: not known.
Result<u64> memory_for_models(const Session& session);

}  // namespace steelyard::cli
