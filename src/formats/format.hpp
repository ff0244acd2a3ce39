// Format: one model file format, from bytes to an Examination.
//
// One file per format in this folder defines `extern const Format <stem>_format`; CMake generates
// the registry from the file names. Helpers of formats live in formats/detail/. Parsers run inside a
// sandboxed worker and over hostile bytes: they use Cursor for every size, never throw on bad
// input, and report by finding and coverage gap.
#pragma once

#include <span>

#include "base/cursor.hpp"
#include "core/examination.hpp"

namespace steelyard::formats {

struct Format {
  std::string_view id;          // "gguf"
  std::string_view title;       // "GGUF (llama.cpp), versions 1 to 3"
  std::string_view extensions;  // "gguf": comma-separated, for listings only: content decides
  std::string_view spec;        // where the format is specified
  // Confidence 0..100 from the first bytes (up to 4 KiB) and the size.
  int (*sniff)(Bytes head, u64 size);
  // Fills `out` for artifact 0, which the caller has put there (subject 0, the whole file). Keeps
  // facts <= 4096 and findings <= 1024 whatever the input.
  void (*parse)(const Source& source, Examination& out);
};

// Every format, in the order of their ids.
std::span<const Format* const> all();
// The most confident one, or nullptr.
const Format* detect(Bytes head, u64 size);

}  // namespace steelyard::formats
