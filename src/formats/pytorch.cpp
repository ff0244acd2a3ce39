// PyTorch: the zip layout of torch.save (1.6 and later) and TorchScript.
//
// Specs: torch/serialization.py, caffe2/serialize/inline_container.cc. The records are looked for as
// PyTorch does: under the folder of the first entry, without regard to case. Storages are held against
// what the pickle makes of them and never read. Attacks resisted: see wire/zip.hpp; storages that are
// too small, missing, too large or that no pickle asks for.
// Tested by data/rules/PTH/, tests/unit/pytorch_test.cpp, tests/oracle/benign_archives_test.py; fuzzed.

#include <algorithm>
#include <unordered_map>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "formats/detail/layout.hpp"
#include "formats/detail/members.hpp"
#include "formats/detail/torch_pickle.hpp"
#include "formats/detail/zip_members.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

using wire::zip::Archive;
using wire::zip::Entry;
using wire::zip::Name;
using wire::zip::Reader;
using wire::zip::Selection;

// Records that are a word or a number.
constexpr std::string_view kWords[] = {"version",         ".data/version",     "byteorder", ".data/serialization_id",
                                       ".format_version", ".storage_alignment"};

class Parser {
 public:
  explicit Parser(Item& item) : item_(item), archive_(wire::zip::read(item.source())) {}

  void run() {
    prefix_ = folder();
    if (item_.artifact() == 0) item_.report().fact("model.format", "PyTorch", std::nullopt, Assurance::verified);
    for (const Name& name : archive_.names) {
      if (text::lower(name.name).ends_with(".pkl")) pickle(name);
      if (name.name.starts_with(prefix_ + "code/") && name.name.ends_with(".py") && !scripted_) {
        scripted_ = true;
        item_.report().add("PTH004", std::nullopt, json::Value().set("name", text::to_value(name.name.substr(0, 256))));
      }
    }
    check_storages();
    ZipHooks hooks;
    hooks.loader = "torch";
    hooks.claims = [this](const Entry& entry, Range data) { return claims(entry, data); };
    examine_zip(item_, archive_, hooks);
    if (totals_.tensors() > 0) totals_.report(bytes_, item_.report());
  }

 private:
  // Where PyTorch looks for records: the folder of the first entry.
  std::string folder() const {
    const bool miniz = archive_.why_not(Reader::miniz).empty();
    const auto first = std::ranges::find_if(archive_.entries, [&](const Entry& entry) {
      return entry.view(miniz ? Reader::miniz : Reader::zipfile).listed;
    });
    if (first == archive_.entries.end()) return {};
    return first->name.substr(0, first->name.find('/') + 1);
  }

  // What both readers take for a pickle says which storages there must be.
  void pickle(const Name& name) {
    for (const Reader reader : {Reader::zipfile, Reader::miniz}) {
      const u32 pick = archive_.pick(reader, name);
      if (pick == wire::zip::kNone || (reader == Reader::miniz && !name.differs)) continue;
      const Entry& entry = archive_.entries[pick];
      const Selection& view = entry.view(reader);
      if (entry.method == 0) {
        collect(name.name, read_torch_pickle(item_.source(), view.data.begin, view.data.end));
      } else if (entry.method == 8) {
        const wire::Unpacked content(item_.source(), view.data.begin, view.data.end, wire::Packing::deflate,
                                     item_.fuel().unpacking, true);
        collect(name.name, read_torch_pickle(content, 0, content.size()));
      }
    }
  }

