// Pickle: a symbolic machine with the semantics of CPython 3.11's C unpickler, which calls nothing.
//
// Spec: Modules/_pickle.c and Lib/pickletools.py of CPython 3.11; protocols 0 to 5. Every opcode has
// its effect on stack, marks and memo; what a real load would import, call or set is told to an
// Observer in the order in which it would happen.
//
// Attacks resisted: payloads in front of an error (the effects up to it are told, and what follows is
// still walked), opcodes that disassemblers skip or mistake (POP, DUP, memo rewriting, EXT, INST,
// OBJ, BUILD), names assembled on the stack, frames that one reader crosses and another doesn't, deep
// nesting and self-reference (no recursion), memo bombs. Memory is bounded: texts stay in the stream,
// containers keep their first items. What was not kept is Kind::lost, or a value without a node: a
// judge must treat it as unknown.
// Not thread-safe. Tested by tests/unit/pickle_test.cpp and, against CPython's unpicklers, by
// tests/oracle/pickle_test.py; fuzzed by fuzz/pickle_machine.cpp.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/cursor.hpp"
#include "wire/pickle_text.hpp"

namespace steelyard::wire::pickle {

enum class Kind : u8 {
  absent,  // of a memo entry
  none,
  boolean,
  integer,
  real,
  text,
  bytes,
  bytearray,
  tuple,
  list,
  dict,
  set,
  frozenset,
  global,      // what find_class(module, name) returns
  object,      // what a call or the creation of an instance returns
  persistent,  // what persistent_load returns
  buffer,      // out-of-band, or a memoryview
  lost,        // anything
};

// How a text lies in the stream.
enum class Form : u8 { plain, escaped, unicode_escaped, eight_bit, digits, little_endian, run };

inline constexpr u32 kNoNode = UINT32_MAX;

// What a value is. Texts and bytes are ranges of the stream, containers and objects are nodes of the
// machine. Valid until the machine goes on.
struct Value {
  Kind kind = Kind::lost;
  Form form = Form::plain;
  u32 size = 0;  // of a text, in the stream; UINT32_MAX: that or more
  union {
    i64 integer = 0;  // integer (Form::plain), boolean; Form::run: how many lost values
    double real;
    u64 offset;  // of a text, of an integer's digits
    u32 node;    // containers, objects; of a global its index
  };

  bool is(Kind other) const { return kind == other; }
};

inline Value simple(Kind kind, i64 integer = 0) {
  Value value;
  value.kind = kind;
  value.integer = integer;
  return value;
}

// Of a place on the stack: how many values it stands for.
inline u64 width(const Value& value) {
  return value.kind == Kind::lost && value.form == Form::run ? static_cast<u64>(value.integer) : 1;
}

bool constant(Kind kind);

struct Node {
  bool unhashable = false;  // of a tuple: one of its items is
  bool opaque = false;      // items that were not kept were not all constants
  bool special = false;     // of a dict: a key that was not kept may begin with "__"
  bool marked = false;
  u32 number = 0;    // of an object or a persistent one, in the order of creation
  u32 height = 0;    // how deep containers are nested in it, as far as was known when they were put there
  float weight = 1;  // how many values it has when shared ones count each time; the same
  float lost = 0;    // the weight of the items that were not kept
  u64 length = 0;    // of a container: items ever put into it; of a bytearray its length
  // Of a container its first items (a dict's alternate: key, value); of an object its callee, its
  // arguments and its keyword arguments; of a persistent object its id; of a bytearray its bytes.
  std::vector<Value> items;
};

inline constexpr std::size_t kKeptItems = 64;
inline constexpr std::size_t kKeptText = 1024;

struct Global {
  std::string module;  // its first kKeptText bytes
  std::string name;
  bool cut = false;
  int protocol = 0;  // when it was imported: below 3 old names are mapped, from 4 on dots are followed
};

class Machine;

struct Event {
  enum class What : u8 {
    import,       // find_class(target)
    call,         // target(*argument)
    instantiate,  // INST and OBJ: target.__new__(target) for a class without arguments, else target(*argument)
    create,       // target.__new__(target, *argument, **keywords): NEWOBJ, NEWOBJ_EX
    build,        // target.__setstate__(argument), or its attributes set
    extend,       // target.extend(argument), a list; or append() of each
    set_item,     // target[key] = value for all pairs of argument, a list
    add,          // target.add() of all items of argument, a list
    persistent,   // persistent_load(argument)
    extension,    // the code `argument` of copyreg's extension registry
  };
  What what = What::import;
  bool after_fault = false;  // CPython stops before this; another unpickler may not
  int protocol = 0;
  u64 at = 0;   // of the opcode
  u64 end = 0;  // behind it
  Value target;
  Value argument;
  Value keywords = simple(Kind::absent);  // of NEWOBJ_EX
  Value result;
};

// Told what a load would do.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void event(const Machine& machine, const Event& event) = 0;
  // Asked after each event: whether the walk may end.
  virtual bool enough() const { return false; }

