#include "formats/detail/document.hpp"

#include <algorithm>
#include <functional>

#include "base/text.hpp"
#include "wire/json_pull.hpp"
#include "wire/yaml.hpp"

namespace steelyard::formats {
namespace {

constexpr std::size_t kMostNodes = 20'000;  // of all kept values together
constexpr std::size_t kMostText = std::size_t{2} << 20;
constexpr std::size_t kMostFields = 2048;
constexpr std::size_t kMostTop = 64;
constexpr std::size_t kMostDuplicates = 16;
constexpr std::size_t kMostKeys = 2'000'000;  // of one object, of which equal ones are looked for
constexpr std::size_t kFew = 128;             // keys of an object that are compared one by one
constexpr std::size_t kLongestKey = 256;

enum class Kind { object, end_object, array, end_array, key, text, number, yes, no, null, end, fault };

// The two readers behind one face.
class JsonSide {
 public:
  explicit JsonSide(const Source& source) : in_(source), pull_(in_, wire::JsonPull::Dialect::python) {}
  Kind next() {
    switch (pull_.next()) {
      using enum wire::JsonPull::Token;
      case object:
        return Kind::object;
      case end_object:
        return Kind::end_object;
      case array:
        return Kind::array;
      case end_array:
        return Kind::end_array;
      case key:
        return Kind::key;
      case text:
        return Kind::text;
      case number:
        return Kind::number;
      case yes:
        return Kind::yes;
      case no:
        return Kind::no;
      case null:
        return Kind::null;
      case end:
        return Kind::end;
      case fault:
        break;
    }
    return Kind::fault;
  }
  const std::string& content() const { return pull_.content(); }
  std::string tag() const { return {}; }
  bool unfolds() const { return false; }
  u64 begin() const { return pull_.offset(); }
  u64 end() const { return in_.offset(); }
  std::string fault() const { return in_.fault() ? to_string(*in_.fault()) : std::string(); }
  json::Value number() const {
    const auto value = pull_.unsigned_integer();
    return value ? json::Value(*value) : json::Value(content());
  }

 private:
  Cursor in_;
  wire::JsonPull pull_;
};

class YamlSide {
 public:
  YamlSide(const Source& source, u64 begin, u64 end) : pull_(source, begin, end) {}
  Kind next() {
    const auto token = pull_.next();
    switch (token) {
      using enum wire::YamlPull::Token;
      case object:
        return Kind::object;
      case end_object:
        return Kind::end_object;
      case array:
        return Kind::array;
      case end_array:
        return Kind::end_array;
      case key:
        return Kind::key;
      case alias:
        return Kind::null;
      case text:
        return plain();
      case end:
        return Kind::end;
      case fault:
        break;
    }
    return Kind::fault;
  }
  const std::string& content() const { return pull_.content(); }
  std::string tag() const { return pull_.tag(); }
  bool unfolds() const { return pull_.unfolds(); }
  u64 begin() const { return pull_.offset(); }
  u64 end() const { return pull_.offset(); }
  std::string fault() const { return pull_.fault(); }
  json::Value number() const { return content(); }

 private:
  Kind plain() const {
    if (!pull_.plain()) return Kind::text;
    const std::string word = text::lower(content());
    if (word == "true" || word == "yes" || word == "on") return Kind::yes;
    if (word == "false" || word == "no" || word == "off") return Kind::no;
    return word.empty() || word == "null" || word == "~" ? Kind::null : Kind::text;
  }

  wire::YamlPull pull_;
};

class Walk {
 public:
  explicit Walk(const DocumentReader& reader) : reader_(reader) {}

  template <class Side>
  Document run(Side side) {
    for (Kind kind = side.next(); kind != Kind::end; kind = side.next()) {
      if (kind == Kind::fault) {
        out_.fault = side.fault();
        break;
      }
      out_.read = side.end();
      if (const std::string tag = side.tag(); !tag.empty() && out_.tags.size() < kMostDuplicates)
        out_.tags.emplace_back(tag, Range{side.begin(), side.end()});
      step(kind, side);
    }
    out_.unfolds = side.unfolds();
    return std::move(out_);
  }

 private:
  struct Frame {
    bool object = false;
    bool keep = false;  // its values are kept, because it or one around it is wanted
    bool wanted = false;
    u64 begin = 0;
    std::string key;     // the key that its value stands behind, for members
    std::string member;  // the last key read in it
    json::Value value;
    std::vector<u64> keys;  // digests, to find equal ones
  };

  bool room(std::size_t bytes) {
    if (nodes_ < kMostNodes && bytes <= kMostText - text_) {
      ++nodes_;
      text_ += bytes;
      return true;
    }
    out_.cut = true;
    return false;
  }

  std::string path(std::string_view key) const {
    std::string joined;
    for (const Frame& frame : frames_) {
      if (!frame.key.empty() && joined.size() < kLongestKey) joined += frame.key + ".";
    }
    return text::prefix(joined + std::string(key), kLongestKey);
  }

