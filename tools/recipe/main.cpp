#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "recipe/recipe.hpp"

// recipe [FILE] > OUT: builds the recipe in FILE, or on standard input.
int main(int argc, char** argv) {
  std::ifstream file;
  if (argc > 1) file.open(argv[1]);
  std::istream& in = argc > 1 ? file : std::cin;
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const auto bytes = steelyard::recipe::build(text);
  if (!bytes) {
    fmt::print(stderr, "{}\n", bytes.error().message);
    return 2;
  }
  return std::fwrite(bytes->data(), 1, bytes->size(), stdout) == bytes->size() ? 0 : 2;
}
