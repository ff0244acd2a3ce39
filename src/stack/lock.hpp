// Lock: which source the stack is built from, and how; data/stack/<name>.toml, strict.
//
// Everything that decides what comes out of a build is in the lock, so its digest stands for it.
// Pure. Tested by tests/unit/stack_source_test.cpp and tests/unit/stack_build_test.cpp.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace steelyard::stack {

struct Variant {
  std::string name;                  // "x86-64-v3"
  std::string machine;               // as uname(2) names it: "x86_64"; empty: any
  std::vector<std::string> cpu;      // features it needs, as /proc/cpuinfo names them
  std::vector<std::string> options;  // "GGML_AVX2=ON"
  std::vector<std::string> compile;  // further compiler flags
  std::string include;               // a header that the files of ggml-cpu are made to include; empty: none
};

struct Backend {
  std::string name;  // "cuda"
  std::vector<std::string> options;
  std::vector<std::string> tools;  // programs that must be there
  std::string host_flags;          // cmake's variable for flags of nvcc, which gets the compiler's; empty: no nvcc
  bool devices = false;            // computes on devices, whose known answer has to be tested too
};

struct Lock {
  std::string name;  // "llama-cpp-python"
  std::string version;
  std::string file;  // of the archive
  std::string sha256;
  std::string licence;
  std::string folder;   // of the source, in the archive
  std::string objects;  // git's objects, in the archive
  std::string get;      // the command that fetches the archive

  std::string upstream;  // "llama.cpp"
  std::string upstream_version;
  std::string released;  // the day
  std::string release;   // of upstream's numbered ones, the last that the commit is known not to be older than
  std::string repository;
  std::string commit;
  std::string tree;

  std::vector<std::string> targets;  // programs that are built
  std::vector<std::string> options;  // of cmake, for every variant
  std::vector<std::string> compile;  // flags of the compiler
  std::vector<std::string> link;     // flags of the linker
  std::vector<std::string> default_variants;
  std::vector<std::string> default_backends;
  std::vector<Variant> variants;
  std::vector<Backend> backends;

  const Variant* variant(const std::string& named) const;
  const Backend* backend(const std::string& named) const;
};

Result<Lock> parse_lock(std::string text, const std::string& name);
// The one that the program carries.
Result<Lock> lock();

}  // namespace steelyard::stack
