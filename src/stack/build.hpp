// Build: from the proved source to programs whose every ingredient is on record.
//
// Steps: prove the source, check the toolchain, configure and compile each variant in a working folder, hold
// every header and library that was used against the package database, run the known-answer self-test, and
// only then move the programs to <root>/<digest>/<variant>/bin and write <root>/<digest>/record.json. The
// digest covers the lock, the engine's sources and the toolchain. An interrupted build goes on where it was;
// the source is unpacked anew, so that nothing that lay around is built.
// Two builds of the same digest give identical programs (checked by `again`, without the compiler cache).
// Tested by tests/unit/stack_build_test.cpp on a small project (STK004, STK005, STK009).
#pragma once

#include "base/environment.hpp"
#include "evidence/record.hpp"
#include "stack/source.hpp"
#include "stack/toolchain.hpp"

namespace steelyard::stack {

inline constexpr std::string_view kEngine = "steelyard-engine";
inline constexpr std::string_view kDeviceTest = "steelyard-device-test";
inline constexpr u32 kAnalyzer = 1;

struct Request {
  Lock lock;
  std::string lock_text;
  std::filesystem::path archive;
  std::map<std::string, std::string> files;  // of the project: "CMakeLists.txt", "engine/src/…", by path
  std::vector<std::string> variants;         // empty: the lock's
  std::vector<std::string> backends;
  u32 jobs = 1;
  std::filesystem::path root;  // absolute
  bool again = false;          // build a second time elsewhere and compare
};

// The lock and the project that the program carries.
Result<Request> embedded_request();

struct Stage {
  std::string name;  // "prove", "compile x86-64-v3"
  u64 ms = 0;
};

struct Built {
  evidence::Record record;
  std::filesystem::path folder;  // <root>/<digest>; empty when it was refused
  std::vector<Stage> stages;
  bool present = false;  // it was there before, unchanged
};

// `progress`: the stage and how far it is, "214/226"; empty when only the stage is known.
using Progress = std::function<void(std::string_view stage, std::string_view detail)>;

// An Error: usage, I/O, a compiler that fails. A refusal is a record with findings of severity high or above.
Result<Built> build(const Request& request, const Environment& environment, const Progress& progress);

// The record of a build folder; an Error when there is none that can be read.
Result<evidence::Record> read_record(const std::filesystem::path& folder);
// <root>/current, resolved; nothing when there is none.
std::optional<std::filesystem::path> current(const std::filesystem::path& root);

// One program of the newest build, of the widest variant that this processor has and whose known answer was right,
// with the bytes that are on record. An Error says why there is none, and what to type.
struct Program {
  std::filesystem::path path;
  std::string sha256;
  std::string variant;
};
Result<Program> program_of(const std::filesystem::path& root, std::string_view name, const Environment& environment);

}  // namespace steelyard::stack
