// Reads lines of JSON {"template", "context"}; prints for each whether it parses and what it renders.

#include <fmt/format.h>

#include <iostream>

#include "base/text.hpp"
#include "wire/jinja/interpreter.hpp"
#include "wire/jinja/parser.hpp"

namespace {

using namespace steelyard;
namespace jinja = steelyard::wire::jinja;

jinja::Value convert(jinja::Arena& arena, const json::Value& value) {
  if (value.is_bool()) return arena.boolean(value.boolean());
  if (value.is_integer()) return arena.integer(value.integer());
  if (value.is_string()) return arena.literal(value.string(), 0);
  if (value.is_array()) {
    jinja::Values items;
    for (const json::Value& item : value.array()) items.push_back(convert(arena, item));
    return arena.list(std::move(items));
  }
  if (value.is_object()) {
    const jinja::Value made = arena.dict();
    for (const auto& [key, item] : value.object())
      made.dict->items.emplace_back(arena.literal(key, 0), convert(arena, item));
    return made;
  }
  return arena.none();
}

constexpr std::string_view kStops[] = {"finished", "raised", "error",     "fuel",
                                       "memory",   "depth",  "oversized", "unsupported"};

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto input = json::parse(line, {.decimals = true});
    json::Value out = json::Object{};
    if (!input) {
      fmt::print("{}\n", json::compact(out.set("refused", input.error().message)));
      continue;
    }
    const auto tree = jinja::parse((*input)["template"].string());
    if (!tree) {
      out.set("refused", tree.error().why).set("offset", tree.error().offset).set("budget", tree.error().budget);
    } else if (const json::Value* context = input->find("context")) {
      jinja::Arena arena(u64{64} << 20);
      jinja::World world;
      for (const auto& [name, value] : context->object()) world.globals.emplace(name, convert(arena, value));
      jinja::Observer observer;
      const jinja::Result result = jinja::render(*tree, arena, world, observer);
      out.set("stop", kStops[static_cast<std::size_t>(result.stop)]).set("why", text::to_value(result.why));
      out.set("fuel", result.fuel).set("memory", arena.used());
      if (result.output != nullptr) {
        out.set("text", text::to_value(result.output->bytes));
        u64 bytes = 0;
        for (const jinja::Run& run : result.output->runs) bytes += run.length;
        out.set("accounted", bytes == result.output->bytes.size());
      }
    }
    fmt::print("{}\n", json::compact(out));
  }
  return 0;
}
