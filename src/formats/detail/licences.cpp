#include "formats/detail/licences.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/embedded.hpp"
#include "wire/toml.hpp"

namespace steelyard::formats {
namespace {

struct Licence {
  std::string id;
  std::vector<std::string> has;    // each of these sentences
  std::vector<std::string> lacks;  // and none of these
};

// Lower case, every run of anything but letters, digits and + as one space: line breaks, quotes and
// comment signs don't matter.
std::string normal(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool kept = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9') || low == '+' ||
                      static_cast<unsigned char>(low) >= 0x80;
    if (kept) {
      out += low;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

std::vector<Licence> load() {
  std::vector<Licence> licences;
  for (const auto& file : embedded::under("licences/")) {
    const auto document = toml::Document::parse(std::string(file.text), "data/" + std::string(file.path));
    if (!document) throw std::logic_error(document.error().message);
    toml::Table root(**document, (*document)->root(), "licences");
    (void)root.required_text("schema");
    for (toml::Table& entry : root.tables("licence")) {
      Licence& licence = licences.emplace_back();
      licence.id = entry.required_text("id");
      for (const std::string& sentence : entry.texts("has")) licence.has.push_back(normal(sentence));
      for (const std::string& sentence : entry.texts("lacks")) licence.lacks.push_back(normal(sentence));
      entry.finish();
    }
    root.finish();
    if (const auto checked = (*document)->check(); !checked) throw std::logic_error(checked.error().message);
  }
  return licences;
}

}  // namespace

std::vector<std::string> licences_in(std::string_view text) {
  static const std::vector<Licence> known = load();
  const std::string content = normal(text);
  const auto there = [&](const std::string& sentence) { return content.contains(sentence); };
  std::vector<std::string> ids;
  for (const Licence& licence : known) {
    if (std::ranges::all_of(licence.has, there) && std::ranges::none_of(licence.lacks, there))
      ids.push_back(licence.id);
  }
  return ids;
}

}  // namespace steelyard::formats
