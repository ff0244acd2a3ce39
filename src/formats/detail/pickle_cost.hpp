// What calls cost that are harmless otherwise: memory and time of what they return.
//
// Attack resisted: a few bytes that make a load allocate or compute without end, by allowed names only:
// bytes(n), list(range(n)), endless iterators, powers, decimals with huge exponents, arrays of any
// shape. Estimates are lower bounds; each call is judged by what is known of its arguments.
// Tested by tests/oracle/exhausting_test.py.
#pragma once

#include <string>
#include <unordered_map>

#include "formats/detail/gadgets.hpp"
#include "wire/pickle.hpp"

namespace steelyard::formats {

class PickleCost {
 public:
  // Of one call or creation; the sum of all so far is what counts.
  void add(const wire::pickle::Machine& machine, const gadgets::Entry& callee,
           const std::vector<wire::pickle::Value>& arguments, const wire::pickle::Value& result);

  double total() const { return total_; }              // bytes, or steps of about that cost
  const std::string& worst() const { return worst_; }  // the callee that costs most

 private:
  using Value = wire::pickle::Value;
  using Machine = wire::pickle::Machine;
  struct Known {
    double length = 0;  // items that it holds or gives
    double bits = 0;    // of a number
  };

  double length(const Machine& machine, const Value& value) const;
  double bits(const Machine& machine, const Value& value) const;
  Known call(const Machine& machine, const gadgets::Entry& callee, const std::vector<Value>& arguments,
             double& cost) const;

  std::unordered_map<u32, Known> known_;  // by the number of the object, where it is large
  double total_ = 0;
  double most_ = 0;
  std::string worst_;
};

}  // namespace steelyard::formats
