// What PyTorch's files need to know of a pickle beside what its own parser reports: where it ends,
// which storages it asks for, whether it is plain data.
//
// Spec: torch/serialization.py (persistent_id, _legacy_save, legacy_load). Attack resisted: storages
// that are smaller than what the pickle makes of them (CVE-2026-24747 and its kind).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/source.hpp"

namespace steelyard::formats {

struct TorchStorage {
  std::string key;
  std::string type;  // "F32", "BF16", "U8", …; "" for one that isn't known
  u64 elements = 0;
  u64 bytes = 0;  // UINT64_MAX: they overflow
};

struct TorchPickle {
  bool whole = false;  // STOP was reached without a fault
  bool inert = false;  // plain data, with no call and no import but of storage types
  u64 end = 0;
  std::vector<TorchStorage> storages;  // by persistent id, each key once
  bool limited = false;                // there are more than are kept
  std::optional<i64> number;           // of a pickle that is one
  std::string storage_type;            // of a pickle that is (key, location, storage type)
};

TorchPickle read_torch_pickle(const Source& source, u64 begin, u64 end);

// Bytes of an element, 0 for a type that isn't known: "FloatStorage" -> "F32", 4.
struct TorchType {
  std::string_view name;
  u64 bytes = 0;
};
TorchType torch_type(std::string_view storage);

}  // namespace steelyard::formats
