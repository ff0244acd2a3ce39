// Checker: the program that decides whether an answer of the model is right.
//
// Attack resisted: the answer is the model's. It is looked at up to 1 MiB (what is longer doesn't pass), as JSON up to
// 100,000 values and 32 levels, by expressions in linear time (base/pattern), under schemas with bounded work
// (wire/json_schema), and what it holds of code runs in a sandbox (sandbox/script) or not at all: then the outcome is
// undetermined. Documented in docs/tasks.md. Immutable; thread-safe. Tested by tests/unit/checker_test.cpp.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "base/result.hpp"
#include "wire/json_tree.hpp"

namespace steelyard::bench {

enum class Outcome { passed, failed, undetermined };

class Checker {
 public:
  static std::span<const std::string_view> names();
  // Errors say what `expected` has to be.
  static Result<Checker> read(std::string_view name, const wire::JsonNode& expected);
  // `expected` as a text; what isn't one (a schema, a call, a list) as JSON in it.
  static Result<Checker> read(std::string_view name, const std::string& expected);

  Outcome check(const std::string& answer) const;
  // An answer with this text in it passes, whatever follows, so that it may end there; empty: none.
  const std::string& settling() const { return settling_; }
  // Whether it needs an interpreter (interpreter()).
  bool runs_code() const { return runs_code_; }

 private:
  using Check = std::function<Outcome(const std::string&)>;
  Check check_;
  std::string settling_;
  bool runs_code_ = false;
};

// Where calls of tools stand in an answer, as the families of models write them:
//   <tool_call>{"name", "arguments"}</tool_call>  ·  {"name", "parameters"}, after <|python_tag|> or not
//   [TOOL_CALLS][{…}]  ·  [TOOL_CALLS]name[ARGS]{…}  ·  {"function": {…}}, {"tool_calls": […]}, a list, all in ``` too
struct Call {
  std::string name;
  wire::JsonNode arguments;  // an object
};
std::vector<Call> calls_in(const std::string& answer);

// The Python that runs what models write; empty when this machine has none.
std::filesystem::path interpreter();

}  // namespace steelyard::bench
