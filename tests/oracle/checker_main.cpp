// Lines of {"checker", "expected", "answer"}: "passed", "failed", "undetermined", or what is wrong with them.
#include <fmt/format.h>

#include <iostream>

#include "bench/checker.hpp"

int main() {
  using steelyard::bench::Checker;
  constexpr const char* kNames[] = {"passed", "failed", "undetermined"};
  for (std::string line; std::getline(std::cin, line);) {
    const auto item = steelyard::wire::read_json(line);
    if (!item || item->find("expected") == nullptr) {
      fmt::print("unread: {}\n", item ? "" : item.error().message);
      continue;
    }
    const auto checker = Checker::read(item->text_of("checker"), *item->find("expected"));
    fmt::print("{}\n",
               checker ? kNames[static_cast<int>(checker->check(item->text_of("answer")))] : checker.error().message);
  }
}
