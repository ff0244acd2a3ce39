// Gadgets: what data/gadgets says about the names that a pickle may import. See data/gadgets/README.md.
//
// Read once by a line reader for the part of TOML that these files use (toml++ takes longer than a
// scan); afterwards read-only and thread-safe. Tested by tests/unit/gadgets_test.cpp, which also holds
// the reader against toml++.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::formats::gadgets {

enum class Known : u8 {
  no,       // a user's own module, or one that nobody has heard of
  package,  // a package that many machines have
  library,  // all names that pickles need are listed
  strict,   // the same, and its other classes do things when they are created, built or destroyed
};

struct Entry {
  std::string module;  // canonical: mapped from Python 2, and from where other versions have it
  std::string name;
  std::vector<std::string_view> rules;  // empty: nothing is allowed
  std::string_view harm;                // what a call does, for a reader; empty: not known
  Known known = Known::no;
  bool weights = false;     // torch.load(weights_only=True) takes it
  bool unresolved = false;  // known only while loading
  bool traversal = false;   // the dots of the name lead through a module or a special attribute

  std::string full() const { return module + "." + name; }
};

// `protocol`: of the pickle at this place; below 3 CPython maps old names, from 4 on it follows dots.
Entry look_up(std::string_view module, std::string_view name, int protocol);

// Reads the data now, for instance before forking.
void preload();

// Whether a name is written like a class's: its first letter is a capital.
bool class_like(std::string_view name);

// The reader: each value of a file, in order; of arrays each item.
struct Setting {
  std::string_view section;  // of [allow."numpy.core"]: "allow"
  std::string_view module;   // "numpy.core"
  std::string_view key;
  std::string_view value;
};
std::vector<Setting> read(std::string_view text);

}  // namespace steelyard::formats::gadgets
