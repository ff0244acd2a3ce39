#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/embedded.hpp"
#include "base/text.hpp"
#include "quantize/hugging_face.hpp"
#include "quantize/special_tokens.hpp"
#include "wire/toml.hpp"

namespace steelyard::quantize {
namespace {

constexpr u32 kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5;
constexpr u64 kMostTokens = 2'000'000;

std::unexpected<Error> no(std::string why) { return fail(ErrorCode::usage, "tokenizer.json: " + std::move(why)); }

// Leaves out what doesn't change tokens, and fills in what may be left out.
json::Value normalized(const json::Value& step) {
  json::Value out = json::Object{};
  const std::string& type = step["type"].string();
  for (const auto& [key, value] : step.object()) {
    if (key == "trim_offsets") continue;
    if (!value.is_array()) {
      out.set(key, value);
      continue;
    }
    json::Value items = json::Array{};
    for (const json::Value& item : value.array()) items.push(normalized(item));
    out.set(key, std::move(items));
  }
  if (type == "ByteLevel" && step.find("use_regex") == nullptr) out.set("use_regex", true);
  return out;
}

// What llama.cpp calls a way to split texts: data/quantize/pretokenizers.toml.
Result<std::string> splitting(const json::Value& step) {
  const std::string wanted = json::canonical(normalized(step));
  const auto document =
      toml::Document::parse(std::string(embedded::find("quantize/pretokenizers.toml")), "pretokenizers.toml");
  if (!document) return std::unexpected(document.error());
  toml::Table root(**document, (*document)->root(), "pretokenizers");
  std::vector<std::string> known;
  std::string found;
  for (toml::Table& one : root.tables("pretokenizer")) {
    known.push_back(one.required_text("name"));
    const auto as = json::parse(one.required_text("json"), {.decimals = true});
    if (as && json::canonical(normalized(*as)) == wanted) found = known.back();
    one.finish();
  }
  if (found.empty())
    return no(fmt::format("its pre_tokenizer isn't supported; expected that of one of {}", fmt::join(known, ", ")));
  return found;
}

struct Tokens {
  std::vector<std::string> texts;
  std::vector<u32> types;
};

Result<Tokens> tokens_of(const TokenizerFiles& files, u64 size) {
  if (size > kMostTokens) return no("the vocabulary is too large");
  Tokens out;
  for (u64 i = 0; i < size; ++i) out.texts.push_back(fmt::format("[PAD{}]", i));
  out.types.assign(size, kUnused);
  for (const auto& [text, id] : files.tokenizer["model"]["vocab"].object()) {
    const auto at = id.unsigned_integer();
    if (!at || *at >= size)
      return no(fmt::format("the id of \"{}\" is outside of vocab_size", text::display(text, 40)));
    if (out.types[*at] != kUnused) return no(fmt::format("two tokens have the id {}", *at));
    out.texts[*at] = text;
    out.types[*at] = kNormal;
  }
  std::map<u64, std::string> added;
  for (const json::Value& one : files.tokenizer["added_tokens"].array()) {
    const auto at = one["id"].unsigned_integer();
    const std::string& text = one["content"].string();
    if (!at || *at >= size || !added.emplace(*at, text).second)
      return no(fmt::format("the id of the added token \"{}\" can't be", text::display(text, 40)));
    if (out.types[*at] == kNormal && out.texts[*at] != text) return no(fmt::format("two tokens have the id {}", *at));
    const bool control = one["special"].boolean() || looks_special(text);
    out.texts[*at] = control ? text : spaced(text);
    out.types[*at] = control ? kControl : kUserDefined;
  }
  if (!files.settings) return out;
  for (const auto& [id, one] : (*files.settings)["added_tokens_decoder"].object()) {
    const auto at = json::Value(id).unsigned_integer();
    if (!at || !added.contains(*at) || added[*at] != one["content"].string())
      return fail(ErrorCode::usage, fmt::format("tokenizer_config.json: it adds a token, id {}, that tokenizer.json "
                                                "doesn't add",
                                                text::display(id, 20)));
  }
  return out;
}

Result<std::vector<std::string>> merges_of(const json::Value& tokenizer) {
  std::vector<std::string> out;
  for (const json::Value& merge : tokenizer["model"]["merges"].array()) {
    if (merge.is_string()) {
      out.push_back(merge.string());
      continue;
    }
    if (merge.array().size() != 2) return no("a merge isn't of two texts");
    std::string text;
    for (const json::Value& part : merge.array()) {
      if (!text.empty()) text += ' ';
      if (!part.is_string() || part.string().empty()) return no("a merge isn't of two texts");
      for (const char c : part.string()) text += c == ' ' ? std::string("\u0120") : std::string(1, c);
    }
    out.push_back(std::move(text));
  }
  if (out.empty()) return no("it has no merges");
  return out;
}

}  // namespace

Result<bool> put_tokenizer(GgufKeys& keys, const TokenizerFiles& files, const Hyperparameters& of) {
  if (files.pieces != nullptr) return put_sentencepiece(keys, files, of);
  if (of.architecture->shifted)
    return fail(ErrorCode::usage, "tokenizer.model: it isn't there; expected for this architecture");
  const json::Value& model = files.tokenizer["model"];
  if (model["type"].string() != "BPE" || model["byte_fallback"].boolean())
    return no(fmt::format("a tokenizer of type {}{} isn't supported; expected byte-level BPE",
                          text::display(json::compact(model["type"]), 40),
                          model["byte_fallback"].boolean() ? " with byte_fallback" : ""));
  const json::Value& normalizer = files.tokenizer["normalizer"];
  if (!normalizer.is_null() && normalizer["type"].string() != "NFC")
    return no(fmt::format("the normalizer {} isn't supported; expected none or NFC",
                          text::display(normalizer["type"].string(), 40)));
  SY_TRY(const std::string splits, splitting(files.tokenizer["pre_tokenizer"]));
  SY_TRY(const Tokens tokens, tokens_of(files, of.vocabulary));
  SY_TRY(const std::vector<std::string> merges, merges_of(files.tokenizer));
  const bool llama = of.architecture->pairs;
  if (llama && files.settings && (*files.settings)["add_prefix_space"].is_bool())
    keys.flag("tokenizer.ggml.add_space_prefix", (*files.settings)["add_prefix_space"].boolean());
  keys.text("tokenizer.ggml.model", "gpt2");
  keys.text("tokenizer.ggml.pre", splits);
  keys.texts("tokenizer.ggml.tokens", tokens.texts);
  keys.numbers("tokenizer.ggml.token_type", tokens.types);
  keys.texts("tokenizer.ggml.merges", merges);
  SpecialTokens special(files);
  SY_CHECK(special.read());
  if (llama && of.vocabulary == kWithoutBegin) special.without_begin();
  return special.put(keys);
}

}  // namespace steelyard::quantize
