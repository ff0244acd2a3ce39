// How a worker tells the parent what it found, and how the parent refuses to believe it.
//
// A stream of frames {u32 length, u8 type, payload}: one frame per examined file, which carries the
// whole Examination in a flat binary form. The decoder treats every byte as hostile: counts, sizes,
// UTF-8, keys, rule ids, indices and ranges are checked against what the parent knows; severities
// come from the rule catalogue; assurances that need more than the file are refused. A bad frame
// loses its file, a broken stream loses all files after the break. Frozen: changes need an entry in
// docs/decisions.md. Pure; thread-safe. Tested by tests/unit/protocol_test.cpp, fuzzed by
// fuzz/protocol.cpp.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "core/examination.hpp"

namespace steelyard::scan {

inline constexpr std::size_t kMostArtifacts = 4096;
inline constexpr std::size_t kMostFacts = 4096;
inline constexpr std::size_t kMostFindings = 1024;
inline constexpr std::size_t kMostGaps = 4096;
inline constexpr std::size_t kMostParts = 65'536;
inline constexpr std::size_t kMostKey = 64;          // characters of a fact's key
inline constexpr std::size_t kMostText = 64 * 1024;  // bytes of any text
inline constexpr int kDeepestValue = 8;

// Worker side. Cuts off what exceeds the caps and marks the examination as incomplete.
void encode(u32 item, const Examination& found, const std::function<void(Bytes)>& write);

struct Decoded {
  std::vector<std::optional<Examination>> items;  // as many as `sizes`
  std::vector<std::string> faults;                // why something was refused
};

// Parent side. `sizes`: bytes of each file of the batch.
Decoded decode(Bytes output, std::span<const u64> sizes);

}  // namespace steelyard::scan
