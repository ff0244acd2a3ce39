// Attestation: how a quantized model was made, in the forms of others.
//
// OUT.intoto.json: in-toto Statement v1 with SLSA provenance v1. OUT.derivation.json: in-toto Statement v1 with
// ggufpacker's gguf-derivation/v0, which `ggufpacker verify-attestation` re-derives. Neither is signed: there are
// no keys yet; each is a statement as DSSE would wrap it. What is read back is hostile: only a type, a closed set of
// flags and digests are taken from it. Pure.
// Tested by tests/unit/quantize_test.cpp and tests/cli/quantize_test.py; make external runs ggufpacker.
#pragma once

#include <optional>

#include "core/examination.hpp"

namespace steelyard::quantize {

struct Named {
  std::string name;  // of the file, without its folder
  std::string sha256;
  u64 bytes = 0;
};

// What an importance matrix was made of, beside the source.
struct Origin {
  Named text;
  u64 windows = 0;      // that were computed
  u64 most = 0;         // that were asked for; 0: all
  std::string program;  // digest of llama-imatrix
};

// Everything that decides the output's bytes, and who says so.
struct Derivation {
  Named output;
  Named source;
  std::vector<Named> parts;  // files that the source was converted from; empty: it is a file as it was
  std::optional<Named> matrix;
  std::optional<Origin> calibration;  // absent: the matrix was given
  std::string type;
  bool requantize = false;
  std::string quantizer;   // digest of the program
  std::string stack;       // id of the record that knows it; empty: a foreign program
  std::string repository;  // of upstream, with the commit
  std::string commit;
  bool overridden = false;           // the source's scan objected
  std::vector<std::string> sandbox;  // layers achieved
  std::string tool;                  // version of Steelyard
  std::string record;                // id of the evidence
  std::string at;
};

json::Value slsa(const Derivation& derivation);
// Of the matrix alone: what MATRIX.intoto.json holds. Needs `matrix` and `calibration`.
json::Value slsa_of_matrix(const Derivation& derivation);
json::Value ggufpacker(const Derivation& derivation);
// From the SLSA form; an Error when it is none that quantize wrote.
Result<Derivation> read_attestation(std::string_view text);
// Likewise of a matrix: source, matrix and calibration are filled in.
Result<Derivation> read_matrix_attestation(std::string_view text);

}  // namespace steelyard::quantize
