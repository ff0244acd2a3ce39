// Quantize: one run of the controlled stack's llama-quantize, and what came out of it, checked.
//
// The output is written under a temporary name beside its place, agrees with its source in all that quantization
// leaves alone, and gets its name only then; whatever goes wrong before leaves nothing behind. A program that the
// stack's record doesn't know is refused unless it is allowed as a foreign one. The caller has scanned the source.
// Attacks resisted: an exchanged quantizer, a source that changes meanwhile, a full disk.
// Tested by tests/unit/quantize_test.cpp and tests/cli/quantize_test.py.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "io/file.hpp"
#include "quantize/layout.hpp"
#include "quantize/temporary.hpp"
#include "quantize/types.hpp"

namespace steelyard::quantize {

struct Program {
  std::filesystem::path path;
  io::File file;
  std::string sha256;
  std::string stack;  // id of the record that knows it; empty: a foreign program
  std::string repository;
  std::string commit;
};

// `prefix`: where stacks are built; `name`: which of the newest stack's programs; `named`: a program instead of that,
// or empty.
Result<Program> find_program(const std::filesystem::path& prefix, const std::string& name,
                             const std::filesystem::path& named, bool foreign);

// How a file that a program of the stack wrote is read; read_layout, or that in a worker.
using ReadLayout = std::function<Result<Layout>(const io::File&)>;

struct Request {
  const io::File* source = nullptr;
  const Layout* layout = nullptr;
  const Program* program = nullptr;
  const io::File* matrix = nullptr;  // may be absent
  std::filesystem::path matrix_path;
  Type type;
  bool requantize = false;
  u32 threads = 1;
  std::filesystem::path beside;  // a name in the folder for the temporary file
  ReadLayout read;
};

struct Made {
  std::unique_ptr<Temporary> file;
  Layout layout;
  std::vector<std::string> sandbox;
};

// `stop`: becomes true when the user interrupts. `progress`: tensors done, of how many.
Result<Made> make(const Request& request, const std::atomic<bool>& stop, const std::function<void(u64, u64)>& progress);

}  // namespace steelyard::quantize
