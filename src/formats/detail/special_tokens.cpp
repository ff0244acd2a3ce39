#include "formats/detail/special_tokens.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "formats/detail/document.hpp"
#include "formats/detail/template_words.hpp"

namespace steelyard::formats {
namespace {

constexpr std::array<std::string_view, 5> kRoles = {"bos_token", "eos_token", "unk_token", "sep_token", "cls_token"};

// A word that people write, not a name for such a token.
bool ordinary(std::string_view content) {
  static constexpr std::array<std::string_view, 20> kNames = {
      "unk", "pad",  "bos",   "eos",   "mask", "sep",  "cls",   "end",     "start",     "stop",
      "eot", "null", "blank", "space", "sil",  "none", "begin", "unknown", "endoftext", "sos"};
  return content.size() >= 2 && std::ranges::all_of(content, [](char c) { return c >= 'a' && c <= 'z'; }) &&
         std::ranges::find(kNames, content) == kNames.end();
}

// Whether the token holds words besides a marker of a turn. The name of the role alone may belong to the marker.
bool speaks(std::string_view role, std::string_view content) {
  static constexpr std::array<std::string_view, 12> kTurns = {
      "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<start_of_turn>", "<end_of_turn>", "[INST]",
      "[/INST]",      "<<SYS>>",    "<|system|>",          "<|user|>",        "<|assistant|>", "<|eot_id|>"};
  std::string rest(content);
  bool turn = false;
  for (const std::string_view marker : kTurns) {
    for (std::size_t at = rest.find(marker); at != std::string::npos; at = rest.find(marker)) {
      rest.replace(at, marker.size(), " ");
      turn = true;
    }
  }
  if (!turn) return false;
  const bool letters = std::ranges::any_of(rest, [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; });
  return !role.empty() ? letters : chat::phrase(rest) >= 3;
}

}  // namespace

void judge_special_token(std::string_view role, std::string_view content, Range at, Reporter& report) {
  const auto data = [&] {
    return json::Value().set("role", role.empty() ? "an added token" : role).set("token", text::display(content, 120));
  };
  if (!role.empty() && ordinary(content)) report.add("TOK008", at, data());
  if (speaks(role, content)) report.add("TOK009", at, data());
}

void TokenNumbers::add(u64 id, std::string_view token) {
  if (tokens_.size() < kMost) tokens_.emplace(id, text::display(token, 40));
}

void TokenNumbers::report(Reporter& report) const {
  json::Value all = json::Object{};
  for (const auto& [id, token] : tokens_) all.set(fmt::format("{}", id), token);
  if (!tokens_.empty()) report.fact("tokenizer.numbers", std::move(all), std::nullopt, Assurance::verified);
}

void special_tokens(Item& item) {
  const std::string name = text::lower(item.name());
  const bool added = name == "added_tokens.json";
  if (!added && name != "tokenizer_config.json" && name != "special_tokens_map.json") return;
  // Other members of added_tokens.json don't exist.
  const Document document =
      DocumentReader{.wanted = [added](std::string_view key) {
        return added || key == "added_tokens_decoder" || std::ranges::find(kRoles, key) != kRoles.end();
      }}.json(item.source());
  TokenNumbers numbers;
  // A word that is added where the vocabulary has another; markers take the place of reserved tokens.
  const auto number = [&](std::optional<u64> id, std::string_view token) {
    if (id && !chat::is_marker(token)) numbers.add(*id, token);
  };
  for (const Field& field : document.fields) {
    if (added) {
      number(field.value.unsigned_integer(), field.key);
      judge_special_token({}, field.key, field.at, item.report());
    } else if (field.key == "added_tokens_decoder") {
      for (const auto& [key, token] : field.value.object()) {
        u64 id = 0;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
        const std::string& content = token["content"].string();
        if (error == std::errc{}) number(id, content);
        judge_special_token({}, content, field.at, item.report());
      }
    } else if (field.path == field.key) {
      const std::string& content = field.value.is_string() ? field.value.string() : field.value["content"].string();
      judge_special_token(field.key, content, field.at, item.report());
    }
  }
  numbers.report(item.report());
}

}  // namespace steelyard::formats
