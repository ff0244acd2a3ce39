// JSON from elsewhere: what parses is written canonically and parses to the same; records decode or are refused.

#include <cstdlib>

#include "evidence/record.hpp"
#include "wire/json_pull.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace steelyard;
  const Bytes bytes = std::as_bytes(std::span(data, size));
  const auto value = json::parse(as_text(bytes), {.decimals = true, .duplicates = true});

  // The pull parser accepts what the DOM accepts, up to the depth limit, and nothing else.
  const MemorySource source(bytes);
  Cursor cursor(source);
  wire::JsonPull pull(cursor);
  auto token = pull.next();
  while (token != wire::JsonPull::Token::end && token != wire::JsonPull::Token::fault) token = pull.next();
  const bool accepted = token == wire::JsonPull::Token::end;
  if (accepted && !value && !value.error().message.contains("deeper") && !value.error().message.contains("NUMBER") &&
      !value.error().message.contains("number") && !value.error().message.contains("Number"))
    std::abort();

  if (!value) return 0;
  const auto again = json::parse(json::canonical(*value), {.duplicates = true});
  if (!again || json::canonical(*again) != json::canonical(*value)) std::abort();
  (void)evidence::decode(*value);
  return 0;
}
