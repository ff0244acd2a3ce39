// What becomes of a tokenizer.model: pieces, and tokens that were added to them. Oracle: _set_vocab_sentencepiece of
// convert_hf_to_gguf.py. Tested by tests/unit/convert_test.cpp and tests/cli/convert_test.py.
#include "wire/sentencepiece.hpp"

#include <fmt/format.h>

#include "quantize/hugging_face.hpp"
#include "quantize/special_tokens.hpp"

namespace steelyard::quantize {
namespace {

using wire::SentencePiece;
using Type = SentencePiece::Type;  // GGUF has the same numbers

constexpr u64 kMostTokens = 2'000'000;
constexpr float kPadding = -10'000, kAdded = -1'000;  // scores
constexpr u64 kCodeLlama = 32'016;                    // tokens

std::unexpected<Error> no(std::string why) { return fail(ErrorCode::usage, "tokenizer.model: " + std::move(why)); }

struct Vocabulary {
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<u32> types;

  void set(u64 at, std::string text, float score, Type type) {
    texts[at] = std::move(text);
    scores[at] = score;
    types[at] = static_cast<u32>(type);
  }
};

Result<Vocabulary> pieces_of(const Source& model, u64 size, bool begins_with_space) {
  if (size > kMostTokens) return no("the vocabulary is too large");
  Vocabulary out;
  for (u64 i = 0; i < size; ++i) out.texts.push_back(fmt::format("[PAD{}]", i));
  out.scores.assign(size, kPadding);
  out.types.assign(size, static_cast<u32>(Type::unused));
  u64 count = 0;
  Cursor in(model);
  const auto settings = wire::read_sentencepiece(in, [&](SentencePiece piece) {
    const Type type = piece.type == Type::user_defined ? Type::normal : piece.type;
    if (count < size) out.set(count, std::move(piece.text), piece.score, type);
    ++count;
  });
  if (!in.ok()) return no(to_string(*in.fault()));
  if (count > size) return no(fmt::format("it has {} pieces; expected at most vocab_size, {}", count, size));
  if (!settings.bpe) return no("its algorithm isn't supported; expected BPE");
  if (settings.normalization != 0 || settings.removes_spaces) return no("it normalizes texts, which isn't supported");
  if (begins_with_space && !settings.begins_with_space)
    return no("it puts no space before a text, but add_prefix_space of tokenizer_config.json isn't false");
  return out;
}

// Ids beyond the vocabulary are left out: models without a row for a token that their tokenizer has are common.
void add_tokens(Vocabulary& to, const TokenizerFiles& files) {
  for (const auto& [text, id] : files.added.object()) {
    const auto at = id.unsigned_integer();
    if (at && *at < to.texts.size()) to.set(*at, text, kAdded, Type::user_defined);
  }
  if (!files.settings) return;
  for (const auto& [id, one] : (*files.settings)["added_tokens_decoder"].object()) {
    const auto at = json::Value(id).unsigned_integer();
    if (!at || *at >= to.texts.size()) continue;
    const std::string& text = one["content"].string();
    const bool control = one["special"].boolean() || looks_special(text);
    to.set(*at, control ? text : spaced(text), kAdded, control ? Type::control : Type::user_defined);
  }
}

}  // namespace

Result<bool> put_sentencepiece(GgufKeys& keys, const TokenizerFiles& files, const Hyperparameters& of) {
  std::optional<bool> space;  // before a text; llama.cpp puts one unless it is told
  if (of.architecture->shifted) {
    space = false;
  } else if (files.settings && (*files.settings)["add_prefix_space"].is_bool()) {
    space = (*files.settings)["add_prefix_space"].boolean();
  }
  SY_TRY(Vocabulary tokens, pieces_of(*files.pieces, of.vocabulary, space.value_or(true)));
  add_tokens(tokens, files);
  if (space) keys.flag("tokenizer.ggml.add_space_prefix", *space);
  keys.text("tokenizer.ggml.model", "llama");
  keys.text("tokenizer.ggml.pre", "default");
  keys.texts("tokenizer.ggml.tokens", tokens.texts);
  keys.decimals("tokenizer.ggml.scores", tokens.scores);
  keys.numbers("tokenizer.ggml.token_type", tokens.types);
  if (of.architecture->pairs && of.vocabulary == kCodeLlama) {
    keys.number("tokenizer.ggml.prefix_token_id", 32'007);
    keys.number("tokenizer.ggml.suffix_token_id", 32'008);
    keys.number("tokenizer.ggml.middle_token_id", 32'009);
    keys.number("tokenizer.ggml.eot_token_id", 32'010);
  }
  SpecialTokens special(files, of.vocabulary);
  SY_CHECK(special.read());
  if (of.architecture->pairs && of.vocabulary == kWithoutBegin) special.without_begin();
  return special.put(keys);
}

}  // namespace steelyard::quantize
