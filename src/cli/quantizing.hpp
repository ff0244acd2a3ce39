// What quantize and rederive do alike: the program, the inputs, the run, and the user's interruption of it.
#pragma once

#include "cli/engines.hpp"
#include "quantize/attestation.hpp"
#include "quantize/quantize.hpp"

namespace steelyard::cli {

inline constexpr Flag kStack = {"--stack", "PREFIX", "where stacks are built (default: $XDG_DATA_HOME/steelyard/stack)",
                                ""};
inline constexpr Flag kQuantizer = {"--quantizer", "FILE", "a llama-quantize instead of that of the newest stack", ""};
inline constexpr Flag kForeign = {"--foreign-stack", "",
                                  "use --quantizer although no stack's record knows it; goes on record", ""};
inline constexpr Flag kMatrix = {"--imatrix", "FILE", "importance matrix", ""};
inline constexpr Flag kRequantize = {"--allow-requantize", "", "the source may be quantized already", ""};

// Everything that goes into a quantization, opened and checked.
struct Inputs {
  Scanned source;
  quantize::Layout layout;
  quantize::Program program;
  std::optional<io::File> matrix;
  std::filesystem::path matrix_path;
  quantize::Type type;
  bool requantize = false;
  u32 threads = 1;
};

struct Wanted {
  std::string source;
  std::string type;
  std::filesystem::path matrix;  // may be empty
  bool requantize = false;
};

Result<Inputs> inputs(Session& session, const Wanted& wanted);

// `beside`: a name in the folder for the temporary file.
Result<quantize::Made> made(Session& session, const Inputs& from, const std::filesystem::path& beside);

// From the inputs and the output's name and digest; without the record's id.
quantize::Derivation derivation(const Session& session, const Inputs& from, const quantize::Made& made,
                                quantize::Named output);

}  // namespace steelyard::cli
