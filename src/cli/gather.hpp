// What several commands do alike: flags, exit codes, and contexts and requirements by name or file.
#pragma once

#include <fmt/format.h>

#include <charconv>

#include "base/text.hpp"
#include "cli/session.hpp"
#include "context/context.hpp"
#include "policy/requirements.hpp"

namespace steelyard::cli {

inline constexpr Flag kNoHash = {"--no-hash", "", "don't read whole files: structure only, no digests, nothing reused",
                                 ""};
inline constexpr Flag kRehash = {"--rehash", "", "ignore remembered digests and evidence", ""};
inline constexpr Flag kTensorDigests = {
    "--tensor-digests", "", "also the SHA-256 of every tensor: reads every file twice", "", false, true};
inline constexpr Flag kJobs = {"-j,--jobs", "N",   "threads for reading and parsing (default: one per core)",
                               "",          false, true};
inline constexpr Flag kSandbox = {"--sandbox", "MODE",
                                  "strict: refuse to run when a layer is missing; best: use what there is (default)",
                                  "strict,best,off"};
inline constexpr Flag kNoCache = {"--no-cache", "", "neither read nor write remembered digests, evidence and verdicts",
                                  ""};
inline constexpr Flag kProgress = {"--progress", "WHEN", "auto: on a terminal, after half a second (default); never",
                                   "auto,never", false,  true};
inline constexpr Flag kFailOn = {"--fail-on",
                                 "SEVERITY",
                                 "exit 1 on findings of this severity or above (default: high)",
                                 "info,low,medium,high,critical,never",
                                 false,
                                 true};
inline constexpr Flag kBaseline = {
    "--baseline", "FILE", "findings in this file don't count (steelyard baseline writes one)", "", false, true};
// Of commands without a report.
inline constexpr Flag kQuiet = {"-q,--quiet", "", "print nothing but errors", ""};
inline constexpr Flag kColor = {"--color", "WHEN", "auto, always or never", "auto,always,never"};
inline constexpr Flag kListFormat = {"-f,--format", "FORMAT", "text (default) or json", "text,json"};

// A built-in context by its name, or a file.
Result<context::Context> context_named(const std::string& name);
// --require FILE, or --profile NAME (default: business).
Result<policy::Requirements> requirements_from(const Arguments& arguments);

// The number that a flag gives, or the fallback; an Error names the flag, the range and what was found.
template <class T>
Result<T> number(const Arguments& arguments, std::string_view flag, T fallback, T least, T most) {
  if (!arguments.has(flag)) return fallback;
  const std::string text = arguments.value(flag);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= least && value <= most) return value;
  return fail(ErrorCode::usage, fmt::format("--{} is \"{}\"; expected a number from {} to {}", flag,
                                            text::display(text, 40), least, most));
}

// Notes which findings of report.records[index] are accepted; `target`: what was examined, nullptr when that
// isn't files.
void accept(report::Report& report, std::size_t index, accept::Matcher& matcher, const scan::Target* target);

// 1, 3 or 0: findings that fail the run, lost coverage, clean.
int exit_for(const report::Report& report);

// What leads from where the user is to the files of a target: "models/" for models/ and for models/a.gguf,
// "hf:org/name:" for a model in a store.
std::string origin_of(const scan::Target& target);

}  // namespace steelyard::cli
