#include "formats/detail/torch_pickle.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/checked.hpp"
#include "wire/pickle.hpp"

namespace steelyard::formats {
namespace {

namespace pickle = wire::pickle;

constexpr std::size_t kMostStorages = 65'536;

struct Known {
  std::string_view storage;
  TorchType type;
};
constexpr std::array<Known, 20> kTypes = {{{"DoubleStorage", {"F64", 8}},
                                           {"FloatStorage", {"F32", 4}},
                                           {"HalfStorage", {"F16", 2}},
                                           {"BFloat16Storage", {"BF16", 2}},
                                           {"LongStorage", {"I64", 8}},
                                           {"IntStorage", {"I32", 4}},
                                           {"ShortStorage", {"I16", 2}},
                                           {"CharStorage", {"I8", 1}},
                                           {"ByteStorage", {"U8", 1}},
                                           {"BoolStorage", {"BOOL", 1}},
                                           {"UntypedStorage", {"U8", 1}},
                                           {"ComplexFloatStorage", {"C64", 8}},
                                           {"ComplexDoubleStorage", {"C128", 16}},
                                           {"QInt8Storage", {"I8", 1}},
                                           {"QUInt8Storage", {"U8", 1}},
                                           {"QInt32Storage", {"I32", 4}},
                                           {"QUInt4x2Storage", {"U8", 1}},
                                           {"QUInt2x4Storage", {"U8", 1}},
                                           {"UInt8Storage", {"U8", 1}},
                                           {"Int8Storage", {"I8", 1}}}};

class Watcher final : public pickle::Observer {
 public:
  explicit Watcher(TorchPickle& out) : out_(out) {}

  void event(const pickle::Machine& machine, const pickle::Event& event) override {
    using What = pickle::Event::What;
    if (event.what == What::import) {
      const pickle::Global& global = machine.global(event.target);
      storage_type_ = global.name;
      inert_ = inert_ && (global.module == "torch" || global.module == "torch.storage") &&
               torch_type(global.name).bytes != 0;
    } else if (event.what == What::persistent) {
      storage(machine, event.argument);
    } else {
      inert_ = false;
    }
  }
  bool inert() const { return inert_; }
  const std::string& storage_type() const { return storage_type_; }

 private:
  // ("storage", type, key, location, elements[, view])
  void storage(const pickle::Machine& machine, const pickle::Value& id) {
    const pickle::Node* tuple = id.is(pickle::Kind::tuple) ? machine.node(id) : nullptr;
    if (tuple == nullptr || tuple->items.size() < 5) return;
    const auto& items = tuple->items;
    if (!items[0].is(pickle::Kind::text) || machine.text(items[0]) != "storage" || !items[4].is(pickle::Kind::integer))
      return;
    TorchStorage one;
    one.key = items[2].is(pickle::Kind::integer) ? std::to_string(items[2].integer) : machine.text(items[2]);
    const TorchType type = items[1].is(pickle::Kind::global) ? torch_type(machine.global(items[1]).name) : TorchType{};
    one.type = type.name;
    const bool small = items[4].form == pickle::Form::plain && items[4].integer >= 0;
    one.elements = small ? static_cast<u64>(items[4].integer) : UINT64_MAX;
    one.bytes = checked_mul(one.elements, type.bytes).value_or(UINT64_MAX);
    const auto [place, fresh] = known_.try_emplace(one.key, out_.storages.size());
    if (!fresh) {
      TorchStorage& before = out_.storages[place->second];
      before.elements = std::max(before.elements, one.elements);
      before.bytes = std::max(before.bytes, one.bytes);
    } else if (out_.storages.size() >= kMostStorages) {
      out_.limited = true;
    } else {
      out_.storages.push_back(std::move(one));
    }
  }

  TorchPickle& out_;
  std::unordered_map<std::string, std::size_t> known_;
  std::string storage_type_;
  bool inert_ = true;
};

}  // namespace

TorchType torch_type(std::string_view storage) {
  const auto found = std::ranges::find(kTypes, storage, &Known::storage);
  if (found != kTypes.end()) return found->type;
  // Float8_e4m3fnStorage and its kin.
  return storage.starts_with("Float8_") && storage.ends_with("Storage") ? TorchType{"F8", 1} : TorchType{};
}

TorchPickle read_torch_pickle(const Source& source, u64 begin, u64 end) {
  TorchPickle out;
  Watcher watcher(out);
  pickle::Machine machine(source, begin, end, watcher, {.stop_at_fault = true});
  const pickle::Outcome outcome = machine.run();
  out.whole = outcome.stopped && !outcome.fault && !outcome.exhausted;
  out.end = outcome.end;
  out.inert = out.whole && watcher.inert();
  if (!out.whole) return out;
  const pickle::Value& result = outcome.result;
  if (result.is(pickle::Kind::integer) && result.form == pickle::Form::plain) out.number = result.integer;
  const pickle::Node* tuple = result.is(pickle::Kind::tuple) ? machine.node(result) : nullptr;
  if (tuple != nullptr && tuple->items.size() == 3) out.storage_type = watcher.storage_type();
  return out;
}

}  // namespace steelyard::formats
