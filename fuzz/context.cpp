// context.toml from elsewhere: refused with a message, or analysed.

#include "context/context.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace steelyard;
  if (size > 4096) return 0;
  const auto parsed = context::parse(std::string(as_text(std::as_bytes(std::span(data, size)))), "fuzz");
  if (!parsed) {
    if (parsed.error().message.empty()) std::abort();
    return 0;
  }
  (void)evidence::id(context::analyze(*parsed));
  return 0;
}
