#include "wire/sentencepiece.hpp"

#include <algorithm>

namespace steelyard::wire {
namespace {

constexpr u64 kMostPiece = 64 * 1024;
// Of protobuf.
constexpr u64 kNumber = 0, kEight = 1, kBytes = 2, kFour = 5;
// Of ModelProto, SentencePiece, TrainerSpec and NormalizerSpec.
constexpr u64 kPiece = 1, kTrainer = 2, kNormalizer = 3, kLastField = 5;
constexpr u64 kText = 1, kScore = 2, kType = 3, kModelType = 3, kBpe = 2, kTable = 2, kDummyPrefix = 3,
              kRemoveSpaces = 4;

// A base-128 number.
u64 varint(Cursor& in, std::string_view field) {
  u64 value = 0;
  for (u32 shift = 0; shift < 64 && in.ok(); shift += 7) {
    const u8 byte = in.read<u8>(field);
    value |= static_cast<u64>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  in.fail(field, "a number that doesn't end");
  return 0;
}

u64 length(Cursor& in, u64 end, std::string_view what) {
  const u64 out = varint(in, "length");
  if (in.ok() && out > end - std::min(in.offset(), end)) in.fail(what, "longer than what encloses it");
  return in.ok() ? out : 0;
}

// Fields up to `end`. `take(field, kind)` reads a value and answers true, or leaves it there.
template <class Take>
void fields(Cursor& in, u64 end, std::string_view what, const Take& take) {
  while (in.ok() && in.offset() < end) {
    const u64 key = varint(in, what);
    const u64 kind = key & 7;
    if (!in.ok() || take(key >> 3, kind)) continue;
    if (kind == kNumber) {
      varint(in, what);
    } else if (kind == kEight || kind == kFour) {
      in.skip(kind == kEight ? 8 : 4, what);
    } else if (kind == kBytes) {
      in.skip(length(in, end, what), what);
    } else {
      in.fail(what, "no field of a protobuf");
    }
  }
  if (in.ok() && in.offset() != end) in.fail(what, "longer than what encloses it");
}

SentencePiece piece(Cursor& in, u64 end) {
  SentencePiece out;
  fields(in, end, "piece", [&](u64 field, u64 kind) {
    if (field == kText && kind == kBytes) {
      out.text = in.text(length(in, end, "piece"), kMostPiece, "piece");
    } else if (field == kScore && kind == kFour) {
      out.score = in.read<float>("score");
    } else if (field == kType && kind == kNumber) {
      const u64 type = varint(in, "type");
      if (type < 1 || type > static_cast<u64>(SentencePiece::Type::byte)) {
        in.fail("type", "no type of a piece");
      } else {
        out.type = static_cast<SentencePiece::Type>(type);
      }
    } else {
      return false;
    }
    return true;
  });
  if (in.ok() && out.text.empty()) in.fail("piece", "it has no text");
  return out;
}

}  // namespace

SentencePieceSettings read_sentencepiece(Cursor& in, const std::function<void(SentencePiece)>& give) {
  SentencePieceSettings out;
  fields(in, in.limit(), "field", [&](u64 field, u64 kind) {
    if (kind != kBytes || field < 1 || field > kLastField) {
      in.fail("field", "no field of a SentencePiece model");
      return true;
    }
    const u64 size = length(in, in.limit(), "field");
    const u64 end = in.offset() + size;
    if (field == kPiece) {
      SentencePiece found = piece(in, end);
      if (in.ok()) give(std::move(found));
    } else if (field == kTrainer) {
      fields(in, end, "settings", [&](u64 inner, u64 type) {
        if (inner != kModelType || type != kNumber) return false;
        out.bpe = varint(in, "settings") == kBpe;
        return true;
      });
    } else if (field == kNormalizer) {
      fields(in, end, "settings", [&](u64 inner, u64 type) {
        if (inner == kTable && type == kBytes) {
          out.normalization = length(in, end, "settings");
          in.skip(out.normalization, "settings");
        } else if (inner == kDummyPrefix && type == kNumber) {
          out.begins_with_space = varint(in, "settings") != 0;
        } else if (inner == kRemoveSpaces && type == kNumber) {
          out.removes_spaces = varint(in, "settings") != 0;
        } else {
          return false;
        }
        return true;
      });
    } else {
      in.skip(size, "settings");
    }
    return true;
  });
  return out;
}

}  // namespace steelyard::wire
