#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/embedded.hpp"
#include "base/text.hpp"
#include "quantize/hugging_face.hpp"
#include "wire/toml.hpp"

namespace steelyard::quantize {
namespace {

constexpr u32 kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5;
constexpr u64 kMostTokens = 2'000'000;
constexpr u64 kWithoutBegin = 49'152;  // convert_hf_to_gguf.py: "Apply to granite small models only"

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

bool looks_special(std::string_view token) {
  constexpr std::array<std::string_view, 4> kNames = {"<pad>", "<mask>", "<2mass>", "[@BOS@]"};
  const auto between = [&](std::string_view begin, std::string_view end) {
    return token.starts_with(begin) && token.ends_with(end);
  };
  return std::ranges::find(kNames, token) != kNames.end() || between("<|", "|>") || between("<\uff5c", "\uff5c>") ||
         between("<unused", ">");
}

std::string spaced(std::string token) {
  constexpr std::string_view kBlock = "\u2581";
  for (std::size_t at = token.find(kBlock); at != std::string::npos; at = token.find(kBlock, at + 1))
    token.replace(at, kBlock.size(), " ");
  return token;
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

// Which tokens a text gets at its ends, and the ids of tokens with a purpose.
class Special {
 public:
  explicit Special(const TokenizerFiles& files) : files_(files) {
    if (files.settings) settings_ = files.settings->object();
  }

  Result<bool> read() {
    SY_CHECK(processor(files_.tokenizer["post_processor"]));
    if (files_.settings) {
      for (const std::string_view type : kTypes) from_settings(std::string(type));
    }
    for (const std::string_view type : kTypes) {
      const json::Value& id = files_.config[fmt::format("{}_token_id", type)];
      if (id.is_integer()) SY_CHECK(id_of(std::string(type), id.integer()));
    }
    return true;
  }

  void without_begin() { keep(adds_, "bos", false, true); }

  void put(GgufKeys& keys) const {
    for (const auto& [type, id] : ids_) {
      if (type == "cls") continue;  // convert_hf_to_gguf.py has no key for it
      keys.number(key(type), id);
    }
    for (const auto& [type, flag] : adds_) {
      if (type == "bos" || type == "eos" || type == "sep")
        keys.flag(fmt::format("tokenizer.ggml.add_{}_token", type), flag);
    }
  }

 private:
  static constexpr std::array<std::string_view, 7> kTypes = {"bos", "eos", "unk", "sep", "pad", "cls", "mask"};

  static std::string key(const std::string& type) {
    const std::string name = type == "unk" ? "unknown" : type == "sep" ? "seperator" : type == "pad" ? "padding" : type;
    return fmt::format("tokenizer.ggml.{}_token_id", name);
  }

  template <class T>
  static void keep(std::vector<std::pair<std::string, T>>& list, const std::string& type, T value, bool replace) {
    for (auto& [known, old] : list) {
      if (known != type) continue;
      if (replace) old = value;
      return;
    }
    list.emplace_back(type, value);
  }

  // The text of a token in tokenizer_config.json.
  std::string named(const std::string& type) const {
    for (const auto& [key, value] : settings_) {
      if (key == type + "_token") return value.is_string() ? value.string() : value["content"].string();
    }
    return {};
  }

  Result<bool> processor(const json::Value& step) {
    const std::string& type = step["type"].string();
    if (step.is_null()) return true;
    if (type == "Sequence") {
      for (const json::Value& one : step["processors"].array()) SY_CHECK(processor(one));
      return true;
    }
    if (type == "ByteLevel") {
      keep(adds_, "bos", false, false);
      keep(adds_, "eos", false, false);
      return true;
    }
    if (type != "TemplateProcessing")
      return no(
          fmt::format("the post_processor {} isn't supported; expected ByteLevel, TemplateProcessing or a "
                      "Sequence of these",
                      text::display(type, 40)));
    const json::Array& single = step["single"].array();
    const json::Array& pair = step["pair"].array();
    const auto special = [](const json::Value& part) { return part["SpecialToken"]["id"].string(); };
    if (single.size() < 2) return true;
    const std::string begin = special(single.front());
    if (begin.empty() || begin != named("bos") || single.size() != 2 || !special(single.back()).empty())
      return no("its TemplateProcessing isn't supported; expected a text, with bos_token before it or with nothing");
    keep(adds_, "bos", true, true);
    if (pair.empty()) return true;
    // bos A bos B, or bos A B.
    const bool plain = pair.size() == 3 && special(pair[0]) == begin;
    const bool twice = pair.size() == 4 && special(pair[0]) == begin && special(pair[2]) == begin;
    if (!plain && !twice) return no("its TemplateProcessing of pairs isn't supported");
    if (!twice) return true;
    // What stands between two texts separates them only if it is called so.
    const bool separates = begin == named("sep") || begin == named("eos");
    keep(adds_, "sep", separates, true);
    if (separates && named("sep").empty()) settings_.emplace_back("sep_token", begin);
    return true;
  }

  void from_settings(const std::string& type) {
    for (const auto& [key, value] : settings_) {
      if (key == "add_" + type + "_token" && value.is_bool()) keep(adds_, type, value.boolean(), false);
    }
    const std::string text = named(type);
    if (text.empty()) return;
    for (const json::Value& one : files_.tokenizer["added_tokens"].array()) {
      if (one["content"].string() != text) continue;
      if (const auto id = one["id"].unsigned_integer()) keep(ids_, type, static_cast<u32>(*id), false);
      return;
    }
  }

  Result<bool> id_of(const std::string& type, i64 id) {
    if (id < 0 || id > INT32_MAX)
      return fail(ErrorCode::usage, fmt::format("config.json: {}_token_id is {}", type, id));
    keep(ids_, type, static_cast<u32>(id), false);
    return true;
  }

  const TokenizerFiles& files_;
  json::Object settings_;
  std::vector<std::pair<std::string, u32>> ids_;
  std::vector<std::pair<std::string, bool>> adds_;
};

}  // namespace

Result<bool> put_tokenizer(GgufKeys& keys, const TokenizerFiles& files, const Hyperparameters& of) {
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
  Special special(files);
  SY_CHECK(special.read());
  if (llama && of.vocabulary == kWithoutBegin) special.without_begin();
  special.put(keys);
  if (!files.settings) return true;
  const json::Value& chat = (*files.settings)["chat_template"];
  if (chat.is_array()) return fail(ErrorCode::usage, "tokenizer_config.json: several chat templates aren't supported");
  if (chat.is_string()) {
    keys.text("tokenizer.chat_template", chat.string());
  } else if (files.chat_template) {
    keys.text("tokenizer.chat_template", *files.chat_template);
  }
  return true;
}

}  // namespace steelyard::quantize
