// SentencePiece models (tokenizer.model, spiece.model): that every byte belongs to the structure.
//
// Spec and attacks: wire/sentencepiece.hpp. Tested by tests/oracle/repository_test.py (models made by hand) and
// data/rules/TOK/; fuzzed.

#include "wire/sentencepiece.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

void parse(Item& item) {
  Cursor in(item.source());
  u64 pieces = 0;
  wire::read_sentencepiece(in, [&](const wire::SentencePiece&) { ++pieces; });
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
