#include "base/pattern.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cctype>

namespace steelyard {
namespace {

// \u00e9 as RE2 writes it: \x{00e9}.
std::string translated(std::string_view pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '\\' || i + 1 == pattern.size()) {
      out += pattern[i];
      continue;
    }
    const std::string_view digits = pattern.substr(std::min(i + 2, pattern.size()), 4);
    const bool escape = pattern[i + 1] == 'u' && digits.size() == 4 &&
                        std::ranges::all_of(digits, [](unsigned char c) { return std::isxdigit(c) != 0; });
    if (escape) {
      out += fmt::format("\\x{{{}}}", digits);
      i += 5;
    } else {
      out += pattern.substr(i++, 2);
    }
  }
  return out;
}

}  // namespace

struct Pattern::Compiled {
  explicit Compiled(const std::string& pattern) : expression(pattern, options()) {}
  static RE2::Options options() {
    RE2::Options options(RE2::Quiet);
    options.set_never_capture(true);
    return options;
  }
  RE2 expression;
};

Result<Pattern> Pattern::compile(std::string_view pattern) {
  auto compiled = std::make_shared<const Compiled>(translated(pattern));
  if (!compiled->expression.ok()) return fail(ErrorCode::usage, compiled->expression.error());
  return Pattern(std::move(compiled));
}

bool Pattern::found_in(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled_->expression);
}

}  // namespace steelyard
