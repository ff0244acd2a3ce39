// SentencePiece models: what is read of one, and twins that are broken.

#include "wire/sentencepiece.hpp"

#include <gtest/gtest.h>

namespace steelyard::wire {
namespace {

struct Read {
  std::vector<SentencePiece> pieces;
  SentencePieceSettings settings;
  std::string fault;
};

Read read(std::string_view bytes) {
  const MemorySource source(std::as_bytes(std::span(bytes)));
  Cursor in(source);
  Read out;
  out.settings = read_sentencepiece(in, [&](SentencePiece piece) { out.pieces.push_back(std::move(piece)); });
  if (!in.ok()) out.fault = to_string(*in.fault());
  return out;
}

using namespace std::literals;

// "ab", score -1.5, a control piece; trained by BPE; a table of 3 bytes; a field that specifications may add.
constexpr std::string_view kPiece = "\x0A\x0B\x0A\x02\x61\x62\x15\x00\x00\xC0\xBF\x18\x03"sv;
constexpr std::string_view kTrainer = "\x12\x06\x18\x02\x20\xE8\x07\x00"sv;
constexpr std::string_view kNormalizer = "\x1A\x05\x12\x03xyz"sv;

TEST(SentencePiece, ReadsPiecesAndSettings) {
  const Read found = read(std::string(kPiece) + "\x12\x02\x18\x02"s + std::string(kNormalizer));
  EXPECT_EQ(found.fault, "");
  ASSERT_EQ(found.pieces.size(), 1U);
  EXPECT_EQ(found.pieces[0].text, "ab");
  EXPECT_EQ(found.pieces[0].score, -1.5F);
  EXPECT_EQ(found.pieces[0].type, SentencePiece::Type::control);
  EXPECT_TRUE(found.settings.bpe);
  EXPECT_EQ(found.settings.normalization, 3U);
  EXPECT_TRUE(found.settings.removes_spaces && found.settings.begins_with_space);  // what isn't said is so
  const Read plain = read("\x1A\x04\x18\x00\x20\x00"sv);
  EXPECT_FALSE(plain.settings.removes_spaces || plain.settings.begins_with_space);
  EXPECT_FALSE(read("\x12\x02\x18\x01"sv).settings.bpe);
}

TEST(SentencePiece, BrokenOnesFail) {
  for (std::size_t cut = 1; cut < kPiece.size(); ++cut) EXPECT_NE(read(kPiece.substr(0, cut)).fault, "") << cut;
  EXPECT_NE(read(kTrainer).fault, "");                              // a field's key, and nothing behind it
  EXPECT_NE(read("\x0A\x04\x0A\x05\x61\x62"sv).fault, "");          // a text longer than its piece
  EXPECT_NE(read("\x0A\x04\x0A\x03\x61\x62\x63\x0A"sv).fault, "");  // into the next piece
  EXPECT_NE(read("\x0A\x02\x18\x01"sv).fault, "");                  // no text
  EXPECT_NE(read("\x0A\x05\x0A\x01\x61\x18\x07"sv).fault, "");      // no such type
  EXPECT_NE(read("\x0A\x03\x0A\x01\x61\x32\x00"sv).fault, "");      // no such field
  EXPECT_NE(read("\x0A\x04\x0A\x01\x61\x0B"sv).fault, "");          // a group
  EXPECT_NE(read("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"sv).fault, "");
  EXPECT_NE(read("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"sv).fault, "");  // 2^64 - 1 bytes
  EXPECT_NE(read("\x08\x01"sv).fault, "");
}

}  // namespace
}  // namespace steelyard::wire
