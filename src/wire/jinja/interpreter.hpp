// Runs a template as jinja2's ImmutableSandboxedEnvironment does in transformers, over values that
// remember where they came from, and tells an observer what it saw.
//
// Attacks resisted: loops, recursion and texts without end (fuel, memory and depth are bounded; what
// exceeds them stops the run). Tested against jinja2 by tests/oracle/jinja_test.py; fuzzed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "wire/jinja/ast.hpp"
#include "wire/jinja/value.hpp"

namespace steelyard::wire::jinja {

// What a run is told while it happens. The defaults change nothing.
struct Observer {
  virtual ~Observer() = default;
  // A condition (of a branch, a conditional expression or a loop's filter) came out; the answer is followed.
  virtual bool decide(u32 node, bool outcome, Labels labels) {
    (void)node, (void)labels;
    return outcome;
  }
  // Two values were compared, searched or split by one another.
  virtual void compared(u32 node, const Value& a, const Value& b) { (void)node, (void)a, (void)b; }
  // An attribute or item that leads out of the sandbox was asked for.
  virtual void escaped(u32 node, std::string_view name) { (void)node, (void)name; }
  // A method that changes its object was asked for; the sandbox refuses.
  virtual void mutated(u32 node, std::string_view name) { (void)node, (void)name; }
  // A global that nobody set was asked for.
  virtual void missing(u32 node, std::string_view name) { (void)node, (void)name; }
  // Something that isn't a function of the language was called.
  virtual void called(u32 node, std::string_view name) { (void)node, (void)name; }
};

// What there is besides the template.
struct World {
  std::map<std::string, Value, std::less<>> globals;
  Labels missing = 0;         // of globals that nobody set
  Labels ambient = 0;         // of the date and of chance
  u32 ambient_source = 1;     // of the date's text
  Labels loops = 0xFFFFFFFF;  // which labels of a row's length what a loop over it prints depends on
};

struct Limits {
  u64 fuel = 1'000'000;  // nodes evaluated, and bytes of text / 64
  u32 depth = 800;       // evaluations inside one another
};

enum class Stop : u8 {
  finished,
  raised,  // raise_exception
  error,   // what jinja2 refuses at run time
  fuel,    // a limit was hit
  memory,
  depth,
  oversized,    // a range, a number or a text beyond reason
  unsupported,  // include, import, extends
};

struct Result {
  Stop stop = Stop::finished;
  std::string why;
  u32 node = kNone;  // where it stopped
  const Text* output = nullptr;
  u64 fuel = 0;  // used
};

// The output lives in `arena`, which also bounds the memory.
Result render(const Tree& tree, Arena& arena, const World& world, Observer& observer, const Limits& limits = {});

}  // namespace steelyard::wire::jinja
