// Any template: it parses or is refused, renders within its limits, and every byte it prints has a source.

#include <algorithm>
#include <cstdlib>

#include "base/text.hpp"
#include "wire/jinja/interpreter.hpp"
#include "wire/jinja/parser.hpp"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace steelyard;
  namespace jinja = wire::jinja;
  const std::string_view text = as_text(std::as_bytes(std::span(data, size)));
  if (size > 16'384 || !text::valid_utf8(text)) return 0;
  const auto tree = jinja::parse(text);
  if (!tree) {
    if (tree.error().why.empty() || tree.error().offset > size) std::abort();
    return 0;
  }
  for (const jinja::Node& node : tree->nodes) {
    if (node.begin > node.end || node.end > size) std::abort();
  }
  jinja::Arena arena(u64{4} << 20);
  jinja::World world;
  const jinja::Value message = arena.dict();
  message.dict->set(arena.literal("role", 0), arena.literal("user", 0));
  message.dict->set(arena.literal("content", 0), arena.text("a <b>\n ü", {0, 9, 0, 0, true}, 1));
  world.globals.emplace("messages", arena.list({message, message}, 0, 2));
  jinja::Observer observer;
  const jinja::Result result = jinja::render(*tree, arena, world, observer, {20'000, 300});
  if (result.output == nullptr) return 0;
  u64 bytes = 0;
  for (const jinja::Run& run : result.output->runs) bytes += run.length;
  if (bytes != result.output->bytes.size() || !text::valid_utf8(result.output->bytes)) std::abort();
  return 0;
}
