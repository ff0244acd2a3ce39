#include "accept/pattern.hpp"

#include <vector>

namespace steelyard::accept {

bool matches(std::string_view pattern, std::string_view path) {
  const bool folder = pattern.ends_with('/');
  // reached[i]: the pattern so far matches the first i characters.
  std::vector<char> reached(path.size() + 1);
  reached[0] = 1;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    std::vector<char> next(path.size() + 1);
    if (pattern[p] == '*') {
      const bool any = pattern.substr(p).starts_with("**");
      if (any) ++p;
      for (std::size_t i = 0; i <= path.size(); ++i)
        next[i] = reached[i] != 0 || (i > 0 && next[i - 1] != 0 && (any || path[i - 1] != '/')) ? 1 : 0;
      // "**/" also stands for nothing: "a/**/b" matches "a/b".
      if (any && pattern.substr(p + 1).starts_with('/')) {
        std::vector<char> behind(path.size() + 1);
        for (std::size_t i = 0; i < path.size(); ++i) behind[i + 1] = next[i] != 0 && path[i] == '/' ? 1 : 0;
        for (std::size_t i = 0; i <= path.size(); ++i) next[i] = behind[i] != 0 || reached[i] != 0 ? 1 : 0;
        ++p;
      }
    } else {
      for (std::size_t i = 0; i < path.size(); ++i)
        next[i + 1] = reached[i] != 0 && (path[i] == pattern[p] || (pattern[p] == '?' && path[i] != '/')) ? 1 : 0;
    }
    reached = std::move(next);
  }
  if (!folder) return reached.back() != 0;
  for (const char end : reached) {
    if (end != 0) return true;
  }
  return false;
}

}  // namespace steelyard::accept
