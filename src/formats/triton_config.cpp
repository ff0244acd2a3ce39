// config.pbtxt of Triton: which backend runs a model, and the files it takes for that.
//
// Spec: model_config.proto of Triton, protobuf's text format. Names in it become parts of paths below the server's
// folders of backends, agents and models. Attack resisted: names that lead out of them, to a library or an
// environment that somebody put there. Read as keys and texts, whatever the nesting. Tested by
// data/rules/CFG/CFG007.toml; fuzzed.

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "formats/detail/references.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kLargest = u64{1} << 20;

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

void judge(std::string_view key, std::string_view value, Range at, Reporter& report) {
  static constexpr std::array<std::string_view, 4> kNames = {"backend", "runtime", "default_model_filename",
                                                             "platform"};
  const PathKind kind = path_kind(value);
  const auto data = [&] {
    return json::Value().set("field", text::display(key, 80)).set("target", text::display(value, 256));
  };
  // Paths of the machine that somebody serves on are common among parameters; names of tensors begin with a slash.
  const bool out = kind == PathKind::upward || kind == PathKind::share;
  if (out || (kind == PathKind::absolute && std::ranges::find(kNames, key) != kNames.end())) {
    report.add("CFG007", at, data());
  } else if (kind == PathKind::absolute && key != "name") {
    report.add("CFG009", at, data());
  } else if (kind == PathKind::insecure_url) {
    report.add("CFG017", at, data());
  }
}

void parse(Item& item) {
  const std::string text = checked_text(item, kLargest);
  std::string_view key;
  std::string_view named;  // by the key "key": the value follows as string_value
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '"' || c == '\'') {
      const std::size_t begin = ++at;
      while (at < text.size() && text[at] != c && text[at] != '\n') at += text[at] == '\\' ? 2U : 1U;
      const std::size_t end = std::min(at, text.size());
      const std::string_view value = std::string_view(text).substr(begin, end - begin);
      if (key == "key") {
        named = value;
      } else {
        judge(key == "string_value" && !named.empty() ? named : key, value, {begin, end}, item.report());
        named = {};
      }
      at = end + 1;
    } else if (letter(c)) {
      const std::size_t begin = at;
      while (at < text.size() && letter(text[at])) ++at;
      key = std::string_view(text).substr(begin, at - begin);
    } else {
      ++at;
    }
  }
}

int sniff(const Sniff& sniff) {
  return text::lower(sniff.name) == "config.pbtxt" && looks_like_text(as_text(sniff.head)) ? 44 : 0;
}

}  // namespace

extern const Format triton_config_format;
const Format triton_config_format{"triton_config", "configuration of Triton",
                                  "config.pbtxt",  "model_config.proto; protobuf text format",
                                  sniff,           parse};

}  // namespace steelyard::formats
