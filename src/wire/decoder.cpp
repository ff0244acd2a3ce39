#include "wire/decoder.hpp"

#include <bzlib.h>
#include <fmt/format.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace steelyard::wire {
namespace {

// The libraries count in 32 bits.
std::size_t bounded(std::size_t size) { return std::min<std::size_t>(size, 1U << 30); }

class Inflate final : public Decoder {
 public:
  explicit Inflate(bool zlib) { ready_ = inflateInit2(&stream_, zlib ? 15 : -15) == Z_OK; }
  ~Inflate() override { inflateEnd(&stream_); }
  Step step(Bytes& in, std::span<std::byte>& out, bool last) override {
    if (!ready_) return damaged("no memory for the decoder");
    const std::size_t offered = bounded(in.size());
    const std::size_t room = bounded(out.size());
    stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));  // zlib only reads it
    stream_.avail_in = static_cast<uInt>(offered);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, last ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    in = in.subspan(offered - stream_.avail_in);
    out = out.subspan(room - stream_.avail_out);
    if (result == Z_STREAM_END) return Step::end;
    if (result == Z_OK || result == Z_BUF_ERROR) return Step::more;
    if (result == Z_NEED_DICT) return damaged("it needs a preset dictionary");
    return damaged(stream_.msg != nullptr ? stream_.msg : "invalid data");
  }
  u64 memory() const override { return 0; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

class Bzip2 final : public Decoder {
 public:
  Bzip2() { ready_ = BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK; }
  ~Bzip2() override { BZ2_bzDecompressEnd(&stream_); }
  Step step(Bytes& in, std::span<std::byte>& out, bool /*last*/) override {
    if (!ready_) return damaged("no memory for the decoder");
    const std::size_t offered = bounded(in.size());
    const std::size_t room = bounded(out.size());
    stream_.next_in = const_cast<char*>(as_text(in).data());  // libbz2 only reads it
    stream_.avail_in = static_cast<unsigned>(offered);
    stream_.next_out = reinterpret_cast<char*>(out.data());
    stream_.avail_out = static_cast<unsigned>(room);
    const int result = BZ2_bzDecompress(&stream_);
    in = in.subspan(offered - stream_.avail_in);
    out = out.subspan(room - stream_.avail_out);
    if (result == BZ_STREAM_END) return Step::end;
    if (result == BZ_OK) return Step::more;
    return damaged(result == BZ_DATA_ERROR ? "a checksum or block is wrong" : "invalid data");
  }
  u64 memory() const override { return u64{3'700} * 1024; }  // of 900 k blocks, as its manual has it

 private:
  bz_stream stream_{};
  bool ready_ = false;
};

class Lzma final : public Decoder {
 public:
  explicit Lzma(Packing packing) : in_zip_(packing == Packing::zip_lzma) {
    constexpr u64 kNoLimit = std::numeric_limits<u64>::max();  // the caller watches memory()
    if (packing == Packing::xz)
      ready_ = lzma_stream_decoder(&stream_, kNoLimit, 0) == LZMA_OK;
    else if (packing == Packing::lzma)
      ready_ = lzma_alone_decoder(&stream_, kNoLimit) == LZMA_OK;
    else
      ready_ = true;
  }
  ~Lzma() override { lzma_end(&stream_); }
  Step step(Bytes& in, std::span<std::byte>& out, bool last) override {
    if (!ready_) return damaged("no memory for the decoder");
    if (in_zip_ && !started_) {
      if (!start(in)) return Step::damaged;
      if (!started_) return Step::more;
    }
    stream_.next_in = reinterpret_cast<const u8*>(in.data());
    stream_.avail_in = in.size();
    stream_.next_out = reinterpret_cast<u8*>(out.data());
    stream_.avail_out = out.size();
    const lzma_ret result = lzma_code(&stream_, last ? LZMA_FINISH : LZMA_RUN);
    in = in.subspan(in.size() - stream_.avail_in);
    out = out.subspan(out.size() - stream_.avail_out);
    switch (result) {
      case LZMA_STREAM_END:
        return Step::end;
      case LZMA_OK:
      case LZMA_BUF_ERROR:
      case LZMA_NO_CHECK:
      case LZMA_UNSUPPORTED_CHECK:
      case LZMA_GET_CHECK:
        return Step::more;
      case LZMA_MEM_ERROR:
      case LZMA_MEMLIMIT_ERROR:
        return damaged("its dictionary is too large");
      case LZMA_FORMAT_ERROR:
        return damaged("the header is not recognised");
      case LZMA_OPTIONS_ERROR:
        return damaged("unsupported options");
      default:
        return damaged("invalid data");
    }
  }
  // The dictionary is touched as it fills.
  u64 memory() const override {
    constexpr u64 kFixed = u64{1} << 20;
    return kFixed + std::min<u64>(dictionary_ != 0 ? dictionary_ : lzma_memusage(&stream_), stream_.total_out);
  }

 private:
  // Version (2), size of the properties (2), properties (5): lc, lp, pb and the dictionary.
  bool start(Bytes& in) {
    const std::size_t wanted = std::min<std::size_t>(9 - header_.size(), in.size());
    header_.insert(header_.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(wanted));
    in = in.subspan(wanted);
    if (header_.size() < 9) return true;
    const auto byte = [&](std::size_t i) { return std::to_integer<u32>(header_[i]); };
    if ((byte(2) | byte(3) << 8) != 5) {
      (void)damaged("the LZMA properties don't have 5 bytes");
      return false;
    }
    lzma_options_lzma options{};
    const u32 packed = byte(4);
    if (packed >= 9 * 5 * 5) {
      (void)damaged("the LZMA properties are invalid");
      return false;
    }
    options.lc = packed % 9;
    options.lp = packed / 9 % 5;
    options.pb = packed / 45;
    options.dict_size = std::max<u32>(byte(5) | byte(6) << 8 | byte(7) << 16 | byte(8) << 24, 4096);
    dictionary_ = options.dict_size;
    const lzma_filter filters[] = {{LZMA_FILTER_LZMA1, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
    if (lzma_raw_decoder(&stream_, filters) != LZMA_OK) {
      (void)damaged("the LZMA properties are invalid");
      return false;
    }
    started_ = true;
    return true;
  }

  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ready_ = false;
  bool in_zip_;
  bool started_ = false;
  u64 dictionary_ = 0;
  std::vector<std::byte> header_;
};

// LZ4 and Zstandard forget what they wrote in a call that ends in an error: so one step of theirs at a
// time, what waits inside before new input.
class Stepwise : public Decoder {
 public:
  Step step(Bytes& in, std::span<std::byte>& out, bool /*last*/) final {
    if (!ready()) return damaged("no memory for the decoder");
    Step result = Step::more;
    if (filled_) {
      Bytes none;
      const std::size_t room = out.size();
      result = call(none, out);
      filled_ = out.empty();
      if (result != Step::more || out.size() < room) return result;
    }
    Bytes some = in.first(std::min(in.size(), hint_));
    const std::size_t offered = some.size();
    result = call(some, out);
    in = in.subspan(offered - some.size());
    filled_ = out.empty();
    return result;
  }

 protected:
  explicit Stepwise(std::size_t smallest_header) : hint_(smallest_header) {}
  virtual bool ready() const = 0;
  virtual Step call(Bytes& in, std::span<std::byte>& out) = 0;
  Step done(std::size_t taken, std::size_t given, std::size_t hint, Bytes& in, std::span<std::byte>& out) {
    in = in.subspan(taken);
    out = out.subspan(given);
    produced_ += given;
    hint_ = std::max<std::size_t>(hint, 1);
    return hint == 0 ? Step::end : Step::more;
  }
  u64 produced() const { return produced_; }

 private:
  std::size_t hint_;
  bool filled_ = false;
  u64 produced_ = 0;
};

class Lz4 final : public Stepwise {
 public:
  Lz4() : Stepwise(7) { ready_ = LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)) == 0; }
  ~Lz4() override { LZ4F_freeDecompressionContext(context_); }
  u64 memory() const override { return std::min<u64>(produced(), u64{4} << 20) * 2 + (u64{1} << 18); }  // two blocks

 private:
  bool ready() const override { return ready_; }
  Step call(Bytes& in, std::span<std::byte>& out) override {
    std::size_t taken = in.size();
    std::size_t given = out.size();
    const std::size_t result = LZ4F_decompress(context_, out.data(), &given, in.data(), &taken, nullptr);
    if (LZ4F_isError(result) != 0) return damaged(LZ4F_getErrorName(result));
    return done(taken, given, result, in, out);
  }

  LZ4F_dctx* context_ = nullptr;
  bool ready_ = false;
};

class Zstd final : public Stepwise {
 public:
  Zstd() : Stepwise(5), context_(ZSTD_createDCtx()) {}
  ~Zstd() override { ZSTD_freeDCtx(context_); }
  // The window is touched as it fills.
  u64 memory() const override { return (u64{1} << 18) + std::min<u64>(ZSTD_sizeof_DCtx(context_), 2 * produced()); }

 private:
  bool ready() const override { return context_ != nullptr; }
  Step call(Bytes& in, std::span<std::byte>& out) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const std::size_t result = ZSTD_decompressStream(context_, &to, &from);
    if (ZSTD_isError(result) != 0) return damaged(ZSTD_getErrorName(result));
    return done(from.pos, to.pos, result, in, out);
  }

  ZSTD_DCtx* context_;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(Packing packing) {
  switch (packing) {
    case Packing::deflate:
    case Packing::gzip:
      return std::make_unique<Inflate>(false);
    case Packing::zlib:
      return std::make_unique<Inflate>(true);
    case Packing::bzip2:
      return std::make_unique<Bzip2>();
    case Packing::xz:
    case Packing::lzma:
    case Packing::zip_lzma:
      return std::make_unique<Lzma>(packing);
    case Packing::lz4:
      return std::make_unique<Lz4>();
    case Packing::zstd:
      break;
  }
  return std::make_unique<Zstd>();
}

u32 crc32(u32 so_far, Bytes bytes) {
  return static_cast<u32>(crc32_z(so_far, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace steelyard::wire
