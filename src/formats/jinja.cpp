// Jinja chat templates: chat_template.jinja of a repository, and the templates that other files hold
// (the keys tokenizer.chat_template* of GGUF), which those hand over as artifacts of this format.
//
// What is checked, and which attacks that resists, stands in detail/chat_template.hpp.
// Tested by data/rules/TPL, tests/unit/template_test.cpp and tests/oracle/templates_test.py; fuzzed.

#include <fmt/format.h>

#include "formats/detail/chat_template.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

int sniff(const Sniff& sniff) {
  const std::string_view head = as_text(sniff.head);
  if (head.find('\0') != std::string_view::npos) return 0;
  if (sniff.name.ends_with(".jinja") || sniff.name.ends_with(".jinja2") || sniff.name.ends_with(".j2")) return 80;
  const bool language = head.contains("{%") || head.contains("{{");
  return language && head.contains("messages") && head.contains("role") && head.contains("content") ? 30 : 0;
}

void parse(Item& item) {
  std::string text(static_cast<std::size_t>(std::min<u64>(item.size(), kMostTemplate + 1)), '\0');
  const std::size_t length = item.source().read(0, std::as_writable_bytes(std::span(text)));
  text.resize(length);
  Coverage& coverage = item.coverage();
  if (length < std::min<u64>(item.size(), kMostTemplate + 1)) {
    coverage.gaps.push_back({{length, item.size()}, "the bytes could not be read"});
    return;
  }
  if (check_chat_template(text, item.report())) {
    coverage.examined = item.size();
  } else {
    coverage.gaps.push_back({{0, item.size()}, "the template could not be examined as a whole"});
  }
}

}  // namespace

extern const Format jinja_format;
const Format jinja_format{
    "jinja", "Jinja chat template", "jinja,jinja2,j2", "jinja.palletsprojects.com, version 3.1", sniff, parse};

}  // namespace steelyard::formats
