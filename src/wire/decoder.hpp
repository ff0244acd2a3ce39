// Decoder: one compressed stream, from packed bytes to plain ones, by the reference libraries.
//
// Private to wire/unpack.cpp, which feeds it; the libraries' headers stay in wire/decoder.cpp.
// Attack resisted: streams that ask for gigabytes of dictionary (memory() says what may have been
// touched, so that the caller can stop), input that yields nothing (both counts are the caller's fuel).
#pragma once

#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "wire/unpack.hpp"

namespace steelyard::wire {

class Decoder {
 public:
  enum class Step {
    more,     // wants input or room
    end,      // the stream is complete
    damaged,  // why() says how; what was written before is good
  };
  virtual ~Decoder() = default;
  // Takes bytes off the front of `in` and of `out`. `last`: no input follows.
  virtual Step step(Bytes& in, std::span<std::byte>& out, bool last) = 0;
  // Bytes that the decoder may hold beside its fixed state, as far as it has got.
  virtual u64 memory() const = 0;
  const std::string& why() const { return why_; }

 protected:
  Step damaged(std::string why) {
    why_ = std::move(why);
    return Step::damaged;
  }

 private:
  std::string why_;
};

// Raw deflate for Packing::gzip: its header and trailer are read by the caller. Never null.
std::unique_ptr<Decoder> make_decoder(Packing packing);

}  // namespace steelyard::wire
