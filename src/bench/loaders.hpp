// Loaders of public data sets: which format a document has, and what its items ask. A further data set is a further
// entry of the table in loaders.cpp. Pure. Tested by tests/unit/bench_test.cpp and tests/cli/tasks_test.py.
#pragma once

#include "bench/task.hpp"

namespace steelyard::bench {

struct Loader {
  std::string_view name;     // of the data set
  std::string_view summary;  // for the docs
  bool (*recognises)(const wire::JsonNode& item);
  // An Error says what the item lacks.
  Result<Item> (*item)(const wire::JsonNode& item);
};

// The one that recognises an item; nullptr: none.
const Loader* loader_of(const wire::JsonNode& item);
// A document of BIG-Bench Hard: {"examples": [{"input", "target"}]}.
bool is_bbh(const wire::JsonNode& document);
Result<std::vector<Item>> bbh_items(const wire::JsonNode& document);

}  // namespace steelyard::bench
