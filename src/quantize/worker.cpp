#include "quantize/worker.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/checked.hpp"
#include "base/cursor.hpp"
#include "base/text.hpp"
#include "formats/detail/ggml_types.hpp"
#include "quantize/gguf_keys.hpp"

namespace steelyard::quantize {
namespace {

constexpr u8 kLayout = 1, kPlan = 2;
constexpr u8 kGood = 1, kRefused = 0;
constexpr u64 kMostEntries = 1'000'000;
constexpr u64 kMostName = 65'535;
constexpr u64 kMostMessage = 4096;
constexpr u64 kMostKeys = u64{60} << 20;
constexpr u64 kMostFactors = 65'536;
constexpr u64 kMostExperts = 4'096;
constexpr std::size_t kMostParts = 240;  // that a worker is given at once
constexpr u64 kMostHead = u64{1} << 30;  // bytes that are turned at once

class Descriptor final : public Source {
 public:
  Descriptor(int descriptor, u64 size) : descriptor_(descriptor), size_(size) {}
  u64 size() const override { return size_; }
  std::size_t read(u64 offset, std::span<std::byte> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t count =
          ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (count <= 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

 private:
  int descriptor_;
  u64 size_;
};

template <class T>
std::vector<std::byte> answer(const Result<T>& result) {
  std::vector<std::byte> out;
  put_number(out, result ? kGood : kRefused, 1);
  if (result) {
    const std::vector<std::byte> content = encode(*result);
    out.insert(out.end(), content.begin(), content.end());
  } else {
    put_text(out, text::prefix(result.error().message, kMostMessage));
  }
  return out;
}

// What a worker answered, or why it didn't.
Result<std::vector<std::byte>> asked(sandbox::Zygote& zygote, std::vector<int> files, std::vector<std::byte> request) {
  SY_TRY(sandbox::Reply reply, zygote.run({kWorkerTask, std::move(files), std::move(request)}));
  if (reply.ending != sandbox::Ending::finished) return fail(ErrorCode::io, "the worker that read it ended early");
  const MemorySource source(reply.output);
  Cursor in(source);
  if (in.read<u8>("answer") == kGood && in.ok()) {
    reply.output.erase(reply.output.begin());
    return std::move(reply.output);
  }
  const std::string why = in.text(in.read<u64>("length"), kMostMessage, "message");
  return fail(ErrorCode::usage, in.ok() ? text::display(why, kMostMessage) : "the worker that read it gave no answer");
}

std::unexpected<Error> inconsistent() { return fail(ErrorCode::io, "what the worker answered is inconsistent"); }

void put_range(std::vector<std::byte>& out, Range at) {
  put_number(out, at.begin, 8);
  put_number(out, at.end, 8);
}

// Within `size` bytes; else the cursor fails.
Range range(Cursor& in, u64 size) {
  Range at{in.read<u64>("begin"), in.read<u64>("end")};
  if (at.begin > at.end || at.end > size) in.fail("range", "outside of the file");
  return at;
}

u64 count(Cursor& in, u64 most) {
  const u64 value = in.read<u64>("count");
  if (value > most) in.fail("count", "too many");
  return in.ok() ? value : 0;
}

// Dimensions, and how many elements; 0 when that is no number.
u64 dimensions(Cursor& in, std::vector<u64>& out) {
  std::optional<u64> elements = 1;
  for (u64 i = count(in, 4); i > 0 && in.ok(); --i) {
    out.push_back(in.read<u64>("dimension"));
    if (elements) elements = checked_mul(*elements, out.back());
  }
  if (!elements) in.fail("dimensions", "too large");
  return elements.value_or(0);
}

bool at_end(const Cursor& in) { return in.ok() && in.remaining() == 0; }

}  // namespace

std::vector<std::byte> encode(const Layout& layout) {
  std::vector<std::byte> out;
  put_number(out, layout.described, 8);
  put_number(out, layout.data, 8);
  put_number(out, layout.keys.size(), 8);
  for (const auto& [key, at] : layout.keys) {
    put_text(out, key);
    put_range(out, at);
  }
  put_number(out, layout.tensors.size(), 8);
  for (const auto& [name, tensor] : layout.tensors) {
    put_text(out, name);
    put_number(out, tensor.id, 4);
    put_number(out, tensor.dimensions.size(), 8);
    for (const u64 dimension : tensor.dimensions) put_number(out, dimension, 8);
    put_range(out, tensor.at);
  }
  return out;
}

Result<Layout> decode_layout(Bytes answer, u64 size) {
  const MemorySource source(answer);
  Cursor in(source);
  Layout out;
  out.described = in.read<u64>("end of descriptions");
  out.data = in.read<u64>("begin of data");
  for (u64 i = count(in, kMostEntries); i > 0 && in.ok(); --i) {
    std::string key = in.text(in.read<u64>("length"), kMostName, "key");
    const Range at = range(in, size);
    if (!out.keys.emplace(std::move(key), at).second) in.fail("key", "twice");
  }
  for (u64 i = count(in, kMostEntries); i > 0 && in.ok(); --i) {
    std::string name = in.text(in.read<u64>("length"), kMostName, "name");
    Tensor tensor;
    tensor.id = in.read<u32>("type");
    tensor.elements = dimensions(in, tensor.dimensions);
    tensor.at = range(in, size);
    const formats::GgmlType* type = formats::ggml_type(tensor.id);
    if (!in.ok() || type == nullptr || type->block == 0 || tensor.elements % type->block != 0) return inconsistent();
    tensor.type = type->name;
    tensor.block = type->block;
    tensor.bytes = type->bytes;
    const auto bytes = checked_mul(tensor.elements / tensor.block, tensor.bytes);
    if (bytes != tensor.at.end - tensor.at.begin) return inconsistent();
    if (!out.tensors.emplace(std::move(name), std::move(tensor)).second) return inconsistent();
  }
  // A file without tensors may end before the place where they would begin.
  if (!at_end(in) || out.described > size || (out.data > size && !out.tensors.empty())) return inconsistent();
  return out;
}

std::vector<std::byte> encode(const Plan& plan) {
  std::vector<std::byte> out;
  put_number(out, plan.key_count, 8);
  put_number(out, plan.keys.size(), 8);
  out.insert(out.end(), plan.keys.begin(), plan.keys.end());
  put_number(out, plan.tensors.size(), 8);
  for (const Copy& copy : plan.tensors) {
    put_text(out, copy.name);
    put_number(out, copy.dimensions.size(), 8);
    for (const u64 dimension : copy.dimensions) put_number(out, dimension, 8);
    for (const u32 number : {copy.type, copy.from}) put_number(out, number, 4);
    put_number(out, copy.pieces.size(), 8);
    for (const Piece& piece : copy.pieces) {
      put_number(out, piece.file, 4);
      put_range(out, piece.at);
    }
    put_number(out, copy.heads, 8);
    put_number(out, copy.shifted ? 1 : 0, 1);
    put_number(out, copy.values.size(), 8);
    for (const float value : copy.values) put_number(out, std::bit_cast<u32>(value), 4);
  }
  return out;
}

Result<Plan> decode_plan(Bytes answer, const std::vector<u64>& sizes) {
  const MemorySource source(answer);
  Cursor in(source);
  Plan out;
  out.key_count = count(in, kMostEntries);
  out.keys.resize(count(in, kMostKeys));
  in.take(out.keys, "keys");
  std::set<std::string> seen;
  for (u64 i = count(in, kMostEntries); i > 0 && in.ok(); --i) {
    Copy copy;
    copy.name = in.text(in.read<u64>("length"), kMostName, "name");
    const u64 elements = dimensions(in, copy.dimensions);
    copy.type = in.read<u32>("type");
    copy.from = in.read<u32>("type in the source");
    u64 there = 0;
    for (u64 k = count(in, kMostExperts); k > 0 && in.ok(); --k) {
      Piece piece{.file = in.read<u32>("file"), .at = {}};
      if (piece.file >= sizes.size()) return inconsistent();
      piece.at = range(in, sizes[piece.file]);
      const u64 size = piece.at.end - piece.at.begin;
      if (!copy.pieces.empty() && size != copy.pieces.front().at.end - copy.pieces.front().at.begin)
        return inconsistent();
      there = checked_add(there, size).value_or(UINT64_MAX);
      copy.pieces.push_back(piece);
    }
    copy.heads = in.read<u64>("heads");
    copy.shifted = in.read<u8>("shifted") != 0;
    copy.values.resize(count(in, kMostFactors));
    for (float& value : copy.values) value = in.read<float>("value");
    const bool known = copy.type == copy.from ? copy.from == 0 || copy.from == 1 || copy.from == 30
                                              : copy.type == 0 && (copy.from == 1 || copy.from == 30);
    const auto bytes = checked_mul(elements, copy.from == 0 ? 4 : 2);
    if (!in.ok() || !known || !bytes || elements == 0 || !seen.insert(copy.name).second) return inconsistent();
    if (copy.values.empty()
            ? *bytes != there || copy.pieces.empty()
            : copy.values.size() != elements || copy.type != 0 || copy.heads != 0 || !copy.pieces.empty())
      return inconsistent();
    if (copy.shifted && (copy.type != 0 || copy.heads != 0 || !copy.values.empty())) return inconsistent();
    if (copy.pieces.size() > 1 &&
        (copy.heads != 0 || copy.dimensions.empty() || copy.dimensions.back() != copy.pieces.size()))
      return inconsistent();
    if (copy.heads != 0) {
      const u64 rows = copy.dimensions.empty() ? 1 : copy.dimensions.back();
      if (copy.heads > rows || rows % copy.heads != 0 || rows / copy.heads % 2 != 0 || *bytes / copy.heads > kMostHead)
        return inconsistent();
    }
    out.tensors.push_back(std::move(copy));
  }
  if (!at_end(in)) return inconsistent();
  return out;
}

void worker_task(std::span<const int> files, Bytes request, const sandbox::Writer& write) {
  const MemorySource source(request);
  Cursor in(source);
  const u8 kind = in.read<u8>("kind");
  const std::string name = in.text(in.read<u64>("length"), kMostName, "name");
  std::vector<Descriptor> sources;
  std::vector<std::string> names;
  for (const int file : files) {
    sources.emplace_back(file, in.read<u64>("size"));
    names.push_back(in.text(in.read<u64>("length"), kMostName, "name"));
  }
  if (!in.ok() || sources.empty()) return;
  if (kind == kLayout) {
    write(answer(read_layout(sources.front())));
  } else if (kind == kPlan) {
    std::vector<Part> parts;
    for (std::size_t i = 0; i < sources.size(); ++i) parts.push_back({names[i], &sources[i]});
    write(answer(plan_conversion(parts, name)));
  }
}

namespace {

std::vector<std::byte> request(u8 kind, const std::string& name, const std::vector<const io::File*>& files,
                               const std::vector<std::string>& names) {
  std::vector<std::byte> out;
  put_number(out, kind, 1);
  put_text(out, name);
  for (std::size_t i = 0; i < files.size(); ++i) {
    put_number(out, files[i]->size(), 8);
    put_text(out, names[i]);
  }
  return out;
}

}  // namespace

Result<Layout> layout_in_worker(sandbox::Zygote& zygote, const io::File& file) {
  SY_TRY(const std::vector<std::byte> found, asked(zygote, {file.descriptor()}, request(kLayout, "", {&file}, {""})));
  return decode_layout(found, file.size());
}

Result<Plan> plan_in_worker(sandbox::Zygote& zygote, const std::vector<const io::File*>& files,
                            const std::vector<std::string>& names, const std::string& name) {
  std::vector<int> descriptors;
  std::vector<u64> sizes;
  for (const io::File* file : files) {
    descriptors.push_back(file->descriptor());
    sizes.push_back(file->size());
  }
  if (files.size() > kMostParts)
    return fail(ErrorCode::usage, fmt::format("more than {} files of a model aren't supported", kMostParts));
  SY_TRY(const std::vector<std::byte> found, asked(zygote, std::move(descriptors), request(kPlan, name, files, names)));
  return decode_plan(found, sizes);
}

}  // namespace steelyard::quantize
