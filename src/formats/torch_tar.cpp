// PyTorch before 0.1.10: a tar archive of storages, tensors and the pickle.
//
// Spec: torch/serialization.py (legacy_load). The members storages and tensors are pickles with raw
// numbers between them; each of those pickles is unpickled by a load. Attack resisted: a payload in one
// of them; this layout is not covered by weights_only in old versions.
// Tested by data/rules/PTH/, tests/oracle/benign_archives_test.py; fuzzed.

#include <algorithm>

#include "base/checked.hpp"
#include "base/cursor.hpp"
#include "formats/detail/members.hpp"
#include "formats/detail/tar_members.hpp"
#include "formats/detail/torch_pickle.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr i64 kMostTensors = 65'536;

// Walks the pickles and numbers of one member.
class Walk {
 public:
  Walk(Item& item, const std::string& name, Range data) : item_(item), name_(name), data_(data), at_(data.begin) {}

  // A count, then for each storage its pickle, its elements and their bytes; then a list of views.
  bool storages() {
    const auto count = number();
    for (i64 i = 0; count && i < *count; ++i) {
      const auto entry = next();
      if (!entry) return false;
      const u64 size = torch_type(entry->storage_type).bytes;
      Cursor in(item_.source(), at_, data_.end);
      const auto bytes = checked_mul(in.read<u64>("elements"), size);
      if (size == 0 || !bytes || !in.skip(*bytes, "storage")) return false;
      at_ = in.offset();
    }
    return count && next();
  }

  // A count, then for each tensor its pickle, dimensions, sizes, strides and offset.
  bool tensors() {
    const auto count = number();
    for (i64 i = 0; count && i < *count; ++i) {
      if (!next()) return false;
      Cursor in(item_.source(), at_, data_.end);
      const u64 dimensions = in.read<u32>("dimensions");
      in.skip(4, "padding");
      in.skip(16 * dimensions + 8, "sizes and strides");
      if (!in.ok()) return false;
      at_ = in.offset();
    }
    return count.has_value();
  }

  u64 at() const { return at_; }

 private:
  std::optional<TorchPickle> next() {
    const TorchPickle found = read_torch_pickle(item_.source(), at_, data_.end);
    const u64 end = found.whole ? found.end : data_.end;
    if (!found.inert) examine_stored(item_, name_, {at_, end}, "torch_tar");
    at_ = end;
    return found.whole ? std::optional(found) : std::nullopt;
  }
  std::optional<i64> number() {
    const auto found = next();
    return found && found->number && *found->number >= 0 && *found->number <= kMostTensors ? found->number
                                                                                           : std::nullopt;
  }

  Item& item_;
  const std::string& name_;
  Range data_;
  u64 at_;
};

bool examine_member(Item& item, const wire::tar::Member& member) {
  if ((member.name != "storages" && member.name != "tensors") || member.data.begin == member.data.end) return false;
  Walk walk(item, member.name, member.data);
  const bool whole = member.name == "storages" ? walk.storages() : walk.tensors();
  const Range rest{walk.at(), member.data.end};
  if (!whole) {
    item.report().add("PTH005", rest,
                      json::Value().set("why", "the member " + member.name + " isn't what it should be"));
    item.coverage().gaps.push_back({rest, "a member that PyTorch wouldn't read"});
  }
  if (rest.begin < rest.end) examine_unclaimed(item, rest, "behind the " + member.name);
  return true;
}

int sniff(const Sniff& sniff) {
  if (!wire::tar::begins_archive(sniff.source)) return 0;
  const wire::tar::Archive archive = wire::tar::read(sniff.source);
  const auto has = [&](std::string_view name) {
    return std::ranges::find(archive.members, name, &wire::tar::Member::name) != archive.members.end();
  };
  return has("storages") && has("tensors") && has("pickle") ? 90 : 0;
}

void parse(Item& item) {
  if (item.artifact() == 0) item.report().fact("model.format", "PyTorch", std::nullopt, Assurance::verified);
  examine_tar(item, "torch_tar", examine_member);
}

}  // namespace

extern const Format torch_tar_format;
const Format torch_tar_format{"torch_tar",  "PyTorch before 0.1.10: tar of storages, tensors and pickle",
                              "pt,pth,tar", "torch/serialization.py, legacy_load",
                              sniff,        parse,
                              "tar"};

}  // namespace steelyard::formats