  // How many bytes the loader itself takes from the stream right after BUILD (joblib reads arrays).
  virtual u64 after_build(const Machine&, const Event&) { return 0; }
  // Bytes in the stream, perhaps a pickle themselves.
  virtual void bytes(const Machine&, const Value&) {}
};

struct Outcome {
  bool stopped = false;         // STOP was reached
  std::optional<Fault> fault;   // the first one, with the offset of its opcode: CPython's load fails there
  std::optional<u64> crossing;  // where an argument first crossed the end of a frame: readers differ
  bool exhausted = false;       // out of fuel, or nested beyond any real pickle: what follows was not walked
  u64 begin = 0;
  u64 end = 0;  // where the walk ended
  u64 opcodes = 0;
  u64 largest_memo = 0;  // index
  double expanded = 0;   // the largest number of values in one container, shared ones counted each time
  u32 deepest = 0;       // containers in each other
  double hashed = 0;     // values that hashing all keys visits
  u32 deepest_key = 0;   // tuples in each other
  u64 colliding = 0;     // numbers, and tuples of numbers, that differ and have one hash
  u64 asked = 0;         // bytes that one argument says to have, beyond the input
  int protocol = 0;      // of the last PROTO
  Value result;          // of STOP
};

// What a reader does with an argument that crosses the end of its frame.
enum class Framing : u8 {
  joined,    // CPython, C, from a bytes object or a buffered file: goes on behind the frame
  dropping,  // CPython, C, from a file without peek(): the rest of the frame is dropped
  strict,    // CPython, Python: an error
};

struct Options {
  // Nothing is given the benefit of the doubt: results of calls are no tuples, numbers or buffers; no
  // out-of-band buffers, no extension codes, 8-bit texts are ASCII. The walk ends at the first fault.
  bool exact = false;
  // The walk ends at the first fault.
  bool stop_at_fault = false;
  Framing framing = Framing::joined;
  u64 fuel = UINT64_MAX;  // opcodes
};

class Machine {
 public:
  Machine(const Source& source, u64 begin, u64 end, Observer& observer, Options options = {});
  // Goes on where `other` is, as another loader would.
  Machine(const Machine& other, Observer& observer, Options options);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // One pickle, from the current place to STOP, the end of the input or an opcode that isn't one.
  // May be called again for the pickle behind it.
  Outcome run();
  // Goes on with the pickle that the machine was copied in the middle of.
  Outcome resume();
  u64 offset() const { return base_ + static_cast<u64>(at_ - begin_); }

  // Looking at values.
  const Source& source() const { return source_; }
  const Global& global(const Value& value) const { return globals_[value.node]; }
  // Whether the global's place will be used for another one: there are too many.
  bool temporary(const Value& global) const { return overflow_ != 0 && global.node == overflow_; }
  // nullptr: not kept.
  const Node* node(const Value& value) const;
  // The content of a text or of bytes, decoded to bytes (UTF-8 for text), at most `most` of them.
  std::string text(const Value& value, std::size_t most = kKeptText) const;
  // How many values printing, comparing or hashing it visits, at least.
  double expanded(const Value& value) const;
  // Whether the content is exactly [offset, offset + size) of the stream.
  static bool raw(const Value& value) { return value.form == Form::plain && value.size != UINT32_MAX; }

 private:
  static constexpr std::size_t kMostNodes = 64 * 1024;
  static constexpr std::size_t kMostItems = 256 * 1024;
  static constexpr std::size_t kMostGlobals = 32 * 1024;
  static constexpr std::size_t kMostGlobalBytes = 4 << 20;
  static constexpr std::size_t kMemoChunk = 128;
  static constexpr std::size_t kMemoChunks = 4096;  // 524,288 entries
  static constexpr std::size_t kFarMemo = 16 * 1024;
  static constexpr std::size_t kMostStack = 384 * 1024;
  static constexpr std::size_t kCollapse = 128 * 1024;
  static constexpr std::size_t kMostMarks = 256 * 1024;
  static constexpr std::size_t kKeptLine = 64 * 1024;
  static constexpr u64 kPause = 64 * 1024;  // opcodes between two fruitless collections

  struct Line {
    u64 offset = 0;
    u64 length = 0;
    std::string_view text;  // the first kKeptLine bytes
    char last = 0;
    bool whole() const { return text.size() == length; }
  };

