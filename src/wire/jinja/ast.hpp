// The syntax tree of a Jinja template: one arena of nodes that refer to each other by index.
//
// Language: Jinja 3.1 (the Python package jinja2) with its extensions loopcontrols and do, and the
// `generation` block of transformers. Every node keeps the bytes of the source it was read from.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::wire::jinja {

inline constexpr u32 kNone = 0xFFFFFFFF;

// The comment names what `at` holds, then what `list` holds; `text` is a name unless said otherwise.
enum class Kind : u8 {
  // Expressions
  literal,       // (the constant is in `constant`)
  name,          //
  tuple,         // | items
  list,          // | items
  dict,          // | pairs
  pair,          // key, value
  conditional,   // test, then, else
  logical_or,    // left, right
  logical_and,   // left, right
  logical_not,   // operand
  compare,       // left | comparisons
  comparison,    // right (op)
  binary,        // left, right (op)
  concat,        // | operands
  negative,      // operand
  positive,      // operand
  attribute,     // object
  subscript,     // object, index
  slice,         // first, last, step
  call,          // callee | arguments
  filter,        // operand or none: the block's text | arguments
  test,          // operand | arguments
  keyword,       // value
  star,          // value: *args
  double_star,   // value: **kwargs
  namespace_at,  // `ns.name` as a target: text is ns, and `other` the attribute
  // Statements
  body,          // | statements
  output,        // | expressions and data
  data,          // (text is what it prints)
  loop,          // target, iterable, test, body, else
  branch,        // else or none | tests and bodies in turn
  with,          // body | targets and values in turn
  autoescape,    // value, body
  block,         // body
  extends,       // template
  include,       // template
  import,        // template
  from_import,   // template
  call_block,    // call, body | parameters
  filter_block,  // filter, body
  macro,         // body | parameters
  parameter,     // default or none
  set,           // target, value
  set_block,     // target, filter or none, body
  evaluate,      // expression: `do`
  stop,          // `break`
  next,          // `continue`
  generation,    // body
};

enum class Op : u8 { none, eq, ne, lt, le, gt, ge, in, not_in, add, sub, mul, div, floordiv, mod, pow };

// What a literal is. A huge integer (beyond 64 bits) keeps its sign only.
enum class Constant : u8 { none, boolean, integer, huge, real, text };

struct Node {
  Kind kind = Kind::body;
  Op op = Op::none;
  Constant constant = Constant::none;
  bool flag = false;  // a recursive loop, a scoped block, a true literal
  u32 begin = 0;      // of the bytes in the source
  u32 end = 0;
  u32 text = kNone;   // index into Tree::texts
  u32 other = kNone;  // a second text; of loops and macros, the first node of the body
  u32 first = 0;      // into Tree::lists
  u32 count = 0;
  std::array<u32, 5> at = {kNone, kNone, kNone, kNone, kNone};
  union {
    i64 integer = 0;
    double real;
  };
};

struct Tree {
  std::vector<Node> nodes;
  std::vector<u32> lists;
  std::vector<std::string> texts;
  u32 root = kNone;

  const Node& operator[](u32 index) const { return nodes[index]; }
  u32 item(const Node& node, u32 index) const { return lists[node.first + index]; }
  const std::string& text(const Node& node) const { return texts[node.text]; }
};

// Why a template is refused. `budget`: it may well be Jinja, but is longer or deeper than is read.
struct Refusal {
  u32 offset = 0;
  std::string why;
  bool budget = false;
};

}  // namespace steelyard::wire::jinja
