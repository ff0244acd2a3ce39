// Result and Error: how every fallible function of Steelyard answers.
//
// An Error is for I/O, resources, usage and bugs. Hostile input never yields one: it yields
// findings and lower coverage (see core/examination.hpp).
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace steelyard {

enum class ErrorCode {
  usage,     // the caller asked for something that can't be done
  io,        // the system refused to open, read or write
  resource,  // memory, descriptors, a sandbox layer
  internal,  // a bug in Steelyard
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;  // what, where, expected, found; one or more lines, no trailing newline
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace steelyard

#define SY_CONCAT_INNER(a, b) a##b
#define SY_CONCAT(a, b) SY_CONCAT_INNER(a, b)

// SY_TRY(auto file, open(path)): declares `file`, or returns the error of the expression.
#define SY_TRY(declaration, expression) SY_TRY_NAMED(SY_CONCAT(sy_try_, __LINE__), declaration, expression)
// NOLINTBEGIN(bugprone-macro-parentheses): `name` and `declaration` declare.
#define SY_TRY_NAMED(name, declaration, expression)           \
  auto name = (expression);                                   \
  if (!name) return std::unexpected(std::move(name).error()); \
  declaration = *std::move(name)
// NOLINTEND(bugprone-macro-parentheses)

// SY_CHECK(write(path)): returns the error of a Result whose value isn't needed.
#define SY_CHECK(expression)                                                                          \
  do {                                                                                                \
    if (auto sy_check = (expression); !sy_check) return std::unexpected(std::move(sy_check).error()); \
  } while (false)
