// What runs inside a sandboxed worker: detect the format, parse, send what was found.

#include <unistd.h>

#include "base/cursor.hpp"
#include "formats/item.hpp"
#include "scan/protocol.hpp"
#include "scan/scan.hpp"

namespace steelyard::scan {
namespace {

constexpr u64 kMostName = 4096;

class DescriptorSource final : public Source {
 public:
  DescriptorSource(int descriptor, u64 size) : descriptor_(descriptor), size_(size) {}
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

}  // namespace

void worker_task(std::span<const int> files, Bytes request, const sandbox::Writer& write) {
  const MemorySource source(request);
  Cursor in(source);
  const bool parts = in.read<u8>("parts") != 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const u64 size = in.read<u64>("file size");
    const std::string name = in.text(in.read<u32>("name length"), kMostName, "name");
    Examination found = formats::examine(DescriptorSource(files[i], size), name);
    if (!parts) found.parts.clear();
    encode(static_cast<u32>(i), found, write);
  }
}

}  // namespace steelyard::scan
