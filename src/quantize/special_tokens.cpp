#include "quantize/special_tokens.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace steelyard::quantize {
namespace {

constexpr std::array<std::string_view, 7> kTypes = {"bos", "eos", "unk", "sep", "pad", "cls", "mask"};

std::unexpected<Error> no(std::string why) { return fail(ErrorCode::usage, "tokenizer.json: " + std::move(why)); }

std::string key(const std::string& type) {
  const std::string name = type == "unk" ? "unknown" : type == "sep" ? "seperator" : type == "pad" ? "padding" : type;
  return fmt::format("tokenizer.ggml.{}_token_id", name);
}

template <class T>
void keep(std::vector<std::pair<std::string, T>>& list, const std::string& type, T value, bool replace) {
  for (auto& [known, old] : list) {
    if (known != type) continue;
    if (replace) old = value;
    return;
  }
  list.emplace_back(type, value);
}

// The special token that a part of a template is; empty: it is a text.
std::string special(const json::Value& part) { return part["SpecialToken"]["id"].string(); }

}  // namespace

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

SpecialTokens::SpecialTokens(const TokenizerFiles& files, std::optional<u64> limit) : files_(files), limit_(limit) {
  if (files.settings) settings_ = files.settings->object();
}

Result<bool> SpecialTokens::read() {
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

void SpecialTokens::without_begin() { keep(adds_, "bos", false, true); }

Result<bool> SpecialTokens::put(GgufKeys& keys) const {
  for (const auto& [type, id] : ids_) {
    if (type == "cls") continue;  // convert_hf_to_gguf.py has no key for it
    keys.number(key(type), id);
  }
  for (const auto& [type, flag] : adds_) {
    if (type == "bos" || type == "eos" || type == "sep")
      keys.flag(fmt::format("tokenizer.ggml.add_{}_token", type), flag);
  }
  return put_chat_template(keys);
}

Result<bool> SpecialTokens::put_chat_template(GgufKeys& keys) const {
  if (!files_.settings) return true;
  const json::Value& chat = (*files_.settings)["chat_template"];
  if (chat.is_array()) return fail(ErrorCode::usage, "tokenizer_config.json: several chat templates aren't supported");
  if (chat.is_string()) {
    keys.text("tokenizer.chat_template", chat.string());
  } else if (files_.chat_template) {
    keys.text("tokenizer.chat_template", *files_.chat_template);
  }
  return true;
}

// The text of a token in tokenizer_config.json.
std::string SpecialTokens::named(const std::string& type) const {
  for (const auto& [key, value] : settings_) {
    if (key == type + "_token") return value.is_string() ? value.string() : value["content"].string();
  }
  return {};
}

Result<bool> SpecialTokens::processor(const json::Value& step) {
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
  if (single.size() < 2) return true;
  const std::string begin = special(single.front());
  if (begin.empty() || begin != named("bos") || single.size() != 2 || !special(single.back()).empty())
    return no("its TemplateProcessing isn't supported; expected a text, with bos_token before it or with nothing");
  keep(adds_, "bos", true, true);
  return pair(step["pair"].array(), begin);
}

// bos A bos B, or bos A B.
Result<bool> SpecialTokens::pair(const json::Array& parts, const std::string& begin) {
  if (parts.empty()) return true;
  const bool plain = parts.size() == 3 && special(parts[0]) == begin;
  const bool twice = parts.size() == 4 && special(parts[0]) == begin && special(parts[2]) == begin;
  if (!plain && !twice) return no("its TemplateProcessing of pairs isn't supported");
  if (!twice) return true;
  // What stands between two texts separates them only if it is called so.
  const bool separates = begin == named("sep") || begin == named("eos");
  keep(adds_, "sep", separates, true);
  if (separates && named("sep").empty()) settings_.emplace_back("sep_token", begin);
  return true;
}

void SpecialTokens::from_settings(const std::string& type) {
  for (const auto& [key, value] : settings_) {
    if (key == "add_" + type + "_token" && value.is_bool()) keep(adds_, type, value.boolean(), false);
  }
  const std::string text = named(type);
  if (text.empty()) return;
  for (const json::Value& one : files_.tokenizer["added_tokens"].array()) {
    if (one["content"].string() != text) continue;
    const auto id = one["id"].unsigned_integer();
    if (id && (!limit_ || *id < *limit_)) keep(ids_, type, static_cast<u32>(*id), false);
    return;
  }
}

Result<bool> SpecialTokens::id_of(const std::string& type, i64 id) {
  if (id < 0 || id > INT32_MAX) return fail(ErrorCode::usage, fmt::format("config.json: {}_token_id is {}", type, id));
  if (!limit_ || static_cast<u64>(id) < *limit_) keep(ids_, type, static_cast<u32>(id), false);
  return true;
}

}  // namespace steelyard::quantize
