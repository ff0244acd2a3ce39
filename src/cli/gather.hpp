// What several commands do alike: flags, exit codes, and contexts and requirements by name or file.
#pragma once

#include "cli/session.hpp"
#include "context/context.hpp"
#include "policy/requirements.hpp"

namespace steelyard::cli {

inline constexpr Flag kNoHash = {"--no-hash", "", "don't read whole files: structure only, no digests, nothing reused",
                                 ""};
inline constexpr Flag kRehash = {"--rehash", "", "ignore remembered digests and evidence", ""};
inline constexpr Flag kTensorDigests = {"--tensor-digests", "",
                                        "also the SHA-256 of every tensor: reads every file twice", ""};
inline constexpr Flag kJobs = {"-j,--jobs", "N", "threads for reading and parsing (default: one per core)", ""};
inline constexpr Flag kFailOn = {"--fail-on", "SEVERITY",
                                 "exit 1 on findings of this severity or above (default: high)",
                                 "info,low,medium,high,critical,never"};

// A built-in context by its name, or a file.
Result<context::Context> context_named(const std::string& name);
// --require FILE, or --profile NAME (default: business).
Result<policy::Requirements> requirements_from(const Arguments& arguments);

// 1, 3 or 0: findings at or above --fail-on, lost coverage, clean.
int exit_for(const std::vector<evidence::Record>& records, const Arguments& arguments);

}  // namespace steelyard::cli
