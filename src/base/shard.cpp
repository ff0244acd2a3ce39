#include "base/shard.hpp"

#include <string_view>

namespace steelyard {
namespace {

constexpr std::size_t kNumber = 5;  // digits

bool digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::optional<ShardName> ShardName::of(const std::string& file) {
  const std::size_t of = file.rfind("-of-");
  if (of == std::string::npos || of < kNumber + 1 || file.size() < of + 4 + kNumber) return std::nullopt;
  const std::size_t number = of - kNumber;
  if (!digits(std::string_view(file).substr(number, kNumber)) || file[number - 1] != '-' ||
      !digits(std::string_view(file).substr(of + 4, kNumber)))
    return std::nullopt;
  return ShardName{file.substr(0, number), file.substr(of)};
}

bool ShardName::holds(const std::string& file) const {
  return file.size() == before.size() + kNumber + after.size() && file.starts_with(before) && file.ends_with(after) &&
         digits(std::string_view(file).substr(before.size(), kNumber));
}

}  // namespace steelyard