  // data.pkl has its storages in data/, constants.pkl in constants/, torch.package in .data/.
  void collect(const std::string& pickle, const TorchPickle& found) {
    const std::string folder = pickle.substr(0, pickle.size() - 4) + "/";
    if (found.limited) {
      item_.report().add("LIM006", std::nullopt,
                         json::Value().set("budget", "number of storages").set("name", text::to_value(pickle)));
      item_.coverage().gaps.push_back({{0, item_.size()}, "there are too many storages"});
    }
    for (const TorchStorage& storage : found.storages) {
      const bool packaged = storage.key.ends_with(".storage");
      const std::string name = packaged ? prefix_ + ".data/" + storage.key : folder + storage.key;
      const auto [place, fresh] = wanted_.try_emplace(name, storage.bytes);
      if (fresh && !storage.type.empty()) totals_.add(storage.type, storage.elements);
      if (fresh) bytes_ = checked_add(bytes_, storage.bytes).value_or(UINT64_MAX);
      place->second = std::max(place->second, storage.bytes);
    }
  }

  void check_storages() {
    std::unordered_map<std::string_view, const Entry*> entries;
    for (const Entry& entry : archive_.entries) entries[entry.name] = &entry;
    for (const auto& [name, bytes] : wanted_) {
      const auto found = entries.find(name);
      if (found == entries.end()) {
        if (bytes > 0) missing_.push_back(name);
      } else if (found->second->size < bytes) {
        short_.push_back(name);
      }
    }
    // The map has no order; reports do.
    std::ranges::sort(missing_);
    std::ranges::sort(short_);
    for (const std::string& name : missing_)
      item_.report().add("PTH002", std::nullopt, json::Value().set("name", text::to_value(name.substr(0, 256))));
    for (const std::string& name : short_) {
      const Entry& entry = *entries.at(name);
      item_.report().add("PTH001", entry.at,
                         json::Value()
                             .set("name", text::to_value(name.substr(0, 256)))
                             .set("wanted", wanted_.at(name) == UINT64_MAX ? json::Value("more than there can be")
                                                                           : json::Value(wanted_.at(name)))
                             .set("found", entry.size));
    }
  }

  bool claims(const Entry& entry, Range data) {
    const auto wanted = wanted_.find(entry.name);
    if (wanted != wanted_.end()) {
      if (data.end - data.begin > wanted->second)
        examine_unclaimed(item_, {data.begin + wanted->second, data.end}, "behind a storage");
      return true;
    }
    const std::string_view record = std::string_view(entry.name).substr(std::min(prefix_.size(), entry.name.size()));
    const bool word = entry.name.starts_with(prefix_) && std::ranges::find(kWords, record) != std::end(kWords);
    if (word && data.end - data.begin <= 64) {
      std::string content(static_cast<std::size_t>(data.end - data.begin), '\0');
      content.resize(item_.source().read(data.begin, std::as_writable_bytes(std::span(content))));
      return std::ranges::all_of(content, [](char c) { return (c >= ' ' && c <= '~') || c == '\n'; });
    }
    if (entry.name.starts_with(prefix_ + "data/"))
      item_.report().add(
          "PTH003", data,
          json::Value().set("name", text::to_value(entry.name.substr(0, 256))).set("bytes", data.end - data.begin));
    return false;
  }

  Item& item_;
  Archive archive_;
  std::string prefix_;
  std::unordered_map<std::string, u64> wanted_;  // records, and the bytes that pickles make of them
  std::vector<std::string> missing_;
  std::vector<std::string> short_;
  TensorTotals totals_;
  u64 bytes_ = 0;
  bool scripted_ = false;
};

int sniff(const Sniff& sniff) {
  const std::string_view head = as_text(sniff.head);
  if (!head.starts_with("PK\3\4") && !wire::zip::has_directory(sniff.source)) return 0;
  return !wire::zip::lists(sniff.source, "/data.pkl") ? 0 : head.starts_with("PK\3\4") ? 95 : 46;
}

void parse(Item& item) { Parser(item).run(); }

}  // namespace

extern const Format pytorch_format;
const Format pytorch_format{"pytorch",
                            "PyTorch (zip), TorchScript",
                            "pt,pth,bin,ckpt",
                            "torch/serialization.py; caffe2/serialize/inline_container.cc",
                            sniff,
                            parse,
                            "zip"};

}  // namespace steelyard::formats
