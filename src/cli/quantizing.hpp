// What quantize and rederive do alike: the program, the inputs, the run, and the user's interruption of it.
#pragma once

#include "cli/converting.hpp"
#include "cli/engines.hpp"
#include "quantize/attestation.hpp"
#include "quantize/calibrate.hpp"
#include "quantize/quantize.hpp"

namespace steelyard::cli {

inline constexpr Flag kStack = {"--stack", "PREFIX", "where stacks are built (default: $XDG_DATA_HOME/steelyard/stack)",
                                ""};
inline constexpr Flag kQuantizer = {"--quantizer", "FILE", "a llama-quantize instead of that of the newest stack", ""};
inline constexpr Flag kForeign = {"--foreign-stack", "",
                                  "use --quantizer although no stack's record knows it; goes on record", ""};
inline constexpr Flag kMatrix = {"--imatrix", "FILE", "importance matrix, as llama-imatrix writes it", ""};
inline constexpr Flag kCalibrate = {"--calibrate", "TEXT",
                                    "make the importance matrix from this text, by llama-imatrix", ""};
inline constexpr Flag kRequantize = {"--allow-requantize", "", "the source may be quantized already", ""};

// Everything that goes into a quantization, opened and checked.
struct Inputs {
  std::unique_ptr<quantize::Temporary> converted;  // what source is, when it was a directory
  std::vector<quantize::Named> parts;              // and its files
  std::string name;                                // of the source, without its folder
  Scanned source;                                  // of one file
  quantize::Layout layout;
  quantize::Program program;
  std::optional<io::File> matrix;
  std::filesystem::path matrix_path;
  // To make the matrix from.
  std::optional<io::File> text;
  std::filesystem::path text_path;
  std::optional<quantize::Program> calibrator;
  std::optional<quantize::Origin> calibration;  // once it was made
  quantize::Type type;
  bool requantize = false;
  u32 threads = 1;

  const Weights& weights() const { return source.files.front(); }
};

struct Wanted {
  std::string source;
  std::string type;
  std::filesystem::path matrix;  // may be empty
  std::filesystem::path text;    // may be empty
  bool requantize = false;
  std::filesystem::path beside = {};  // a name in the folder for temporary files
};

Result<Inputs> inputs(Session& session, const Wanted& wanted);
Result<io::File> opened(const std::filesystem::path& path);

// Makes from.matrix from from.text, with the most windows that are asked for, and writes it to `matrix`, whose bare
// name goes into what is quantized with it.
Result<bool> calibrate(Session& session, Inputs& from, const std::filesystem::path& matrix, u64 most);

Result<quantize::Made> made(Session& session, const Inputs& from, const std::filesystem::path& beside);
// read_layout in a worker.
Result<quantize::ReadLayout> layout_reader(Session& session);

// From the inputs and the output's name and digest; without the record's id.
quantize::Derivation derivation(const Session& session, const Inputs& from, const quantize::Made& made,
                                quantize::Named output);

}  // namespace steelyard::cli