  void field(std::string_view key, json::Value value, Range at) {
    if (out_.fields.size() >= kMostFields) {
      out_.cut = true;
      return;
    }
    const std::string parent = frames_.empty() ? std::string() : nearest_key();
    out_.fields.push_back({path(key), std::string(key), parent, std::move(value), at});
  }

  std::string nearest_key() const {
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
      if (!frame->key.empty()) return frame->key;
    }
    return {};
  }

  template <class Side>
  void step(Kind kind, Side& side) {
    const Range at{side.begin(), std::max(side.begin(), side.end())};
    switch (kind) {
      case Kind::key:
        begin_member(side.content(), at);
        return;
      case Kind::object:
      case Kind::array: {
        const std::string key = frames_.empty() || !frames_.back().object ? std::string() : frames_.back().member;
        const bool wanted = !key.empty() && reader_.wanted(key);
        const bool keep = wanted || (!frames_.empty() && frames_.back().keep);
        if (frames_.empty() && kind == Kind::object) out_.object = true;
        frames_.push_back({kind == Kind::object, keep && room(0), wanted, at.begin, key, {}, {}, {}});
        if (kind == Kind::array) {
          frames_.back().value = json::Array{};
        } else {
          frames_.back().value = json::Object{};
        }
        return;
      }
      case Kind::end_object:
      case Kind::end_array: {
        equal_keys(frames_.back(), at);
        Frame closed = std::move(frames_.back());
        frames_.pop_back();
        if (closed.wanted) field(closed.key, closed.value, {closed.begin, at.end});
        if (!frames_.empty() && frames_.back().keep && closed.keep) put(std::move(closed.value));
        return;
      }
      default:
        break;
    }
    if (kind == Kind::text && reader_.text) reader_.text(member(), side.content(), at);
    const bool wanted = !frames_.empty() && frames_.back().object && reader_.wanted(frames_.back().member);
    const bool keep = !frames_.empty() && frames_.back().keep;
    if (!wanted && !keep) return;
    if (!room(side.content().size())) return;
    json::Value value = kind == Kind::text     ? json::Value(whole(side.content()))
                        : kind == Kind::number ? side.number()
                        : kind == Kind::yes    ? json::Value(true)
                        : kind == Kind::no     ? json::Value(false)
                                               : json::Value();
    if (wanted) field(frames_.back().member, value, at);
    if (keep) put(std::move(value));
  }

  // A text that was cut may end within a character.
  static std::string_view whole(std::string_view text) {
    for (int i = 0; i < 4 && !text::valid_utf8(text); ++i) text.remove_suffix(1);
    return text;
  }

  std::string_view member() const {
    return frames_.empty() ? std::string_view() : std::string_view(frames_.back().member);
  }

  void begin_member(const std::string& key, Range at) {
    Frame& frame = frames_.back();
    if (reader_.text) reader_.text(key, key, at);
    frame.member = text::prefix(key, kLongestKey);
    if (frames_.size() == 1 && out_.top.size() < kMostTop) out_.top.push_back(frame.member);
    if (frame.keys.size() < kMostKeys) {
      frame.keys.push_back(std::hash<std::string>{}(key));
    } else {
      out_.cut = true;
    }
    // Few keys: say at once which one stands twice. Many: only that one does.
    if (frame.keys.size() <= kFew && std::ranges::count(frame.keys, frame.keys.back()) > 1) duplicate(key, at);
  }

  void duplicate(std::string_view key, Range at) {
    if (out_.duplicates.size() < kMostDuplicates) out_.duplicates.emplace_back(text::prefix(key, kLongestKey), at);
  }

  void equal_keys(Frame& frame, Range at) {
    if (frame.keys.size() <= kFew) return;
    std::ranges::sort(frame.keys);
    if (std::ranges::adjacent_find(frame.keys) != frame.keys.end()) duplicate(nearest_key(), {frame.begin, at.end});
  }

  void put(json::Value value) {
    Frame& frame = frames_.back();
    if (frame.object) {
      frame.value.set(frame.member, std::move(value));
    } else {
      frame.value.push(std::move(value));
    }
  }

  const DocumentReader& reader_;
  Document out_;
  std::vector<Frame> frames_;
  std::size_t nodes_ = 0;
  std::size_t text_ = 0;
};

}  // namespace

const Field* Document::find(std::string_view wanted) const {
  const auto found = std::ranges::find(fields, wanted, &Field::path);
  return found == fields.end() ? nullptr : &*found;
}

Document DocumentReader::json(const Source& source) const { return Walk(*this).run(JsonSide(source)); }

Document DocumentReader::yaml(const Source& source, u64 begin, u64 end) const {
  return Walk(*this).run(YamlSide(source, begin, end));
}

}  // namespace steelyard::formats
