// PythonCalls: what the calls that python_code.cpp sees do, by what they are called with.
//
// Resolves modules and attributes that are asked for by name, computes with constants, and follows marks
// into what runs, loads, sends or writes. One per source, its nested code included. Not thread-safe.
// Tested by tests/unit/python_test.cpp.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <utility>

#include "formats/detail/python_code.hpp"
#include "formats/detail/python_names.hpp"
#include "formats/detail/python_values.hpp"

namespace steelyard::formats {

// One name for one thing: "torch.serialization.os.system" and "__builtins__.eval" are os.system and eval.
std::string canonical_name(std::string_view path);

struct PythonCallSite {
  PythonValue base;  // what is called
  std::vector<PythonValue> arguments;
  std::vector<std::pair<std::string, PythonValue>> keywords;
  Range at;
  PythonCall::When when = PythonCall::When::import;
  int depth = 0;         // of nested code
  std::string function;  // of the file, in which it stands
};

class PythonCalls {
 public:
  // `run` reads a constant text as code.
  PythonCalls(PythonReport& out, std::function<void(const PythonValue& code, Range at)> run)
      : out_(out), run_(std::move(run)) {}

  // The value of the call.
  PythonValue called(const PythonCallSite& site);
  // os.system given to Thread or map, or kept in a table, is called by somebody else.
  void handed_on(const std::string& path, const PythonCallSite& site, Range at);
  // What an object's __reduce__ returns is what unpickling it calls.
  void reduces_to(const PythonValue& value, Range at);
  // A name that was put together from pieces and turns out to have an effect.
  void obscured(const PythonValue& name, const std::string& path, Range at);
  void record_import(const std::string& module, Range at);
  void alarm(std::string rule, std::string_view call, std::string_view says, Range at);
  // Whether texts of that many bytes may still be put together.
  bool fuel(std::size_t bytes);
  // What only the source as a whole tells.
  void finish();

 private:
  using Value = PythonValue;

  void compute(const std::string& path, const PythonCallSite& frame, Value& result);
  // Calls that give a module, an attribute or another callable. Whether it was one.
  bool resolve(const std::string& path, const PythonCallSite& frame, Value& result, Range at);
  void files(const std::string& path, const PythonCallSite& frame, Value& result, Range at);
  void effects(const std::string& path, const PythonCallSite& frame, Value& result, Range at);
  void process(const std::string& path, const Effect& effect, const PythonCallSite& frame, u32 marks, Range at);
  void file(const std::string& name, Range at);
  // Functions of the file that are run when it is imported: what they do is done then.
  void called_on_import();
  void record(const std::string& path, const Effect& effect, const PythonCallSite& frame, Range at,
              std::string_view command = {});

  PythonReport& out_;
  std::function<void(const PythonValue&, Range)> run_;
  bool sockets_ = false;
  bool takes_over_ = false;
  Range taken_at_;
  std::set<std::string> dropped_;  // files that were written from fetched or decoded bytes
  std::size_t computed_ = 0;
  std::map<std::string, std::set<std::string>> callees_;  // by function; of none: what importing calls
  std::size_t edges_ = 0;
};

}  // namespace steelyard::formats
