// Prints what wire/elf reads of each file named on standard input, one line of JSON a file.
#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "base/json.hpp"
#include "io/file.hpp"
#include "wire/elf.hpp"

int main() {
  using namespace steelyard;
  std::string path;
  while (std::getline(std::cin, path)) {
    json::Value out;
    const auto file = io::File::open(std::filesystem::canonical(path));
    const auto image = file ? wire::elf::read(*file, true) : std::nullopt;
    out.set("elf", image.has_value());
    if (image) {
      const auto list = [](const std::vector<std::string>& items) {
        json::Value texts = json::Array{};
        for (const std::string& item : items) texts.push(item);
        return texts;
      };
      out.set("kind", to_string(image->kind)).set("dynamic", image->dynamic);
      out.set("relro", to_string(image->relro))
          .set("bind_now", to_string(image->bind_now))
          .set("nx", to_string(image->nx));
      out.set("ibt", to_string(image->ibt))
          .set("shstk", to_string(image->shstk))
          .set("canary", to_string(image->canary));
      out.set("fortify", to_string(image->fortify)).set("textrel", to_string(image->text_relocations));
      out.set("interpreter", image->interpreter).set("soname", image->soname).set("build_id", image->build_id);
      out.set("needed", list(image->needed)).set("search", list(image->search)).set("imports", list(image->imports));
      out.set("names", image->names.size()).set("problems", list(image->problems));
    }
    fmt::print("{}\n", json::compact(out));
  }
}
