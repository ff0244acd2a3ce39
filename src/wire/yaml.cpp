#include "wire/yaml.hpp"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace steelyard::wire {
namespace {

// Tags that stand for what a value without a tag may be anyway.
constexpr std::string_view kCore = "tag:yaml.org,2002:";
constexpr std::array<std::string_view, 8> kCoreNames = {"str", "int", "float", "bool", "null", "map", "seq", "set"};

std::string foreign_tag(const yaml_char_t* raw) {
  if (raw == nullptr) return {};
  const std::string tag(reinterpret_cast<const char*>(raw));
  const bool core = tag == "!" || (tag.starts_with(kCore) &&
                                   std::ranges::find(kCoreNames, tag.substr(kCore.size())) != kCoreNames.end());
  return core ? std::string() : tag;
}

}  // namespace

struct YamlPull::State {
  explicit State(const Source& from, u64 begin, u64 end) : source(from), offset(begin), limit(end) {
    usable = yaml_parser_initialize(&parser) == 1;
    if (!usable) return;
    yaml_parser_set_input(&parser, read, this);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
  }
  ~State() {
    if (usable) yaml_parser_delete(&parser);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  static int read(void* self, unsigned char* buffer, std::size_t size, std::size_t* done) {
    auto& state = *static_cast<State*>(self);
    const u64 left = state.limit - state.offset;
    *done = state.source.read(
        state.offset, std::as_writable_bytes(std::span(buffer, static_cast<std::size_t>(std::min<u64>(size, left)))));
    state.offset += *done;
    return 1;
  }

  // libyaml counts characters. Only asked for places in rising order.
  u64 byte_of(u64 character) {
    std::array<std::byte, 4096> window;
    while (walked_characters < character && walked < limit) {
      const std::size_t count =
          source.read(walked, std::span(window).first(std::min<u64>(window.size(), limit - walked)));
      if (count == 0) break;
      for (std::size_t i = 0; i < count; ++i) {
        const bool starts = (std::to_integer<u8>(window[i]) & 0xC0) != 0x80;
        if (starts && walked_characters == character) break;
        walked_characters += starts ? 1 : 0;
        ++walked;
      }
    }
    while (walked < limit && source.read(walked, std::span(window).first(1)) == 1 &&
           (std::to_integer<u8>(window[0]) & 0xC0) == 0x80)
      ++walked;
    return walked;
  }

  const Source& source;
  u64 offset;
  u64 limit;
  u64 walked = offset;
  u64 walked_characters = 0;
  yaml_parser_t parser{};
  bool usable = false;
  bool ended = false;
  struct Open {
    bool mapping;
    bool key_next;
    std::string anchor;
    u64 values = 1;  // inside it, aliases unfolded
  };
  std::vector<Open> open;
  std::map<std::string, u64> sizes;  // of collections, by anchor
  std::optional<Token> queued;       // a collection where a key should be: "?" comes first
  std::map<std::string, std::string> anchors;
};

YamlPull::YamlPull(const Source& source, u64 begin, u64 end)
    : state_(std::make_unique<State>(source, begin, std::min(end, begin + kLargest))), begin_(begin) {
  if (!state_->usable) fault_ = "no memory";
}

YamlPull::~YamlPull() = default;

YamlPull::Token YamlPull::refuse(std::string why) {
  if (fault_.empty()) fault_ = std::move(why);
  return Token::fault;
}

void YamlPull::count(u64 values) {
  unfolds_ = unfolds_ || values > kLargest;
  if (state_->open.empty()) return;
  u64& sum = state_->open.back().values;
  sum = std::min(sum + values, kLargest + 1);
}

// A value ends the pair that its key began.
YamlPull::Token YamlPull::scalar_or_key(Token otherwise) {
  if (state_->open.empty() || !state_->open.back().mapping) return otherwise;
  bool& key_next = state_->open.back().key_next;
  key_next = !key_next;
  return key_next ? otherwise : Token::key;
}

YamlPull::Token YamlPull::next() {
  if (!fault_.empty()) return Token::fault;
  if (state_->queued) return *std::exchange(state_->queued, std::nullopt);
  while (!state_->ended) {
    yaml_event_t event;
    if (yaml_parser_parse(&state_->parser, &event) == 0) {
      const char* problem = state_->parser.problem;
      return refuse(fmt::format("line {}: {}", state_->parser.problem_mark.line + 1,
                                problem != nullptr ? problem : "it can't be read"));
    }
    const std::unique_ptr<yaml_event_t, void (*)(yaml_event_t*)> owner(&event, yaml_event_delete);
    begin_ = state_->byte_of(event.start_mark.index);
    content_.clear();
    tag_.clear();
    plain_ = false;
    const auto collection = [&](bool mapping, const yaml_char_t* anchor) {
      if (anchor != nullptr) state_->anchors.erase(reinterpret_cast<const char*>(anchor));
      const Token kind = mapping ? Token::object : Token::array;
      const bool as_key = scalar_or_key(Token::text) == Token::key;
      if (state_->open.size() >= kDeepest) return refuse(fmt::format("nested deeper than {} levels", kDeepest));
      state_->open.push_back(
          {mapping, true, anchor != nullptr ? reinterpret_cast<const char*>(anchor) : std::string(), 1});
      if (!as_key) return kind;
      content_ = "?";
      state_->queued = kind;
      return Token::key;
    };
    switch (event.type) {
      case YAML_STREAM_END_EVENT:
        state_->ended = true;
        break;
      case YAML_MAPPING_START_EVENT:
        tag_ = foreign_tag(event.data.mapping_start.tag);
        return collection(true, event.data.mapping_start.anchor);
      case YAML_SEQUENCE_START_EVENT:
        tag_ = foreign_tag(event.data.sequence_start.tag);
        return collection(false, event.data.sequence_start.anchor);
      case YAML_MAPPING_END_EVENT:
      case YAML_SEQUENCE_END_EVENT: {
        const State::Open closed = std::move(state_->open.back());
        state_->open.pop_back();
        if (!closed.anchor.empty() && state_->sizes.size() < kMostAnchors) state_->sizes[closed.anchor] = closed.values;
        count(closed.values);
        return event.type == YAML_MAPPING_END_EVENT ? Token::end_object : Token::end_array;
      }
      case YAML_SCALAR_EVENT: {
        const auto& scalar = event.data.scalar;
        count(1);
        content_.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
        tag_ = foreign_tag(scalar.tag);
        plain_ = scalar.style == YAML_PLAIN_SCALAR_STYLE && scalar.tag == nullptr;
        constexpr std::size_t kLongestAnchored = 4096;
        if (scalar.anchor != nullptr && content_.size() <= kLongestAnchored && state_->anchors.size() < kMostAnchors)
          state_->anchors[reinterpret_cast<const char*>(scalar.anchor)] = content_;
        return scalar_or_key(Token::text);
      }
      case YAML_ALIAS_EVENT: {
        content_ = reinterpret_cast<const char*>(event.data.alias.anchor);
        const bool within = std::ranges::find(state_->open, content_, &State::Open::anchor) != state_->open.end();
        const auto size = state_->sizes.find(content_);
        count(within ? kLargest + 1 : size == state_->sizes.end() ? 1 : size->second);
        const auto known = state_->anchors.find(content_);
        if (known == state_->anchors.end()) return scalar_or_key(Token::alias);
        content_ = known->second;
        plain_ = true;
        return scalar_or_key(Token::text);
      }
      default:
        break;
    }
  }
  return Token::end;
}

}  // namespace steelyard::wire
