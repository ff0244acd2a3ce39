// Jinja source into a syntax tree, after jinja2/parser.py.
//
// Attack resisted: nesting and length without end (the tree's depth and size are bounded, because
// whoever walks it recurses). Tested against jinja2 by tests/oracle/jinja_test.py; fuzzed.
#pragma once

#include <expected>
#include <string_view>

#include "wire/jinja/ast.hpp"

namespace steelyard::wire::jinja {

inline constexpr u32 kDeepest = 400;        // nodes above one another
inline constexpr u32 kNested = 100;         // brackets and blocks inside one another
inline constexpr u32 kMostNodes = 150'000;  // of one tree

std::expected<Tree, Refusal> parse(std::string_view source);

}  // namespace steelyard::wire::jinja
