// Lines of [schema, document]: "valid", "invalid", or what is wrong with the schema.
#include <fmt/format.h>

#include <iostream>

#include "wire/json_schema.hpp"

int main() {
  using steelyard::wire::JsonSchema;
  for (std::string line; std::getline(std::cin, line);) {
    const auto both = steelyard::wire::read_json(line);
    if (!both || both->items.size() != 2) {
      fmt::print("unread: {}\n", both ? "" : both.error().message);
      continue;
    }
    const auto schema = JsonSchema::read(both->items[0]);
    fmt::print("{}\n", !schema ? schema.error().message : schema->valid(both->items[1]) ? "valid" : "invalid");
  }
}
