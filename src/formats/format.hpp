// Format: one model file format, from bytes to an Examination.
//
// One file per format in this folder defines `extern const Format <stem>_format`; CMake generates
// the registry from the file names. Helpers of formats live in formats/detail/. Parsers run inside a
// sandboxed worker and over hostile bytes: they use Cursor for every size, never throw on bad
// input, and report by finding and coverage gap.
#pragma once

#include <span>

#include "base/cursor.hpp"
#include "formats/item.hpp"

namespace steelyard::formats {

// What a format is recognised by.
struct Sniff {
  const Source& source;
  Bytes head;             // the first bytes, up to 4 KiB
  std::string_view name;  // last part of the name; only for texts that a loader picks by their name
  u64 size() const { return source.size(); }
};

struct Format {
  std::string_view id;          // "gguf"
  std::string_view title;       // "GGUF (llama.cpp), versions 1 to 3"
  std::string_view extensions;  // "gguf": comma-separated, for listings only: content decides
  std::string_view spec;        // where the format is specified
  // Confidence 0..100.
  int (*sniff)(const Sniff& sniff);
  // Fills the item's facts, findings and coverage. Keeps facts <= 4096 whatever the input.
  void (*parse)(Item& item);
  // "zip", "tar", "pickle": readers of that kind open such content although something else can be made of
  // it too, by looking elsewhere or by not looking at all. Content of several families is examined as
  // each of them.
  std::string_view family = {};
};

// Every format, in the order of their ids.
std::span<const Format* const> all();
// Reads the tables that most formats need now, for instance before forking.
void preload();

// The most confident one first, then the most confident of each other family; empty: none.
std::vector<const Format*> detect(const Source& source, std::string_view name);

}  // namespace steelyard::formats
