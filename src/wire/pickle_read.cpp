// Reading of the pickle machine: a window over the stream, frames, lines and long contents.
#include <cstring>

#include "wire/pickle.hpp"

namespace steelyard::wire::pickle {

Machine::Machine(const Source& source, u64 begin, u64 end, Observer& observer, Options options)
    : source_(source), in_(source, begin, end), observer_(observer), options_(options) {
  base_ = in_.offset();
  nodes_.emplace_back();  // the empty tuple
}

Machine::Machine(const Machine& other, Observer& observer, Options options)
    : source_(other.source_),
      in_(other.in_),
      observer_(observer),
      options_(options),
      stack_(other.stack_),
      marks_(other.marks_),
      far_memo_(other.far_memo_),
      memo_length_(other.memo_length_),
      memo_dropped_(other.memo_dropped_),
      nodes_(other.nodes_),
      free_(other.free_),
      items_(other.items_),
      collect_at_(other.collect_at_),
      globals_(other.globals_),
      global_index_(other.global_index_),
      global_bytes_(other.global_bytes_),
      overflow_(other.overflow_),
      objects_(other.objects_),
      opcode_at_(other.opcode_at_),
      out_(other.out_) {
  for (const auto& chunk : other.memo_)
    memo_.push_back(chunk ? std::make_unique<std::array<Value, kMemoChunk>>(*chunk) : nullptr);
  in_.skip(other.offset() - in_.offset(), "opcode");
  base_ = in_.offset();
  frame_end_ = other.frame_end_;
}

// Tells the cursor where the machine is.
void Machine::sync() {
  in_.skip(static_cast<u64>(at_ - begin_), "opcode");
  base_ = in_.offset();
  begin_ = at_ = end_ = nullptr;
}

// Opens the window at the cursor's place; a frame ends it.
void Machine::view() {
  const Bytes ahead = in_.ahead(1);
  base_ = in_.offset();
  if (frame_end_ != 0 && base_ >= frame_end_) frame_end_ = 0;
  const u64 size = frame_end_ == 0 ? ahead.size() : std::min<u64>(ahead.size(), frame_end_ - base_);
  begin_ = at_ = ahead.data();
  end_ = begin_ + size;
}

bool Machine::more() {
  if (at_ != end_) return true;
  sync();
  view();
  return at_ != end_;
}

bool Machine::truncated() { return fail("pickle", "the data end inside an opcode"); }

// `bytes` bytes don't fit into what is left of the frame (the cursor is synchronised).
bool Machine::cross(u64 bytes) {
  if (frame_end_ == 0 || bytes <= frame_end_ - in_.offset()) return true;
  if (in_.offset() == frame_end_) {
    frame_end_ = 0;
    return true;
  }
  if (!out_.crossing) out_.crossing = opcode_at_;
  switch (options_.framing) {
    case Framing::joined:
      break;
    case Framing::dropping:
      in_.skip(frame_end_ - in_.offset(), "frame");
      break;
    case Framing::strict:
      return fail("frame", "an argument crosses its end");
  }
  frame_end_ = 0;
  return true;
}

const std::byte* Machine::need_slow(std::size_t bytes) {
  sync();
  if (!cross(bytes)) return nullptr;
  if (in_.remaining() < bytes || !in_.take(std::span(scratch_).first(bytes), "argument")) {
    truncated();
    return nullptr;
  }
  view();
  return scratch_.data();
}

bool Machine::line(Line& out) {
  if (at_ != end_) {
    const auto rest = static_cast<std::size_t>(end_ - at_);
    if (const void* found = std::memchr(at_, '\n', rest)) {
      const auto* newline = static_cast<const std::byte*>(found);
      out.offset = offset();
      out.length = static_cast<u64>(newline - at_);
      out.text = as_text(Bytes(at_, std::min<u64>(out.length, kKeptLine)));
      out.last = out.length == 0 ? '\0' : static_cast<char>(newline[-1]);
      at_ = newline + 1;
      return true;
    }
  }
  // The line goes on behind the window.
  sync();
  line_.clear();
  out = {in_.offset(), 0, {}, '\0'};
  while (true) {
    view();
    const auto rest = static_cast<std::size_t>(end_ - at_);
    if (rest == 0) {
      // CPython's Python unpickler takes the last line without its last byte.
      if (!tolerate("pickle", "the data end inside a line")) return false;
      if (line_.size() == out.length && !line_.empty()) line_.pop_back();
      out.length -= out.length > 0 ? 1 : 0;
      break;
    }
    const void* found = std::memchr(at_, '\n', rest);
    const std::size_t part = found ? static_cast<std::size_t>(static_cast<const std::byte*>(found) - at_) : rest;
    if (line_.size() < kKeptLine) line_ += as_text(Bytes(at_, std::min(part, kKeptLine - line_.size())));
    if (part > 0) out.last = static_cast<char>(at_[part - 1]);
    out.length += part;
    at_ += part;
    if (found != nullptr) {
      ++at_;
      break;
    }
    const u64 frame = frame_end_;
    sync();
    if (frame != 0 && in_.offset() == frame) {
      if (out.length == 0) continue;
      if (!out_.crossing) out_.crossing = opcode_at_;
      if (options_.framing == Framing::strict) return fail("frame", "a line crosses its end");
      if (options_.framing == Framing::dropping) {
        line_.clear();
        out = {in_.offset(), 0, {}, '\0'};
      }
    }
  }
  out.text = line_;
  return true;
}

// Walks over a text or bytes and pushes it.
bool Machine::content(u64 length, Kind kind, Encoding encoding) {
  Value value;
  value.kind = kind;
  value.size = static_cast<u32>(std::min<u64>(length, UINT32_MAX));
  TextCheck check(encoding);
  if (length > static_cast<u64>(INT64_MAX)) return fail("length", "longer than any memory");
  if (static_cast<u64>(end_ - at_) >= length) {
    value.offset = offset();
    check.add(as_text(Bytes(at_, length)));
    at_ += length;
  } else {
    sync();
    if (kind == Kind::bytes && options_.framing == Framing::dropping) {
      // Bytes are read past the end of a frame without loss: _Unpickler_ReadInto.
      if (frame_end_ != 0 && length > frame_end_ - in_.offset()) {
        if (!out_.crossing) out_.crossing = opcode_at_;
        frame_end_ = 0;
      }
    } else if (!cross(length)) {
      return false;
    }
    if (in_.remaining() < length) {
      out_.asked = std::max(out_.asked, length);
      return truncated();
    }
    value.offset = in_.offset();
    for (u64 left = length; left > 0 && encoding != Encoding::any;) {
      const Bytes part = in_.peek(left);
      if (part.empty()) return truncated();
      check.add(as_text(part));
      left -= part.size();
      in_.skip(part.size(), "text");
    }
    in_.skip(value.offset + length - in_.offset(), "bytes");
    view();
  }
  push(value);
  if (kind == Kind::bytes) observer_.bytes(*this, value);
  return check.whole() || tolerate("text", "not in the encoding that its opcode has");
}

bool Machine::frame() {
  u64 size = 0;
  if (!number(size)) return false;
  if (size > static_cast<u64>(INT64_MAX)) return tolerate("frame", "longer than any input");
  sync();
  if (!cross(size)) return false;
  if (in_.remaining() < size) return tolerate("pickle", "a frame is longer than the data");
  // A frame inside another one that holds it whole is already in the reader's buffer.
  if (frame_end_ == 0 && size > 0) {
    frame_end_ = in_.offset() + size;
  } else if (frame_end_ != 0) {
    if (!out_.crossing) out_.crossing = opcode_at_;
    if (options_.framing == Framing::strict) return tolerate("frame", "a frame begins inside another one");
  }
  view();
  return true;
}

}  // namespace steelyard::wire::pickle
