// What runs inside a sandboxed worker: detect the format, parse, send what was found.

#include <unistd.h>

#include <algorithm>
#include <array>

#include "formats/format.hpp"
#include "scan/protocol.hpp"
#include "scan/scan.hpp"

namespace steelyard::scan {
namespace {

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

Examination examine(const Source& source, bool parts) {
  std::array<std::byte, 4096> head{};
  const std::size_t length = source.read(0, std::span(head).first(std::min<u64>(head.size(), source.size())));
  const formats::Format* format = formats::detect(Bytes(head).first(length), source.size());
  Examination found;
  found.artifacts.push_back({std::nullopt, 0, "", format ? std::string(format->id) : "unknown", {0, source.size()}});
  if (format != nullptr) {
    format->parse(source, found);
  } else {
    Coverage none{0, source.size(), 0, {}};
    none.gaps.push_back({{0, source.size()}, source.size() == 0 ? "the file is empty" : "no parser for this content"});
    found.coverage.push_back(std::move(none));
  }
  if (!parts) found.parts.clear();
  return found;
}

}  // namespace

void worker_task(std::span<const int> files, Bytes request, const sandbox::Writer& write) {
  const MemorySource source(request);
  Cursor in(source);
  const bool parts = in.read<u8>("parts") != 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const u64 size = in.read<u64>("file size");
    encode(static_cast<u32>(i), examine(DescriptorSource(files[i], size), parts), write);
  }
}

}  // namespace steelyard::scan
