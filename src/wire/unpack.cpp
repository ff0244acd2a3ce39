#include "wire/unpack.hpp"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>

#include "wire/decoder.hpp"

namespace steelyard::wire {
namespace {

constexpr std::size_t kInput = 64 * 1024;
constexpr std::size_t kChunk = 128 * 1024;  // half of the window over content that isn't kept

// What a byte costs, in parts of about 2.5 ns: measured on zeros, random bytes and text.
struct Weight {
  u64 out;
  u64 in;
  u64 stream;
};
Weight weight(Packing packing) {
  switch (packing) {
    case Packing::deflate:
    case Packing::zlib:
    case Packing::gzip:
      return {1, 2, 4096};
    case Packing::bzip2:
      return {4, 28, 16 * 1024};
    case Packing::xz:
    case Packing::lzma:
    case Packing::zip_lzma:
      return {2, 16, 16 * 1024};
    case Packing::lz4:
    case Packing::zstd:
      break;
  }
  return {1, 1, 4096};
}

u8 at(Bytes bytes, std::size_t i) { return std::to_integer<u8>(bytes[i]); }
bool begins(Bytes bytes, std::string_view magic) { return as_text(bytes).starts_with(magic); }

bool zlib_header(Bytes head) {
  return head.size() >= 2 && (at(head, 0) & 0x0F) == 8 && at(head, 0) >> 4 <= 7 && (at(head, 1) & 0x20) == 0 &&
         (at(head, 0) * 256 + at(head, 1)) % 31 == 0;
}

// As xz recognises it: a dictionary of 2^n or 2^n + 2^(n-1) bytes, a size that is unknown or sane.
bool lzma_header(Bytes head) {
  if (head.size() < 13 || at(head, 0) >= 9 * 5 * 5) return false;
  const auto number = [&](std::size_t from, std::size_t bytes) {
    u64 value = 0;
    for (std::size_t i = bytes; i-- > 0;) value = value << 8 | at(head, from + i);
    return value;
  };
  u64 dictionary = number(1, 4);
  const u64 size = number(5, 8);
  if (dictionary != UINT32_MAX) {
    while (dictionary > 3 && dictionary % 2 == 0) dictionary /= 2;
    if (dictionary > 3 || number(1, 4) < 4096) return false;
  }
  return size == UINT64_MAX || size < u64{1} << 38;
}

bool begins_stream(Packing packing, Bytes head) {
  switch (packing) {
    case Packing::zlib:
      return zlib_header(head);
    case Packing::gzip:
      return begins(head, "\x1f\x8b");
    case Packing::bzip2:
      return begins(head, "BZh");
    case Packing::xz:
      return begins(head, std::string_view("\xfd"
                                           "7zXZ\0",
                                           6));
    case Packing::lzma:
      return lzma_header(head);
    case Packing::lz4:
      return begins(head, "\x04\x22\x4d\x18");
    case Packing::zstd:
      return begins(head, "\x28\xb5\x2f\xfd");
    case Packing::deflate:
    case Packing::zip_lzma:
      break;
  }
  return false;
}

}  // namespace

std::string_view to_string(Packing packing) {
  constexpr std::array<std::string_view, 9> kNames = {"deflate", "zlib",     "gzip", "bzip2", "xz",
                                                      "lzma",    "zip-lzma", "lz4",  "zstd"};
  return kNames[static_cast<std::size_t>(packing)];
}

std::optional<Packing> recognise_packing(Bytes head) {
  if (begins(head, "\x1f\x8b\x08")) return Packing::gzip;
  if (begins(head, "BZh") && head.size() >= 10 && at(head, 3) >= '1' && at(head, 3) <= '9' &&
      (begins(head.subspan(4), "1AY&SY") || begins(head.subspan(4), "\x17\x72\x45\x38\x50\x90")))
    return Packing::bzip2;
  for (const Packing packing : {Packing::xz, Packing::lz4, Packing::zstd, Packing::zlib, Packing::lzma}) {
    if (begins_stream(packing, head)) return packing;
  }
  return std::nullopt;
}

// Produces the content from its beginning, as often as asked.
class Unpacked::Reader {
 public:
  Reader(const Source& packed, u64 begin, u64 end, Packing packing, UnpackBudget& budget, bool single)
      : packed_(packed),
        begin_(begin),
        limit_(std::min(end, packed.size())),
        packing_(packing),
        single_(single),
        weight_(weight(packing)),
        budget_(budget),
        input_(kInput) {
    restart();
  }
  ~Reader() { close(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // To the beginning.
  void restart();
  // Up to out.size() bytes; none when there are no more, for the reason in ended().
  std::size_t produce(std::span<std::byte> out);
  // Bytes from `offset`, going forward or starting again.
  std::size_t read(u64 offset, std::span<std::byte> out);

  End ended() const { return end_; }
  std::string why() const { return why_; }
  u64 consumed() const { return consumed_; }
  u64 streams() const { return streams_; }

 private:
  void close();
  bool charge(u64 amount);
  bool reserve();
  Bytes look(std::size_t wanted);
  void take(std::size_t bytes) { input_begin_ += bytes; }
  u64 place() const { return next_ - (input_end_ - input_begin_); }
  bool open_stream();
  bool gzip_header();
  void end_stream();
  void gzip_trailer();
  void finish(End end, std::string why = {}) {
    done_ = true;
    end_ = end;
    why_ = std::move(why);
    consumed_ = std::max(consumed_, std::min(place(), limit_) - begin_);
    close();
  }

  const Source& packed_;
  u64 begin_;
  u64 limit_;
  Packing packing_;
  bool single_;
  Weight weight_;
  UnpackBudget& budget_;
  u64 reserved_ = 0;
  std::unique_ptr<Decoder> decoder_;
  std::vector<std::byte> input_;
  std::size_t input_begin_ = 0;
  std::size_t input_end_ = 0;
  u64 next_ = 0;  // the packed byte behind the input at hand
  u64 streams_ = 0;
  u64 consumed_ = 0;
  u64 stream_begin_ = 0;
  u64 stream_size_ = 0;
  u32 stream_crc_ = 0;
  bool done_ = false;
  End end_ = End::complete;
  std::string why_;
  std::vector<std::byte> window_;
  u64 window_at_ = 0;
  std::size_t window_size_ = 0;
};

void Unpacked::Reader::close() {
  decoder_.reset();
  budget_.memory += std::exchange(reserved_, 0);
}

void Unpacked::Reader::restart() {
  close();
  input_begin_ = input_end_ = 0;
  next_ = std::min(begin_, limit_);
  streams_ = consumed_ = 0;
  done_ = false;
  end_ = End::complete;
  why_.clear();
  window_at_ = 0;
  window_size_ = 0;
}

bool Unpacked::Reader::charge(u64 amount) {
  if (budget_.fuel >= amount) {
    budget_.fuel -= amount;
    return true;
  }
  budget_.fuel = 0;
  finish(End::fuel);
  return false;
}

bool Unpacked::Reader::reserve() {
  const u64 wanted = decoder_->memory();
  if (wanted <= reserved_) return true;
  if (budget_.memory < wanted - reserved_) {
    finish(End::memory);
    return false;
  }
  budget_.memory -= wanted - reserved_;
  reserved_ = wanted;
  return true;
}

// At least `wanted` bytes of input unless fewer are left.
Bytes Unpacked::Reader::look(std::size_t wanted) {
  if (input_end_ - input_begin_ < wanted && next_ < limit_) {
    std::memmove(input_.data(), input_.data() + input_begin_, input_end_ - input_begin_);
    input_end_ -= std::exchange(input_begin_, 0);
    const std::size_t count =
        packed_.read(next_, std::span(input_).subspan(input_end_, std::min<u64>(kInput - input_end_, limit_ - next_)));
    if (count == 0) limit_ = next_;  // unreadable: as if the stream ended here
    next_ += count;
    input_end_ += count;
  }
  return Bytes(input_).subspan(input_begin_, input_end_ - input_begin_);
}

// RFC 1952, as lenient as CPython's gzip: reserved flags and the header's checksum are not looked at.
bool Unpacked::Reader::gzip_header() {
  const Bytes head = look(10);
  if (head.size() < 10) {
    finish(End::truncated, "the header is cut short");
    return false;
  }
  if (!begins(head, "\x1f\x8b\x08")) {
    finish(End::damaged, "the header is not recognised");
    return false;
  }
  const u8 flags = at(head, 3);
  take(10);
  const auto skip = [&](u64 bytes) {
    while (bytes > 0) {
      const std::size_t some = std::min<u64>(look(1).size(), bytes);
      if (some == 0) return false;
      take(some);
      bytes -= some;
    }
    return true;
  };
  const auto skip_text = [&] {
    while (true) {
      const Bytes bytes = look(1);
      if (bytes.empty()) return false;
      const auto end = std::ranges::find(bytes, std::byte{0});
      take(static_cast<std::size_t>(end - bytes.begin()) + (end != bytes.end() ? 1 : 0));
      if (end != bytes.end()) return true;
    }
  };
  bool whole = true;
  if ((flags & 4) != 0) {
    const Bytes length = look(2);
    whole = length.size() >= 2;
    const u64 extra = whole ? at(length, 0) + u64{256} * at(length, 1) : 0;
    whole = whole && skip(2 + extra);
  }
  if ((flags & 8) != 0) whole = whole && skip_text();
  if ((flags & 16) != 0) whole = whole && skip_text();
  if ((flags & 2) != 0) whole = whole && skip(2);
  if (!whole) finish(End::truncated, "the header is cut short");
  return whole;
}

bool Unpacked::Reader::open_stream() {
  if (streams_ > 0) {
    if (single_ || packing_ == Packing::deflate || packing_ == Packing::zip_lzma) {
      finish(End::complete);
      return false;
    }
    consumed_ = place() - begin_;
    u64 zeros = 0;
    if (packing_ == Packing::gzip || packing_ == Packing::xz) {
      for (; !look(1).empty() && at(look(1), 0) == 0; ++zeros) take(1);
    }
    const bool padded = packing_ == Packing::gzip || zeros % 4 == 0;
    const Bytes head = look(16);
    // Python's reader of .lzma tries whatever follows.
    const bool another = packing_ == Packing::lzma ? !head.empty() : begins_stream(packing_, head);
    if (!padded || !another) {
      const u64 used = padded && head.empty() ? place() - begin_ : consumed_;
      finish(End::complete);
      consumed_ = used;
      return false;
    }
  }
  if (!charge(weight_.stream)) return false;
  stream_begin_ = place();
  if (packing_ == Packing::gzip && !gzip_header()) return false;
  decoder_ = make_decoder(packing_);
  stream_size_ = 0;
  stream_crc_ = 0;
  ++streams_;
  return reserve();
}

void Unpacked::Reader::gzip_trailer() {
  const Bytes trailer = look(8);
  if (trailer.size() < 8) {
    take(trailer.size());
    finish(End::truncated, "the checksum is cut short");
    return;
  }
  const auto number = [&](std::size_t from) {
    return at(trailer, from) | static_cast<u32>(at(trailer, from + 1)) << 8 |
           static_cast<u32>(at(trailer, from + 2)) << 16 | static_cast<u32>(at(trailer, from + 3)) << 24;
  };
  const bool good = number(0) == stream_crc_ && number(4) == static_cast<u32>(stream_size_);
  take(8);
  if (!good) finish(End::damaged, "the checksum or length at its end is wrong");
}

void Unpacked::Reader::end_stream() {
  decoder_.reset();
  budget_.memory += std::exchange(reserved_, 0);
  if (packing_ == Packing::gzip) gzip_trailer();
}

std::size_t Unpacked::Reader::produce(std::span<std::byte> out) {
  std::size_t done = 0;
  while (!done_ && done < out.size()) {
    if (!decoder_ && !open_stream()) break;
    Bytes in = look(1);
    const std::size_t offered = in.size();
    std::span<std::byte> room = out.subspan(done);
    const std::size_t wanted = room.size();
    const Decoder::Step step = decoder_->step(in, room, next_ >= limit_);
    const std::size_t made = wanted - room.size();
    const std::size_t used = offered - in.size();
    take(used);
    if (packing_ == Packing::gzip) stream_crc_ = wire::crc32(stream_crc_, out.subspan(done, made));
    stream_size_ += made;
    done += made;
    if (step == Decoder::Step::end) {
      end_stream();
    } else if (step == Decoder::Step::damaged && streams_ > 1 && stream_size_ == 0) {
      // No stream after all: bytes behind the last one.
      --streams_;
      finish(End::complete);
      consumed_ = stream_begin_ - begin_;
    } else if (step == Decoder::Step::damaged) {
      finish(End::damaged, decoder_->why());
    } else if (made == 0 && used == 0 && next_ >= limit_) {
      finish(End::truncated, "its end is missing");
    }
    if (!charge(made * weight_.out + used * weight_.in) || (decoder_ && !reserve())) break;
  }
  return done;
}

std::size_t Unpacked::Reader::read(u64 offset, std::span<std::byte> out) {
  if (window_.empty()) window_.resize(2 * kChunk);
  std::size_t done = 0;
  while (done < out.size()) {
    const u64 from = offset + done;
    if (from < window_at_) restart();
    if (from < window_at_ + window_size_) {
      const auto inside = static_cast<std::size_t>(from - window_at_);
      const std::size_t count = std::min(out.size() - done, window_size_ - inside);
      std::memcpy(out.data() + done, window_.data() + inside, count);
      done += count;
      continue;
    }
    if (window_size_ == window_.size()) {
      std::memmove(window_.data(), window_.data() + kChunk, kChunk);
      window_at_ += kChunk;
      window_size_ = kChunk;
    }
    const std::size_t made = produce(std::span(window_).subspan(window_size_));
    if (made == 0) break;
    window_size_ += made;
  }
  return done;
}

Unpacked::Unpacked(const Source& packed, u64 begin, u64 end, Packing packing, UnpackBudget& budget, bool single)
    : budget_(budget), reader_(std::make_unique<Reader>(packed, begin, end, packing, budget, single)) {
  std::vector<std::byte> chunk(kInput);
  bool keep = true;
  for (std::size_t made = reader_->produce(chunk); made > 0; made = reader_->produce(chunk)) {
    const Bytes bytes = Bytes(chunk).first(made);
    size_ += made;
    if (single) crc32_ = wire::crc32(crc32_, bytes);
    if (keep && size_ > kept_.capacity()) {
      const u64 more = std::max<u64>(size_, 2 * kept_.capacity());
      keep = size_ <= kKept && budget.memory >= more;
      budget.memory += std::exchange(reserved_, 0);
      if (keep) {
        kept_.reserve(more);
        budget.memory -= reserved_ = kept_.capacity();
      } else {
        kept_ = {};
      }
    }
    if (keep) kept_.insert(kept_.end(), bytes.begin(), bytes.end());
  }
  end_ = reader_->ended();
  why_ = reader_->why();
  consumed_ = reader_->consumed();
  streams_ = reader_->streams();
  if (keep)
    reader_.reset();
  else
    reader_->restart();
}

Unpacked::~Unpacked() { budget_.memory += reserved_; }

std::size_t Unpacked::read(u64 offset, std::span<std::byte> out) const {
  if (offset >= size_) return 0;
  out = out.first(std::min<u64>(out.size(), size_ - offset));
  if (reader_) return reader_->read(offset, out);
  std::memcpy(out.data(), kept_.data() + offset, out.size());
  return out.size();
}

}  // namespace steelyard::wire
