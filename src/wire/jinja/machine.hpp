// The inside of the interpreter: the state of one run. Private to this folder.
#pragma once

#include <optional>

#include "wire/jinja/interpreter.hpp"

namespace steelyard::wire::jinja {

class Machine;

struct Call {
  u32 node = kNone;
  Values args;
  std::vector<std::pair<std::string_view, Value>> keywords;
};

struct Scope : Heap {
  Scope* parent = nullptr;
  bool captured = false;  // a macro refers to it: it isn't reused
  std::vector<std::pair<std::string_view, Value>> names;
  Value* find(std::string_view name);
  void set(std::string_view name, const Value& value);
};

struct Object : Heap {
  enum class What : u8 { names, loop, macro, builtin, method, cycler, joiner, row, blocks };
  explicit Object(What what_) : what(what_) {}
  What what;
};
struct Names : Object {  // namespace()
  Names() : Object(What::names) {}
  Scope values;
};
struct Loop : Object {
  Loop() : Object(What::loop) {}
  Values items;
  Labels count = 0;
  std::size_t index = 0;
  i64 depth = 0;
  u32 node = kNone;  // of a recursive loop
  Scope* scope = nullptr;
  std::optional<Value> changed;
};
struct Macro : Object {
  Macro() : Object(What::macro) {}
  u32 node = kNone;  // a macro, a call block or a block
  u32 body = kNone;
  Scope* scope = nullptr;
};
using Function = Value (*)(Machine&, const Value& self, Call& call);
struct Builtin : Object {  // a global function, or a method with the value it belongs to
  Builtin(What what_, std::string_view name_, Function function_) : Object(what_), name(name_), function(function_) {}
  std::string_view name;
  Function function;
  Value self;
};
struct Cycler : Object {
  Cycler() : Object(What::cycler) {}
  Values items;
  std::size_t index = 0;
};
struct Joiner : Object {
  Joiner() : Object(What::joiner) {}
  Value separator;
  bool used = false;
};
struct Row : Object {  // an iterator, a view of a dict, or a range
  enum class Kind : u8 { iterator, view, range };
  Row() : Object(What::row) {}
  Kind kind = Kind::iterator;
  bool broken = false;  // of something that can't be iterated over, which shows when somebody tries
  Values items;
  Labels count = 0;
  std::string shown;  // what printing it gives
};
struct Blocks : Object {  // `self`
  Blocks() : Object(What::blocks) {}
};

class Machine {
 public:
  Machine(const Tree& tree, Arena& arena, const World& world, Observer& observer, const Limits& limits);
  Result run();

  // ---- For filters, tests and methods ----

  struct Stopped {
    Stop stop;
    std::string why;
  };
  [[noreturn]] void fail(std::string why, Stop stop = Stop::error) const { throw Stopped{stop, std::move(why)}; }
  void burn(u64 amount) {
    fuel_ += amount;
    if (fuel_ > limits_.fuel) fail("the fuel is used up", Stop::fuel);
  }
  Arena& arena() { return arena_; }
  const World& world() const { return world_; }
  Observer& observer() { return observer_; }
  bool autoescape() const { return autoescape_; }

  struct Deeper {
    explicit Deeper(Machine& machine) : machine_(machine) {
      if (++machine_.depth_ > machine_.limits_.depth) machine_.fail("too deep", Stop::depth);
    }
    ~Deeper() { --machine_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    Machine& machine_;
  };

  // Values (print.cpp, rows.cpp)
  bool truthy(const Value& value, Labels& labels) const;
  Text* str(const Value& value);  // Python's str(), with the runs of texts
  void str(Text& out, const Value& value);
  void repr(Text& out, const Value& value, int depth = 0);
  void json(Text& out, const Value& value, bool ascii, std::optional<std::string> indent, std::string_view comma,
            std::string_view colon, bool sorted, int depth = 0);
  Value make_text(Text* text, Labels labels);                                    // charges for it
  Values iterate(const Value& value, Labels& count);                             // the items; consumes an iterator
  Value row(Values items, Labels labels, Labels count, std::string_view shown);  // an iterator
  i64 length(const Value& value, Labels& labels);
  int compare(const Value& a, const Value& b);  // <0, 0, >0; fails like Python when there is no order
  bool contains(u32 node, const Value& item, const Value& container, Labels& labels);

  // Access (access.cpp)
  Value attribute(u32 node, const Value& object, std::string_view name, Labels labels = 0);
  Value item(u32 node, const Value& object, const Value& index);
  Value slice(const Value& object, const Value& first, const Value& last, const Value& step);
  Value path(u32 node, const Value& object, const Value& attribute_path, const Value* fallback = nullptr);

