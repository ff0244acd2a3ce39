#include "formats/detail/active_content.hpp"

#include <algorithm>
#include <initializer_list>

namespace steelyard::formats {
namespace {

std::string_view first_of(std::string_view text, std::initializer_list<std::string_view> words) {
  const auto found = std::ranges::find_if(words, [&](std::string_view word) { return text.contains(word); });
  return found == words.end() ? std::string_view() : *found;
}

}  // namespace

std::string_view acts(std::string_view low) {
  return first_of(low, {"<script", "javascript:", "onload=", "onerror=", "<foreignobject", "<iframe"});
}

std::string_view attacks(std::string_view low) {
  if (low.contains("kernel.execute(") && !first_of(low, {"os.system", "subprocess", "__import__", "exec("}).empty())
    return "runs a program through the notebook's kernel";
  const bool sends =
      !first_of(low, {"fetch(", "xmlhttprequest", "sendbeacon", "new image", "websocket(", ".src"}).empty();
  const bool outside = !first_of(low, {"http://", "https://", "ws://", "wss://", "'//", "\"//"}).empty();
  return sends && outside && low.contains("document.cookie") ? "reads document.cookie and sends it elsewhere"
                                                             : std::string_view();
}

}  // namespace steelyard::formats
