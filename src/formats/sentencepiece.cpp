// SentencePiece models (tokenizer.model, spiece.model): a protobuf of pieces and how text is normalised.
//
// Spec: sentencepiece_model.proto. Every byte belongs to a field that the specification has, or is reported.
// Tested by tests/oracle/repository_test.py (models made by hand) and data/rules/TOK/; fuzzed.

#include <algorithm>

#include "base/text.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kMostPiece = 64 * 1024;

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

void parse(Item& item) {
  Cursor in(item.source());
  u64 pieces = 0;
  while (in.ok() && in.remaining() > 0) {
    const u64 key = varint(in, "field");
    const u64 field = key >> 3;
    if ((key & 7) != 2 || field < 1 || field > 5) {
      in.fail("field", "no field of a SentencePiece model");
      break;
    }
    const u64 length = varint(in, "length");
    if (field == 1) {
      ++pieces;
      const std::string piece = in.text(length, kMostPiece, "piece");
      if (in.ok() && (piece.empty() || piece[0] != '\x0A')) in.fail("piece", "it doesn't begin with its text");
    } else {
      in.skip(length, "settings");
    }
  }
  Coverage& coverage = item.coverage();
  item.report().fact("tokenizer.tokens", pieces, Range{0, item.size()}, Assurance::verified);
  coverage.examined = std::min(in.offset(), item.size());
  if (!in.ok()) {
    item.report().add("TOK001", Range{coverage.examined, coverage.examined},
                      json::Value().set("fault", to_string(*in.fault())));
    coverage.gaps.push_back({{coverage.examined, item.size()}, "the structure before it is broken"});
  }
}

int sniff(const Sniff& sniff) {
  const Bytes head = sniff.head;
  const auto byte = [&](std::size_t i) { return std::to_integer<u32>(head[i]); };
  // A piece with a short text, behind its length: 0A n 0A m text…
  if (head.size() < 16 || byte(0) != 0x0A || byte(1) < 3 || byte(1) > 0x7F || byte(2) != 0x0A || byte(3) + 2 > byte(1))
    return 0;
  const std::size_t second = 2 + byte(1);
  if (second + 4 > head.size() || byte(second) != 0x0A) return 0;
  return text::valid_utf8(as_text(head.subspan(4, byte(3)))) ? 35 : 0;
}

}  // namespace

extern const Format sentencepiece_format;
const Format sentencepiece_format{
    "sentencepiece", "SentencePiece model", "model", "sentencepiece_model.proto", sniff, parse};

}  // namespace steelyard::formats