  // Calls (calls.cpp)
  Value call(const Value& callee, Call& arguments);
  Value filter(u32 node, std::string_view name, const Value& self, Call& arguments);
  bool test(u32 node, std::string_view name, const Value& self, Call& arguments, Labels& labels);
  Value binary(u32 node, Op op, const Value& a, const Value& b);
  Value comparison(u32 node, Op op, const Value& a, const Value& b);

  // The arguments by position or name; fails like Python when there are others. Undefined slots: not given.
  std::vector<std::optional<Value>> bind(const Call& call, std::initializer_list<std::string_view> names,
                                         std::size_t required = 0) const;

 private:
  enum class Flow : u8 { normal, stop, next };

  Value evaluate(u32 node, Scope& scope);
  Value evaluate_or_none(u32 node, Scope& scope);
  Value evaluate_call(u32 node, Scope& scope);
  Value evaluate_compare(u32 node, Scope& scope);
  Value evaluate_logic(u32 node, Scope& scope);
  Value evaluate_literal(u32 node);
  Value lookup(u32 node, Scope& scope);
  void arguments(const Node& node, Scope& scope, Call& out);
  bool decide(u32 site, const Value& value, Labels& labels);

  Flow execute(u32 node, Scope& scope);
  Flow execute_branch(const Node& node, Scope& scope);
  Flow execute_loop(u32 node, const Value& items, Scope& scope, i64 depth);
  Flow loop_body(u32 node, Loop& loop, bool lazily, Scope& scope);
  void print(const Value& value);
  Value chosen(Value value, const Value* before);
  void assign(u32 target, const Value& value, Scope& scope);
  Value apply(u32 filters, Value text, Scope& scope);
  Value capture(u32 body, Scope& scope);
  Value capture_in(u32 body, Scope& inner);
  Value call_macro(const Macro& macro, Call& call);
  Value loop_again(const Loop& loop, const Call& call);
  Scope* inner(Scope& scope);
  static void captured(Scope* scope);
  void find_blocks();

  friend struct Globals;

  const Tree& tree_;
  Arena& arena_;
  const World& world_;
  Observer& observer_;
  Limits limits_;
  u64 fuel_ = 0;
  u32 depth_ = 0;
  u32 at_ = kNone;  // the statement or expression that is being evaluated
  Labels control_ = 0;
  Labels loops_ = 0;  // the counts of the loops around
  bool autoescape_ = false;
  Text* out_ = nullptr;
  Scope* top_ = nullptr;
  std::vector<Value> literals_;
  std::map<std::string_view, u32> blocks_;
};

// The tables: nullptr when there is none of that name.
Function find_global(std::string_view name);
Function find_filter(std::string_view name);
using Test = bool (*)(Machine&, const Value& self, Call& call, Labels& labels);
Test find_test(std::string_view name);
// Of a text, a dict, a list, a tuple or a number.
Function find_method(const Value& object, std::string_view name);
bool changes_its_object(const Value& object, std::string_view name);

// Operations on texts that keep the runs (texts.cpp).
namespace texts {
Text* slice(Machine& m, const Text& text, std::size_t begin, std::size_t end);
// Each character through `change`: an empty answer keeps it.
void transform(Text& out, const Text& text, const std::function<std::optional<std::string>(u32)>& change);
Text* map(Machine& m, const Text& text, u32 (*change)(u32));
std::pair<std::size_t, std::size_t> stripped(std::string_view text, const Value* characters, bool left, bool right);
Values split(Machine& m, const Value& text, const Value* separator, i64 most, bool from_right);
Values lines(Machine& m, const Value& text, bool keep_ends);
Text* replace(Machine& m, const Value& text, const Value& old, const Value& fresh, i64 most);
Text* escape(Machine& m, const Text& text);
Text* pad(Machine& m, const Value& text, i64 width, std::string_view fill, int side);  // -1 left, 0 both, 1 right
Text* title(Machine& m, const Text& text, bool jinja);
Text* percent(Machine& m, const Value& format, const Values& args, const Value* mapping);
Text* format(Machine& m, u32 node, const Value& format, const Call& call);
std::string number(double value);  // Python's repr of a float
std::string strftime(std::string_view format);
void quote(Text& out, const Text& text);  // repr
void json(Text& out, const Text& text, bool ascii);
}  // namespace texts

}  // namespace steelyard::wire::jinja
