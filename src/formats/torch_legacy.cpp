// PyTorch before 1.6: four pickles, the keys of the storages as a fifth, then the storages raw.
//
// Spec: torch/serialization.py (_legacy_save, _legacy_load). All of the pickles are unpickled by a load;
// those that aren't plain data are examined as such. Attacks resisted: a payload in the small pickles
// that announce the version, storages whose size contradicts the pickle, bytes behind the last storage.
// Tested by data/rules/PTH/, tests/unit/pytorch_test.cpp; fuzzed.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/checked.hpp"
#include "base/cursor.hpp"
#include "base/text.hpp"
#include "formats/detail/layout.hpp"
#include "formats/detail/members.hpp"
#include "formats/detail/torch_pickle.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

// The number 0x1950a86a20f9469cfc6c, pickled with protocol 2.
constexpr std::string_view kMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::size_t kMostKeys = 65'536;

// A flat list of texts, in the order in which it is pickled; nothing for anything else.
std::optional<std::vector<std::string>> read_keys(const Source& source, u64 begin, u64 end) {
  Cursor in(source, begin, end);
  std::vector<std::string> keys;
  while (in.ok() && in.remaining() > 0) {
    switch (in.read<u8>("opcode")) {
      case 0x80:  // PROTO
      case 'q':   // BINPUT
        in.skip(1, "argument");
        break;
      case 'r':  // LONG_BINPUT
        in.skip(4, "argument");
        break;
      case 0x95:  // FRAME
        in.skip(8, "argument");
        break;
      case 0x94:  // MEMOIZE
      case ']':   // EMPTY_LIST
      case '(':   // MARK
      case 'e':   // APPENDS
      case 'a':   // APPEND
        break;
      case 'X':  // BINUNICODE
        keys.push_back(in.text(in.read<u32>("length"), 4096, "key"));
        break;
      case 0x8c:  // SHORT_BINUNICODE
        keys.push_back(in.text(in.read<u8>("length"), 4096, "key"));
        break;
      case '.':
        return in.ok() && in.remaining() == 0 ? std::optional(std::move(keys)) : std::nullopt;
      default:
        return std::nullopt;
    }
    if (keys.size() > kMostKeys) return std::nullopt;
  }
  return std::nullopt;
}

class Parser {
 public:
  explicit Parser(Item& item) : item_(item) {}

  void run() {
    if (item_.artifact() == 0) item_.report().fact("model.format", "PyTorch", std::nullopt, Assurance::verified);
    TorchPickle object;
    std::optional<std::vector<std::string>> keys;
    u64 at = 0;
    for (const std::string_view part : {"magic", "protocol", "system", "object", "storage keys"}) {
      const TorchPickle found = read_torch_pickle(item_.source(), at, item_.size());
      const u64 end = found.whole ? found.end : item_.size();
      if (!found.inert || part == "object") examine_stored(item_, std::string(part), {at, end}, "torch");
      item_.coverage().examined = end;
      if (!found.whole)
        return item_.report().add("PTH005", Range{at, end},
                                  json::Value().set("why", fmt::format("the pickle of the {} doesn't end", part)));
      if (part == "object") object = found;
      if (part == "storage keys") keys = read_keys(item_.source(), at, end);
      at = end;
    }
    storages(at, object, keys);
  }

 private:
  void storages(u64 at, const TorchPickle& object, const std::optional<std::vector<std::string>>& keys) {
    std::unordered_map<std::string_view, const TorchStorage*> wanted;
    for (const TorchStorage& storage : object.storages) wanted[storage.key] = &storage;
    TensorTotals totals;
    u64 bytes = 0;
    std::string why = !keys            ? "the keys of the storages are no list of texts"
                      : object.limited ? "there are too many storages"
                                       : "";
    Cursor in(item_.source(), at, item_.size());
    for (std::size_t i = 0; why.empty() && i < keys->size(); ++i) {
      const auto found = wanted.find((*keys)[i]);
      const u64 begin = in.offset();
      const u64 elements = in.read<u64>("elements");
      if (found == wanted.end() || found->second->type.empty()) {
        why = fmt::format("no tensor says what storage {} holds", text::display((*keys)[i], 64));
        break;
      }
      const TorchStorage& storage = *found->second;
      const u64 size = storage.elements == 0 ? 0 : storage.bytes / storage.elements;
      const auto length = checked_mul(elements, size);
      if (elements != storage.elements)
        item_.report().add("PTH001", Range{begin, in.offset()},
                           json::Value()
                               .set("name", text::to_value(storage.key.substr(0, 256)))
                               .set("wanted", storage.bytes)
                               .set("found", length.value_or(UINT64_MAX)));
      if (!in.ok() || !length || !in.skip(*length, "storage")) {
        why = "a storage is cut short";
        break;
      }
      totals.add(storage.type, storage.elements);
      bytes += *length;
      at = in.offset();
    }
    item_.coverage().examined = at;
    if (totals.tensors() > 0) totals.report(bytes, item_.report());
    const Range rest{at, item_.size()};
    if (!why.empty()) {
      item_.report().add("PTH005", Range{rest.begin, rest.begin}, json::Value().set("why", why));
      item_.coverage().gaps.push_back({rest, why});
      if (rest.begin == rest.end) return;
    } else if (rest.begin == rest.end) {
      return;
    }
    examine_unclaimed(item_, rest, "behind the storages");
    if (why.empty()) item_.coverage().examined = item_.size();
  }

  Item& item_;
};

int sniff(const Sniff& sniff) { return as_text(sniff.head).starts_with(kMagic) ? 97 : 0; }

void parse(Item& item) { Parser(item).run(); }

}  // namespace

extern const Format torch_legacy_format;
const Format torch_legacy_format{"torch_legacy", "PyTorch before 1.6: pickles and raw storages",
                                 "pt,pth,bin",   "torch/serialization.py, _legacy_save",
                                 sniff,          parse,
                                 "pickle"};

}  // namespace steelyard::formats
