// Argument predicates: whether a value of the pickle machine is what a rule of data/gadgets wants.
//
// Attack resisted: allowed names with arguments that make them harmful. What was not kept matches
// nothing but `any`. Tested by tests/unit/pickle_judge_test.cpp.
#pragma once

#include <functional>
#include <string>

#include "formats/detail/gadgets.hpp"
#include "wire/pickle.hpp"

namespace steelyard::formats {

// What the rules say about one action.
struct Ruling {
  bool allowed = false;
  bool trust = false;       // allowed, but it carries code
  bool native = false;      // allowed, but native code reads bytes that nobody here examines
  bool storage = false;     // refused only because a tensor doesn't lie inside its storage
  std::string_view result;  // what it returns: "module:name", "$0" or nothing
};

class PickleRules {
 public:
  using Lookup = std::function<const gadgets::Entry&(const wire::pickle::Value&)>;  // of a global

  PickleRules(const wire::pickle::Machine& machine, const Lookup& lookup) : machine_(machine), lookup_(lookup) {}

  // `values`: the arguments, or what is built, extended or set. A null pointer: they are not known.
  Ruling rule(const gadgets::Entry& entry, std::string_view action,
              const std::vector<wire::pickle::Value>* values) const;

  // "module:name" of the class that an object is an instance of; empty: nobody knows.
  std::string type_of(const wire::pickle::Value& value) const { return type_of(value, 0); }
  // Whether anything may be done with a name but refer to it.
  static bool acts(const gadgets::Entry& entry);
  // Whether other arguments than those of its rules are dangerous.
  static bool risky(const gadgets::Entry& entry);
  // The class that the id of a persistent object names: torch before 1.6 wrote modules as ('module', class, …).
  static const wire::pickle::Value* module_class(const wire::pickle::Machine& machine,
                                                 const wire::pickle::Value& value);
  // The entry for a type.
  static gadgets::Entry entry_of(std::string_view type);

 private:
  Ruling rule(const gadgets::Entry& entry, std::string_view action, const std::vector<wire::pickle::Value>* values,
              int depth) const;
  std::string type_of(const wire::pickle::Value& value, int depth) const;
  bool list(std::string_view patterns, const std::vector<wire::pickle::Value>& values, int depth) const;
  bool one(std::string_view pattern, const wire::pickle::Value& value, int depth) const;
  bool atom(std::string_view pattern, const wire::pickle::Value& value, int depth) const;
  bool dict(std::string_view pattern, const wire::pickle::Value& value, int depth) const;
  bool word(std::string_view kind, const wire::pickle::Value& value, int depth) const;
  bool storage(const std::vector<wire::pickle::Value>& values) const;
  bool special(const wire::pickle::Value& state, int depth) const;

  const wire::pickle::Machine& machine_;
  const Lookup& lookup_;
};

}  // namespace steelyard::formats
