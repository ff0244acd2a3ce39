// What runs inside a sandboxed worker: detect the format, parse, send what was found.

#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/cursor.hpp"
#include "formats/item.hpp"
#include "scan/protocol.hpp"
#include "scan/scan.hpp"

namespace steelyard::scan {
namespace {

constexpr u64 kMostName = 4096;

constexpr u64 kSmall = u64{64} << 10;

// A small file is read once, in one piece.
class DescriptorSource final : public Source {
 public:
  DescriptorSource(int descriptor, u64 size) : descriptor_(descriptor), size_(size) {
    if (size > kSmall) return;
    small_.resize(size);
    small_.resize(from_file(0, small_));
  }
  u64 size() const override { return size_; }
  std::size_t read(u64 offset, std::span<std::byte> out) const override {
    if (size_ > kSmall) return from_file(offset, out);
    if (offset >= small_.size()) return 0;
    const std::size_t count = std::min<u64>(out.size(), small_.size() - offset);
    std::copy_n(small_.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
    return count;
  }

 private:
  std::size_t from_file(u64 offset, std::span<std::byte> out) const {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t count =
          ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      if (count <= 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }

  int descriptor_;
  u64 size_;
  std::vector<std::byte> small_;
};

}  // namespace

void worker_task(std::span<const int> files, Bytes request, const sandbox::Writer& write) {
  // Of a batch of small files, as few writes as possible: each one wakes the parent.
  std::vector<std::byte> waiting;
  const auto flush = [&] {
    if (!waiting.empty()) write(waiting);
    waiting.clear();
  };
  const auto collect = [&](Bytes bytes) {
    waiting.insert(waiting.end(), bytes.begin(), bytes.end());
    if (waiting.size() >= kSmall) flush();
  };
  const MemorySource source(request);
  Cursor in(source);
  const bool parts = in.read<u8>("parts") != 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const u64 size = in.read<u64>("file size");
    const std::string name = in.text(in.read<u32>("name length"), kMostName, "name");
    Examination found = formats::examine(DescriptorSource(files[i], size), name);
    if (!parts) found.parts.clear();
    encode(static_cast<u32>(i), found, collect);
  }
  flush();
}

}  // namespace steelyard::scan