  // Reading (pickle_read.cpp). Pointers into the window are valid until the next read.
  bool more();
  const std::byte* need(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) >= bytes) {
      at_ += bytes;
      return at_ - bytes;
    }
    return need_slow(bytes);
  }
  const std::byte* need_slow(std::size_t bytes);
  template <class T>
  bool number(T& out) {
    const std::byte* raw = need(sizeof(T));
    if (raw == nullptr) return false;
    std::memcpy(&out, raw, sizeof(T));
    return true;
  }
  bool line(Line& out);
  bool content(u64 length, Kind kind, Encoding encoding);
  void sync();
  void view();
  bool cross(u64 bytes);
  bool truncated();

  // Stack (pickle_stack.cpp).
  void push(Value value) { stack_.push_back(value); }
  Value pop();
  bool settle(std::size_t count);
  std::size_t fence() const { return marks_.empty() ? 0 : marks_.back(); }
  bool marker(std::size_t& begin);
  void collapse();
  bool put(u64 index);
  bool get(u64 index);

  // Nodes (pickle_values.cpp).
  bool crowded() const { return nodes_.size() - free_.size() >= kMostNodes || items_ >= kMostItems; }
  Value make(Kind kind);
  Node* mutable_node(const Value& value);
  void keep(Node& node, const Value& value);
  void collect();
  void mark_all(bool memo);
  void sweep();
  bool hashable(const Value& value) const;

  // What a load or its result costs (pickle_weight.cpp).
  struct Collisions {
    u64 hash = 0;
    u64 last = 0;  // fingerprint of the value that had it last
    u64 count = 0;
  };
  bool holds(const Node& object) const;
  void weigh_item(Node& node, const Value& value, bool kept);
  void grow(const Value& target, const Value& items);
  void weigh_all();
  void hash_key(const Value& key);
  void note_number(const Value& value);
  void note_hash(u64 hash, u64 fingerprint);
  std::optional<u64> hash_of(const Value& value, int depth) const;

  // Opcodes (pickle_machine.cpp, pickle_numbers.cpp, pickle_objects.cpp). False ends the walk.
  Outcome walk();
  bool step(u8 opcode);
  bool fail(std::string_view field, std::string why);      // CPython fails here, and nothing can follow
  bool tolerate(std::string_view field, std::string why);  // CPython fails here; another reader may not
  bool integer_line();
  bool long_line();
  bool float_line();
  bool string_line();
  bool unicode_line();
  bool memo_line(bool store);
  bool counted_long(u64 size);
  bool binstring(u64 size);
  bool bytearray_content(u64 size);
  bool frame();
  bool container(Kind kind, std::size_t begin);
  bool tuple(std::size_t count);
  bool dict();
  bool put_pairs(const Value& target, std::size_t begin);
  bool put_pair(Node* node, const Value& key, const Value& value);
  bool append(std::size_t begin);
  bool extend_bytearray(const Value& array, std::size_t begin);
  bool set_items_from(std::size_t begin);
  bool set_in_sequence(const Value& sequence, const Value& key, const Value& value);
  bool add_items();
  bool global_lines(bool instance);
  bool stack_global();
  bool import(std::string_view module, std::string_view name, bool cut);
  bool instantiate(const Value& callee, std::size_t begin);
  bool obj();
  bool new_object(bool keywords);
  bool reduce();
  bool build();
  bool build_plain(const Value& state);
  bool persistent(const Value& id);
  bool extension(i64 code);
  bool readonly_buffer();
  Value object(const Value& callee, const Value& arguments, const Value* keywords);
  void emit(Event& event);
  Value list_of(std::size_t begin);
  bool open_ended(const Value& value) const;

  const Source& source_;
  Cursor in_;
  Observer& observer_;
  Options options_;
  const std::byte* begin_ = nullptr;  // of the window
  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;  // of the window or the frame
  u64 base_ = 0;                    // offset of begin_
  u64 frame_end_ = 0;               // 0: no frame
  std::array<std::byte, 8> scratch_{};
  std::string line_;

  std::vector<Value> stack_;
  std::vector<u32> marks_;
  std::vector<std::unique_ptr<std::array<Value, kMemoChunk>>> memo_;
  std::unordered_map<u64, Value> far_memo_;  // globals and texts with an index beyond the chunks
  u64 memo_length_ = 0;
  bool memo_dropped_ = false;

  std::vector<Node> nodes_;
  std::vector<u32> free_;
  std::size_t items_ = 0;
  u64 collect_at_ = 0;  // opcodes
  std::vector<Global> globals_;
  std::unordered_map<u64, u32> global_index_;  // by hash
  std::size_t global_bytes_ = 0;
  u32 overflow_ = 0;
  u32 objects_ = 0;
  std::vector<Collisions> collisions_;

  u64 opcode_at_ = 0;
  int depth_ = 0;
  Outcome out_;
};

// "os.system('id')": pseudo-Python in at most about `most` bytes, safe to print.
std::string python(const Machine& machine, const Value& value, std::size_t most = 160);
// "_3 = os.system('id')", "_3.__setstate__({…})", …
std::string python(const Machine& machine, const Event& event, std::size_t most = 240);

}  // namespace steelyard::wire::pickle
