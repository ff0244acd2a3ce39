#include "report/terminal.hpp"

#include <algorithm>

namespace steelyard::report {
namespace {

// One character of valid UTF-8: display() lets nothing else through.
struct Step {
  std::size_t bytes = 1;
  std::size_t columns = 1;
};

Step step(std::string_view rest) {
  const auto first = static_cast<unsigned char>(rest[0]);
  const std::size_t bytes = std::min<std::size_t>(first >= 0xF0   ? 4
                                                  : first >= 0xE0 ? 3
                                                  : first >= 0xC0 ? 2
                                                                  : 1,
                                                  rest.size());
  char32_t code = bytes == 1 ? first : first & (0xFFu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) code = (code << 6) | (static_cast<unsigned char>(rest[i]) & 0x3Fu);
  const auto in = [&](char32_t low, char32_t high) { return code >= low && code <= high; };
  const bool wide = in(0x1100, 0x115F) || in(0x2E80, 0xA4CF) || in(0xAC00, 0xD7A3) || in(0xF900, 0xFAFF) ||
                    in(0xFE30, 0xFE6F) || in(0xFF00, 0xFF60) || in(0xFFE0, 0xFFE6) || in(0x1F300, 0x1FAFF) ||
                    in(0x20000, 0x3FFFD);
  return {bytes, wide ? 2u : 1u};
}

// How many bytes of `text` fit into `columns`; at least one character.
std::size_t fitting(std::string_view text, std::size_t columns) {
  std::size_t used = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const Step next = step(text.substr(at));
    if (used + next.columns > columns && at > 0) break;
    used += next.columns;
    at += next.bytes;
  }
  return at;
}

}  // namespace

std::size_t width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Step next = step(text);
    columns += next.columns;
    text.remove_prefix(next.bytes);
  }
  return columns;
}

std::string cut(std::string_view text, std::size_t columns) {
  if (width(text) <= columns) return std::string(text);
  std::string_view head = text.substr(0, fitting(text, columns > 1 ? columns - 1 : 1));
  while (head.ends_with(' ')) head.remove_suffix(1);
  return std::string(head) + "…";
}

std::string pad(std::string_view text, std::size_t columns) {
  const std::size_t used = width(text);
  return std::string(text) + std::string(columns > used ? columns - used : 0, ' ');
}

std::string Screen::paint(Paint paint, std::string_view text) const {
  if (!color_ || paint == Paint::plain || text.empty()) return std::string(text);
  const std::string_view code = paint == Paint::strong ? "1"
                                : paint == Paint::dim  ? "2"
                                : paint == Paint::good ? "1;32"
                                : paint == Paint::warn ? "1;33"
                                : paint == Paint::bad  ? "1;31"
                                                       : "1;35";
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

Paint Screen::of(policy::Decision decision) const {
  switch (decision) {
    case policy::Decision::fit:
      return Paint::good;
    case policy::Decision::fit_with_conditions:
      return Paint::warn;
    case policy::Decision::undetermined:
      return Paint::open;
    case policy::Decision::unfit:
      break;
  }
  return Paint::bad;
}

Paint Screen::of(Severity severity) const {
  if (severity >= Severity::high) return Paint::bad;
  return severity == Severity::medium ? Paint::warn : Paint::plain;
}

void Screen::line(std::string_view text) {
  out_ += text;
  out_ += '\n';
}

void Screen::heading(std::string_view text) {
  line();
  line(paint(Paint::strong, text));
}

void Screen::block(std::string_view lead, std::size_t indent, std::string_view text, Paint color) {
  std::string start(lead);
  if (2 * indent > columns_) {  // a narrow screen: the lead on its own, the text below
    while (start.ends_with(' ')) start.pop_back();
    line(start);
    indent = 4;
    start.assign(indent, ' ');
  }
  const std::size_t room = columns_ - indent;
  do {
    std::size_t end = fitting(text, room);
    if (end < text.size() && text[end] != ' ') {
      const std::size_t space = text.rfind(' ', end);
      if (space != std::string_view::npos && space > end / 2) end = space;
    }
    const std::size_t last = text.find_last_not_of(' ', end == 0 ? 0 : end - 1);
    line(start + paint(color, text.substr(0, last == std::string_view::npos ? 0 : last + 1)));
    text.remove_prefix(end);
    while (text.starts_with(' ')) text.remove_prefix(1);
    start.assign(indent, ' ');
  } while (!text.empty());
}

}  // namespace steelyard::report
