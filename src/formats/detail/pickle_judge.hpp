// The judge: what a pickle's load would do, held against the rules of data/gadgets.
//
// An observer of the pickle machine. Each import, call, creation and change is allowed by a rule or it
// becomes an issue; a list of harmful names only chooses the words. Attacks resisted: callees that are
// results of calls, attributes reached by dots, allowed names with arguments that make them harmful,
// state for functions, classes and modules, floods. Not thread-safe.
// Tested by tests/unit/pickle_judge_test.cpp and tests/oracle/benign_archives_test.py.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/examination.hpp"
#include "formats/detail/pickle_cost.hpp"
#include "formats/detail/pickle_rules.hpp"

namespace steelyard::formats {

struct PickleIssue {
  std::string_view rule;  // id in data/rules/PKL
  Range at;
  std::string call;  // in pseudo-Python
  std::string name;  // of the global, if there is one
  std::string what;  // what a call of it does
};

// What all machines that walk one stream have found.
struct PickleFindings {
  static constexpr std::size_t kMostIssues = 128;
  static constexpr std::size_t kMostNested = 4096;  // a module of torch in a plain pickle has one for each tensor
  static constexpr std::size_t kMostGlobals = 1024;
  static constexpr std::size_t kMostStorages = 4096;

  void add(PickleIssue issue);

  std::vector<PickleIssue> issues;
  u64 more_issues = 0;
  u64 events = 0;
  u64 calls = 0;
  std::map<std::string, u64> globals;  // name, first offset
  std::string not_weights;             // the first that torch.load(weights_only=True) refuses
  struct Storage {
    std::string key;
    u64 elements = 0;
    std::string type;
  };
  std::vector<Storage> storages;
  u64 more_nested = 0;
  struct Nested {
    wire::pickle::Value value;
    bool given;  // to a loader: whatever it is, it is loaded; else it looks like a pickle
  };
  std::vector<Nested> nested;
};

class PickleJudge final : public wire::pickle::Observer {
 public:
  enum class Scope : u8 {
    all,
    harm,  // only calls of names that are known to do harm: for bytes that are pickles to one loader only
  };
  PickleJudge(PickleFindings& findings, std::string_view loader, Scope scope = Scope::all);

  void event(const wire::pickle::Machine& machine, const wire::pickle::Event& event) override;
  u64 after_build(const wire::pickle::Machine& machine, const wire::pickle::Event& event) override;
  void bytes(const wire::pickle::Machine& machine, const wire::pickle::Value& value) override;
  // Reports what was imported and never used. To be called once, at the end.
  void finish();
  const PickleCost& cost() const { return cost_; }
  // The rule that stands for harm in this scope: PKL001, or another one for a view of the same bytes.
  void set_harm_rule(std::string_view rule) { harm_rule_ = rule; }

 private:
  struct Use {
    gadgets::Entry entry;
    Range at;
    bool reported = false;
    bool after_fault = false;
  };
  struct Dtype {
    u64 size = 0;
    bool objects = false;
  };
  using Event = wire::pickle::Event;
  using Machine = wire::pickle::Machine;
  using Value = wire::pickle::Value;

  Use& use_of(const Machine& machine, const Value& global);
  void imported(const Machine& machine, const Event& event);
  void report_import(const Use& use);
  void called(const Machine& machine, const Event& event);
  void called_global(const Machine& machine, const Event& event, Use& use);
  void changed(const Machine& machine, const Event& event, std::string_view action);
  void persistent(const Machine& machine, const Event& event);
  void remember_dtype(const Machine& machine, const Event& event);
  void reserve(const Machine& machine, const Event& event, const gadgets::Entry& entry, const Ruling& ruling);
  void refuse(const Machine& machine, const Event& event, Use& use, const Ruling& ruling, std::string_view action);
  void issue(std::string_view rule, const Machine& machine, const Event& event, const std::string& name,
             std::string_view what);
  void add_nested(const Value& value, bool given = false);
  std::optional<Value> bytes_of(const Machine& machine, const Value& value);
  bool suspicious_arguments(const Machine& machine, const Value& value, int depth) const;
  std::optional<Dtype> dtype_of(const Machine& machine, const Value& value) const;

  PickleFindings& findings_;
  std::string_view loader_;
  Scope scope_;
  std::string_view harm_rule_ = "PKL001";
  const Machine* machine_ = nullptr;
  PickleRules::Lookup lookup_;
  std::vector<std::unique_ptr<Use>> uses_;  // by the machine's number of the global
  std::map<u32, Dtype> dtypes_;             // by the number of the object
  PickleCost cost_;
  bool other_view_ = false;
};

}  // namespace steelyard::formats
