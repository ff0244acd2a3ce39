// Values of the interpreter: Python's, with a record of where every byte came from.
//
// A text is a row of runs; each says which source its bytes are of, where in it, and whether they
// are unchanged. Labels are bits that the caller gives to sources: the low half says "depends on
// the value of", the high half "depends only on its presence, type or emptiness". Every value
// carries the labels of all it was computed from, so that a decision shows what it depends on.
//
// Everything lives in an Arena and is freed with it, in a loop: values may be nested and cyclic as
// deep as a template likes. Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::wire::jinja {

using Labels = u32;
// What remains of labels when only presence, type or emptiness was looked at.
constexpr Labels shape_of(Labels labels) { return ((labels & 0xFFFF) << 16) | (labels & 0xFFFF0000); }

// Sources below these numbers are the interpreter's own.
inline constexpr u32 kTemplateSource = 0;  // a literal: the offset is one in the template
inline constexpr u32 kComputedSource = 1;  // the text of a number or a container

struct Run {
  u32 length = 0;
  u32 source = kTemplateSource;
  u32 offset = 0;
  Labels labels = 0;  // what it depends on that this run is there at all
  bool exact = true;  // the bytes are those of the source
};

struct Heap {
  Heap() = default;
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  virtual ~Heap() = default;
};

struct Text : Heap {
  std::string bytes;
  std::vector<Run> runs;
  bool markup = false;

  void append(std::string_view more, Run run);
  void append(const Text& from, Labels labels = 0);
  void append(const Text& from, std::size_t begin, std::size_t end, Labels labels = 0);
};

struct List;
struct Dict;
struct Object;  // loops, macros, functions …: interpreter.hpp

enum class Type : u8 { undefined, none, boolean, integer, real, text, list, tuple, dict, object };

struct Value {
  Type type = Type::undefined;
  bool is_length = false;  // a number that says how long a text or container is
  Labels labels = 0;       // what the value depends on
  Labels control = 0;      // what it depends on that it is this value and not another
  union {
    i64 integer = 0;
    bool flag;
    double real;
    Text* text;
    List* list;  // of lists and tuples
    Dict* dict;
    Object* object;
  };

  bool is_text() const { return type == Type::text; }
  bool is_row() const { return type == Type::list || type == Type::tuple; }
  bool is_number() const { return type == Type::integer || type == Type::real || type == Type::boolean; }
  // Of an integer or a flag.
  i64 whole() const { return type == Type::boolean ? static_cast<i64>(flag) : integer; }
  double number() const { return type == Type::real ? real : static_cast<double>(whole()); }
  std::string_view view() const { return is_text() ? std::string_view(text->bytes) : std::string_view(); }
  Value with(Labels more, Labels more_control = 0) const {
    Value out = *this;
    out.labels |= more;
    out.control |= more_control;
    return out;
  }
};

using Values = std::vector<Value>;

struct List : Heap {
  Values items;
  Labels count = 0;  // what the number of items depends on
};

struct Dict : Heap {
  std::vector<std::pair<Value, Value>> items;
  Labels count = 0;

  const Value* find(std::string_view key) const;
  const Value* find(const Value& key) const;
  void set(const Value& key, const Value& value);
};

// Owns what values refer to. Allocation beyond `budget` bytes throws Exhausted.
class Arena {
 public:
  struct Exhausted {};
  explicit Arena(u64 budget) : budget_(budget) {}

  template <class T, class... Args>
  T* make(Args&&... args) {
    charge(sizeof(T) + 32);
    auto made = std::make_unique<T>(std::forward<Args>(args)...);
    T* raw = made.get();
    owned_.push_back(std::move(made));
    return raw;
  }
  // Before a text or container grows by that many bytes.
  void charge(u64 bytes) {
    used_ += bytes;
    if (used_ > budget_) throw Exhausted{};
  }
  u64 used() const { return used_; }

  Value none(Labels labels = 0) const;
  Value undefined(Labels labels = 0) const;
  Value boolean(bool flag, Labels labels = 0) const;
  Value integer(i64 number, Labels labels = 0) const;
  Value real(double number, Labels labels = 0) const;
  // One run of a source.
  Value text(const std::string& bytes, Run run, Labels labels = 0);
  // The text of something computed, or a literal.
  Value computed(const std::string& bytes, Labels labels = 0);
  Value literal(const std::string& bytes, u32 offset);
  Value text(Text* made, Labels labels);  // charges for its runs
  Value list(Values items, Labels labels = 0, Labels count = 0, bool tuple = false);
  Value dict(Labels labels = 0);
  Value object(Object* made, Labels labels = 0) const;

 private:
  u64 budget_;
  u64 used_ = 0;
  std::vector<std::unique_ptr<Heap>> owned_;
};

// Python's ==, for what can be compared without running anything. Depth and work are bounded:
// beyond them two values count as different.
bool equal(const Value& a, const Value& b);

}  // namespace steelyard::wire::jinja
