#include "quantize/layout.hpp"

#include <fmt/format.h>

#include "base/checked.hpp"
#include "base/cursor.hpp"
#include "base/text.hpp"
#include "formats/detail/ggml_types.hpp"

namespace steelyard::quantize {
namespace {

constexpr u32 kMagic = 0x46554747;  // "GGUF"
constexpr u64 kMostEntries = 1'000'000;
constexpr u64 kMostName = 65'535;
constexpr u64 kLargestAlignment = u64{1} << 20;
constexpr u32 kString = 8;
constexpr u32 kArray = 9;
constexpr std::array<u32, 13> kSizes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

class Reader {
 public:
  explicit Reader(const Source& source) : source_(source), in_(source) {}

  Result<Layout> run() {
    if (in_.read<u32>("magic") != kMagic) in_.fail("magic", "not GGUF");
    const u32 version = in_.read<u32>("version");
    if (in_.ok() && version != 2 && version != 3) in_.fail("version", fmt::format("{} is not 2 or 3", version));
    const u64 tensors = count("tensor count");
    const u64 keys = count("key count");
    for (u64 i = 0; i < keys && in_.ok(); ++i) key();
    std::vector<std::pair<std::string, u64>> offsets;
    for (u64 i = 0; i < tensors && in_.ok(); ++i) offsets.emplace_back(tensor());
    out_.described = in_.offset();
    const auto data = checked_align(in_.offset(), alignment_);
    for (const auto& [name, offset] : offsets) place(name, data, offset);
    if (!in_.ok()) return fail(ErrorCode::usage, "its structure is broken: " + to_string(*in_.fault()));
    out_.data = data.value_or(0);
    return std::move(out_);
  }

 private:
  u64 count(std::string_view field) {
    const u64 value = in_.read<u64>(field);
    if (in_.ok() && value > kMostEntries) in_.fail(field, "more than a million");
    return value;
  }

  std::string name(std::string_view field) { return in_.text(in_.read<u64>(field), kMostName, field); }

  void key() {
    std::string key = name("key");
    const u64 begin = in_.offset();
    const u32 type = in_.read<u32>("type of a value");
    if (type == kArray) {
      const u32 of = in_.read<u32>("type of an array");
      values(of, in_.read<u64>("length of an array"));
    } else if (type == 4 && key == "general.alignment") {
      alignment_ = in_.read<u32>("alignment");
      if (in_.ok() && (alignment_ == 0 || alignment_ > kLargestAlignment)) in_.fail("alignment", "out of range");
    } else {
      values(type, 1);
    }
    if (in_.ok() && !out_.keys.emplace(key, Range{begin, in_.offset()}).second)
      in_.fail("key", fmt::format("\"{}\" is there twice", text::display(key, 80)));
  }

  void values(u32 type, u64 count) {
    if (type == kString) {
      for (u64 i = 0; i < count && in_.ok(); ++i) in_.skip(in_.read<u64>("length of a text"), "text");
      return;
    }
    const auto bytes = type < kSizes.size() && kSizes[type] != 0 ? checked_mul(count, kSizes[type]) : std::nullopt;
    if (bytes) {
      in_.skip(*bytes, "values");
    } else {
      in_.fail("type of a value", fmt::format("{} is none that can be read", type));
    }
  }

  std::pair<std::string, u64> tensor() {
    std::string name = this->name("tensor name");
    Tensor tensor;
    const u32 rank = in_.read<u32>("number of dimensions");
    if (rank > 4) in_.fail("number of dimensions", fmt::format("{} is more than 4", rank));
    std::optional<u64> elements = 1;
    for (u32 i = 0; i < rank && in_.ok(); ++i) {
      tensor.dimensions.push_back(in_.read<u64>("dimension"));
      if (elements) elements = checked_mul(*elements, tensor.dimensions.back());
    }
    const u32 id = in_.read<u32>("tensor type");
    const u64 offset = in_.read<u64>("tensor offset");
    const formats::GgmlType* type = formats::ggml_type(id);
    if (!in_.ok()) return {};
    if (type == nullptr || type->block == 0) {
      in_.fail("tensor type", fmt::format("{} is no type", id));
      return {};
    }
    tensor.id = id;
    tensor.type = type->name;
    tensor.block = type->block;
    tensor.bytes = type->bytes;
    const auto bytes =
        elements && *elements % type->block == 0 ? checked_mul(*elements / type->block, type->bytes) : std::nullopt;
    if (!bytes) {
      in_.fail("tensor dimensions", "no whole number of blocks");
      return {};
    }
    tensor.elements = *elements;
    tensor.at.end = *bytes;
    if (!out_.tensors.emplace(name, std::move(tensor)).second)
      in_.fail("tensor name", fmt::format("\"{}\" is there twice", text::display(name, 80)));
    return {std::move(name), offset};
  }

  // Until now the range holds the size.
  void place(const std::string& name, std::optional<u64> data, u64 offset) {
    if (!in_.ok()) return;
    Range& at = out_.tensors[name].at;
    const auto begin = data ? checked_add(*data, offset) : std::nullopt;
    const auto end = begin ? checked_add(*begin, at.end) : std::nullopt;
    if (!end || *end > source_.size()) {
      in_.fail("tensor data", fmt::format("\"{}\" ends beyond the file", text::display(name, 80)));
      return;
    }
    at = {*begin, *end};
  }

  const Source& source_;
  Cursor in_;
  Layout out_;
  u64 alignment_ = 32;
};

}  // namespace

Result<Layout> read_layout(const Source& source) { return Reader(source).run(); }

u64 expected_bytes(const Layout& layout, u64 bits) {
  u64 total = layout.data;
  for (const auto& [name, tensor] : layout.tensors) {
    const u64 each = tensor.dimensions.size() > 1 ? bits : 32;
    total = checked_add(total, checked_mul(tensor.elements / 8 + 1, each).value_or(UINT64_MAX)).value_or(UINT64_MAX);
  }
  return total;
}

bool quantized(const Layout& layout) {
  for (const auto& [name, tensor] : layout.tensors) {
    if (tensor.block > 1) return true;
  }
  return false;
}

}  // namespace steelyard::quantize
