#include "stores/detail/config.hpp"

#include <algorithm>

#include "io/file.hpp"
#include "wire/toml.hpp"

namespace steelyard::stores {

std::string toml_text(const std::filesystem::path& file, const std::vector<std::string>& keys) {
  constexpr u64 kLargest = u64{1} << 20;
  auto text = io::read_text(file, kLargest);
  if (!text) return {};
  const auto document = toml::Document::parse(std::move(*text), file.string());
  if (!document) return {};
  const toml::Node* node = &(*document)->root();
  for (const std::string& key : keys) {
    const auto found = std::ranges::find(node->members, key, &toml::Member::key);
    if (found == node->members.end()) return {};
    node = &found->value;
  }
  return node->kind == toml::Node::Kind::string ? node->text : std::string();
}

}  // namespace steelyard::stores
