// Needs: what a model takes of this machine's memory, so that too little is said before anything is loaded.
//
// Sums saturate. Pure. Tested by tests/unit/needs_test.cpp.
#pragma once

#include "base/result.hpp"
#include "engine/protocol.hpp"

namespace steelyard::engine {

// Bytes. Nothing is refused where `available` is 0: what there is or what it takes isn't known.
struct Needs {
  u64 shared = 0;              // the file, mapped once for all engines
  u64 own = 0;                 // of each engine
  u64 per_token = 0;           // of the context of each sequence; 0: not known
  u64 per_position = 0;        // of the context, once for all sequences
  u64 plain_per_position = 0;  // beside that, where attention is plain products
  u64 available = 0;

  u64 bytes(const Load& load, u32 engines = 1) const;
  // An Error of kind resource, with the numbers, when one engine doesn't fit.
  Result<bool> check(const Load& load) const;
  // Halves the sequences and then takes away engines until they fit, or one engine with one sequence is left.
  void fit(Load& load, u32& engines) const;
  // Address space for an engine and its files of `files` bytes.
  u64 address_space(const Load& load, u64 files) const;
};

}  // namespace steelyard::engine
