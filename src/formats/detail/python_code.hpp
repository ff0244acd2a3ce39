// PythonCode: what a Python source does, told from its tokens by following names, constants and where
// values come from. Nothing is run.
//
// Every statement is evaluated once, in order, with abstract values: a dotted path (import os as o; o.system),
// a constant text (also joined, decoded from base64 or hex, reversed), and marks for values that were decoded,
// fetched, read from secret places or written to disk from such. Calls are judged by what they do
// (data/code/python.toml) and by the marks of their arguments. No recursion follows the input: brackets
// are a stack, nested code (exec of a constant text, f-strings) has a depth. Pure; not thread-safe.
// Tested by tests/unit/python_test.cpp, data/rules/PYC/, tests/oracle/repository_test.py (CPython's ast).
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "formats/detail/python_lexer.hpp"

namespace steelyard::formats {

// A call, or a callable handed on, that has an effect.
struct PythonCall {
  std::string name;    // "os.system"
  std::string effect;  // an id of data/code/python.toml
  std::string says;
  std::string argument;                                        // the first constant one, cut
  enum class When { import, main, call } when = When::import;  // main: under if __name__ == "__main__"
  std::string function;                                        // of the file, in which it stands
  bool shell = false;                                          // a program that a shell starts
  Range at;
};

struct PythonImport {
  std::string module;  // ".configuration_x", "os.path"
  Range at;
  friend bool operator==(const PythonImport& a, const PythonImport& b) { return a.module == b.module; }
};

// Something wrong by itself: a rule of PYC or CMD and what fills its texts.
struct PythonAlarm {
  std::string rule;
  std::string call;
  std::string says;
  Range at;
};

struct PythonReport {
  std::vector<PythonCall> calls;
  std::vector<PythonImport> imports;
  std::vector<PythonAlarm> alarms;
  std::vector<std::pair<std::string, Range>> files;  // Python files and libraries that it runs or loads
  std::string framework;                             // that looks for a class or function which it defines
  std::string fault;                                 // why the rest could not be read
  u64 read = 0;
  bool cut = false;
};

// `base`: where `source` begins in the file. `depth`: how many pieces of code it is nested in.
PythonReport examine_python(std::string_view source, u64 base = 0, int depth = 0);

}  // namespace steelyard::formats
