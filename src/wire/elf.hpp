// Elf: what a program or shared library says to the loader, and how it is hardened.
//
// Spec: System V ABI gABI 4.1 and its GNU and x86-64 supplements (GNU_RELRO, GNU_STACK, GNU_PROPERTY, DF_1_PIE).
// Goes by program headers and the dynamic section, as the loader does; sections, which a loader ignores, only
// add symbols that nothing else has. Attacks resisted: counts and offsets that point outside, overlapping or
// endless tables (bounded), strings without an end, notes of huge size. What can't be read is unknown, never a yes.
// Pure. Tested by tests/unit/elf_test.cpp and, against readelf, tests/oracle/elf_test.py.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/source.hpp"

namespace steelyard::wire::elf {

enum class Has : u8 { yes, no, unknown };

enum class Kind : u8 { executable, position_independent, library, relocatable, core, other };

struct Image {
  bool wide = true;  // 64 bits
  bool big = false;  // most significant byte first
  u16 machine = 0;
  Kind kind = Kind::other;
  bool dynamic = false;  // has a dynamic section

  Has relro = Has::unknown;     // GNU_RELRO; with bind_now it is full
  Has bind_now = Has::unknown;  // all symbols are bound when it starts
  Has nx = Has::unknown;        // the stack isn't executable, and no segment is both writable and executable
  Has text_relocations = Has::unknown;
  Has ibt = Has::unknown;      // CET: indirect branch tracking
  Has shstk = Has::unknown;    // CET: shadow stack
  Has canary = Has::unknown;   // __stack_chk_fail is used
  Has fortify = Has::unknown;  // checked variants (…_chk) of libc's functions are used

  std::string interpreter;
  std::string soname;
  std::string build_id;  // hex
  std::vector<std::string> needed;
  std::vector<std::string> search;    // DT_RPATH and DT_RUNPATH
  std::vector<std::string> imports;   // undefined dynamic symbols, sorted
  std::vector<std::string> names;     // defined symbols of the symbol table, sorted; empty when it is stripped
  std::vector<std::string> problems;  // what was damaged
};

inline constexpr std::size_t kMostHeaders = 1024;
inline constexpr std::size_t kMostDynamic = 16'384;
inline constexpr std::size_t kMostSymbols = 400'000;
inline constexpr std::size_t kLongestName = 4096;

// Nothing when it doesn't begin as an ELF file does. `names`: read the symbol table too.
std::optional<Image> read(const Source& source, bool names = false);

std::string_view to_string(Has has);
std::string_view to_string(Kind kind);

}  // namespace steelyard::wire::elf
