#include "stack/features.hpp"

#include <array>
#include <fstream>
#include <sstream>

namespace steelyard::stack {

std::set<std::string> cpu_features(const std::filesystem::path& root) {
  std::set<std::string> out;
  std::ifstream in(root / "proc/cpuinfo");
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line.substr(std::min(line.find(':') + 1, line.size())));
    std::string word;
    while (words >> word) out.insert(word);
    break;
  }
  return out;
}

}  // namespace steelyard::stack
