#include "base/cursor.hpp"

#include <fmt/format.h>

namespace steelyard {
namespace {
constexpr std::size_t kWindow = 64 * 1024;
}

Cursor::Cursor(const Source& source, u64 begin, u64 end, std::endian order)
    : source_(source), offset_(begin), end_(std::min(end, source.size())), order_(order) {
  if (offset_ > end_) offset_ = end_;
}

bool Cursor::fill() {
  if (offset_ >= window_at_ && offset_ < window_at_ + window_size_) return true;
  if (window_.empty()) window_.resize(std::min<u64>(kWindow, std::max<u64>(end_ - offset_, 1)));
  window_at_ = offset_;
  const u64 most = std::min<u64>(window_.size(), end_ - offset_);
  window_size_ = source_.read(offset_, std::span(window_).first(most));
  return window_size_ > 0;
}

Bytes Cursor::peek(std::size_t most) {
  if (fault_ || offset_ >= end_ || !fill()) return {};
  const auto inside = static_cast<std::size_t>(offset_ - window_at_);
  return Bytes(window_).subspan(inside, std::min(most, window_size_ - inside));
}

Bytes Cursor::ahead(std::size_t least) {
  const Bytes part = peek(SIZE_MAX);
  if (part.size() >= std::min<u64>(least, remaining())) return part;
  window_size_ = 0;
  return peek(SIZE_MAX);
}

bool Cursor::take(std::span<std::byte> out, std::string_view field) {
  if (fault_) return false;
  if (out.size() > remaining()) {
    fault_ = Fault{std::string(field), offset_, out.size(), remaining(), {}};
    return false;
  }
  const u64 start = offset_;
  for (std::size_t done = 0; done < out.size();) {
    const Bytes part = peek(out.size() - done);
    if (part.empty()) {
      fault_ = Fault{std::string(field), start, out.size(), done, "the bytes could not be read"};
      offset_ = start;
      return false;
    }
    std::memcpy(out.data() + done, part.data(), part.size());
    done += part.size();
    offset_ += part.size();
  }
  return true;
}

std::string Cursor::text(u64 length, u64 most, std::string_view field) {
  if (fault_) return {};
  if (length > remaining()) {
    fault_ = Fault{std::string(field), offset_, length, remaining(), {}};
    return {};
  }
  if (length > most) {
    fault_ =
        Fault{std::string(field), offset_, length, remaining(), fmt::format("longer than the limit of {} bytes", most)};
    return {};
  }
  std::string out(length, '\0');
  if (!take(std::as_writable_bytes(std::span(out)), field)) return {};
  return out;
}

bool Cursor::skip(u64 bytes, std::string_view field) {
  if (fault_) return false;
  if (bytes > remaining()) {
    fault_ = Fault{std::string(field), offset_, bytes, remaining(), {}};
    return false;
  }
  offset_ += bytes;
  return true;
}

void Cursor::fail(std::string_view field, std::string why) {
  if (!fault_) fault_ = Fault{std::string(field), offset_, 0, remaining(), std::move(why)};
}

std::string to_string(const Fault& fault) {
  if (!fault.why.empty()) return fmt::format("{} at {:#x}: {}", fault.field, fault.offset, fault.why);
  return fmt::format("{} at {:#x}: {} bytes wanted, {} available", fault.field, fault.offset, fault.wanted,
                     fault.available);
}

}  // namespace steelyard
