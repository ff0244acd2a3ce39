// The ELF reader over any bytes: no crash, bounded memory, and nothing claimed of a file whose headers can't be read.
// Against readelf: tests/oracle/elf_test.py.

#include "wire/elf.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace steelyard;
  using namespace steelyard::wire::elf;
  const auto image = read(MemorySource(std::as_bytes(std::span(data, size))), true);
  if (!image) return 0;
  const bool claims = image->relro == Has::yes || image->nx == Has::yes || image->bind_now == Has::yes;
  if (claims && size < 52) std::abort();
  if (image->problems.size() > 20) std::abort();
  return 0;
}
