// Layout: which bytes of a file its tensors claim, and what nobody claims.
//
// Attack resisted: overlapping tensors (one patch changes two), holes and tails that hide a payload,
// polyglots that are a model to one reader and an archive or program to another.
// Shared by the formats whose data section is a row of tensors. Tested by the formats' own tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "formats/item.hpp"

namespace steelyard::formats {

// What the tensors of a file add up to.
class TensorTotals {
 public:
  void add(std::string_view type, u64 elements);
  u64 tensors() const { return tensors_; }
  // Facts model.parameters, model.tensors, model.tensor_bytes, model.tensor_types, model.quantization.
  void report(u64 bytes, Reporter& report) const;

 private:
  u64 tensors_ = 0;
  u64 elements_ = 0;
  std::map<std::string, std::pair<u64, u64>, std::less<>> types_;  // name -> tensors, elements
};

struct Claim {
  u64 begin = 0;  // absolute
  u64 end = 0;
  Range declared;    // where the header declares it
  std::string name;  // cut to 64 bytes
};

struct LayoutRules {
  std::string_view overlap;
  std::string_view hole;
  std::string_view padding;  // non-zero bytes where padding belongs; empty: no padding is allowed
  std::string_view trailing;
  std::string_view payload;  // a tail that begins like a program or an archive
};

// Checks `claims` against [begin, end of the content): everything after `begin` belongs to one of them
// or, up to `alignment`, is zero padding. Adds the findings and gaps, and the bytes claimed to the
// item's coverage. The first kMostParts become its parts.
inline constexpr std::size_t kMostParts = 65'536;
void check_layout(Item& item, u64 begin, u64 alignment, std::vector<Claim> claims, const LayoutRules& rules);

// What the bytes at `offset` look like: "a ZIP archive", "an ELF program", …; "" for nothing known.
std::string_view recognise(const Source& source, u64 offset);

}  // namespace steelyard::formats
