// Calibrate: an importance matrix from a text, by the controlled stack's llama-imatrix.
//
// It runs in sections: what a section gives is kept, and a run that was cut goes on from there. Sums and counts are
// exact in that file and batches are the same, so that a matrix made in sections is the one that llama-imatrix
// makes at once, byte for byte. Both inputs and what the program writes are hostile: it runs in child.hpp's sandbox,
// and its output is read by layout.hpp only. The caller has scanned the source.
// Tested by tests/cli/quantize_test.py against llama-imatrix by hand.
#pragma once

#include "quantize/quantize.hpp"

namespace steelyard::quantize {

inline constexpr u64 kWindow = 512;  // tokens; llama-imatrix's default

struct Calibration {
  const io::File* source = nullptr;
  const Layout* layout = nullptr;
  const Program* program = nullptr;
  const io::File* text = nullptr;
  std::filesystem::path text_path;  // its bare name becomes part of the matrix
  u64 most = 0;                     // windows; 0: all that the text has
  u32 threads = 1;
  std::filesystem::path beside;  // a name in the folder for temporary files
  std::filesystem::path state;   // where sections are kept; empty: nowhere
  ReadLayout read;
};

struct Calibrated {
  std::unique_ptr<Temporary> file;
  u64 windows = 0;
  u64 kept = 0;  // windows that an earlier run had done
  std::vector<std::string> sandbox;
};

// `progress`: windows done, of how many. An Error names what was kept when `stop` cut it.
Result<Calibrated> calibrate(const Calibration& request, const std::atomic<bool>& stop,
                             const std::function<void(u64, u64)>& progress);

// The matrix `from` with one name of a text instead of one for each section, written to `to`. An Error when it is no
// matrix that llama-imatrix wrote.
Result<bool> name_text_once(const Source& from, const Layout& layout, int to);

}  // namespace steelyard::quantize
