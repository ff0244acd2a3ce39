// GGUF, versions 1 to 3, both byte orders. Spec: docs/gguf.md of ggml; behaviour of llama.cpp's gguf.cpp
// and of the Python package gguf.
//
// Attacks resisted: counts and dimensions that overflow (CVE-2025-53630, CVE-2026-27940,
// CVE-2026-33298), tensors outside the file (CVE-2026-7482), unaligned or overlapping tensors, keys
// that two readers resolve differently, payloads in holes and tails, hidden characters in metadata.
// Memory stays constant in the size of the file: token texts are walked, never kept.
// Tested by tests/unit/gguf_test.cpp, data/rules/GGF/, tests/oracle/formats_test.py; fuzzed.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_set>

#include "base/checked.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "formats/detail/chat_template.hpp"
#include "formats/detail/ggml_types.hpp"
#include "formats/detail/gguf_hyperparameters.hpp"
#include "formats/detail/gguf_memory.hpp"
#include "formats/detail/gguf_vocabulary.hpp"
#include "formats/detail/layout.hpp"
#include "formats/detail/metadata_text.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kMostEntries = 1'000'000;   // keys, tensors
constexpr u64 kMostStrings = 16'000'000;  // elements of string arrays, all together
constexpr std::size_t kKept = 4096;       // bytes of a text that a fact keeps
constexpr std::size_t kMostKey = 65'535;  // of a key or tensor name
constexpr u64 kLongestTensorName = 64;    // GGML_MAX_NAME, terminator included
constexpr u64 kMostTemplates = 16;
constexpr u32 kMostDimensions = 4;
constexpr u64 kDefaultAlignment = 32;
constexpr u64 kLargestAlignment = u64{1} << 20;

enum class Type : u32 { u8_, i8_, u16_, i16_, u32_, i32_, f32_, boolean, string, array, u64_, i64_, f64_ };
constexpr std::array<u32, 13> kSizes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

// A value as far as it is kept: scalars and texts whole (texts up to kKept), arrays as their length.
struct Value {
  Type type = Type::u8_;
  std::string text;
  u64 length = 0;      // of a text in bytes, of an array in elements
  std::string sha256;  // of a text
  u64 number = 0;      // of an unsigned or non-negative integer, or a flag
  bool numeric = false;
  std::optional<double> real;      // of a floating-point number
  std::vector<std::string> texts;  // the first of a short array of texts
  Range at;
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kTextFacts = {{
    {"general.architecture", "model.architecture"},
    {"general.name", "model.name"},
    {"general.organization", "identity.maker"},
    {"general.author", "identity.author"},
    {"general.quantized_by", "identity.quantizer"},
    {"general.license", "identity.licence"},
    {"general.license.name", "identity.licence_name"},
    {"general.license.link", "identity.licence_link"},
    {"general.size_label", "identity.size_label"},
    {"general.source.url", "identity.source"},
    {"general.version", "identity.version"},
    {"general.type", "model.type"},
    {"tokenizer.ggml.model", "tokenizer.kind"},
    {"general.repo_url", "identity.repository"},
}};

class Parser {
 public:
  explicit Parser(Item& item)
      : item_(item), source_(item.source()), in_(source_), report_(item.report()), coverage_(item.coverage()) {}

  void run() {
    header();
    if (in_.ok()) metadata();
    if (in_.ok()) tensors();
    if (in_.ok()) {
      data();
    } else {
      const Fault& fault = *in_.fault();
      report_.add("GGF001", Range{fault.offset, std::min(source_.size(), fault.offset)},
                  json::Value().set("fault", to_string(fault)));
      coverage_.examined = std::min(fault.offset, source_.size());
      coverage_.gaps.push_back({{coverage_.examined, source_.size()}, "the structure before it is broken"});
    }
    facts();
  }

 private:
  u64 size(std::string_view field) { return version_ == 1 ? in_.read<u32>(field) : in_.read<u64>(field); }

  void header() {
    in_.skip(4, "magic");
    version_ = in_.read<u32>("version");
    if ((version_ & 0xFFFF) == 0 && version_ != 0) {
      in_.set_order(std::endian::big);
      vocabulary_.order = std::endian::big;
      version_ = std::byteswap(version_);
      report_.fact("model.byte_order", "big-endian", Range{4, 8}, Assurance::verified);
    }
    if (in_.ok() && (version_ < 1 || version_ > 3)) {
      report_.add("GGF002", Range{4, 8}, json::Value().set("version", version_));
      in_.fail("version", fmt::format("{} is not 1, 2 or 3", version_));
      return;
    }
    tensor_count_ = size("tensor count");
    const u64 at = in_.offset();
    key_count_ = size("key count");
    // The smallest key takes a length, a type and a byte; the smallest tensor a length and 4 numbers.
    check_count("keys", key_count_, version_ == 1 ? 9 : 13, at);
    check_count("tensors", tensor_count_, version_ == 1 ? 20 : 24, at);
  }

  void check_count(std::string_view what, u64 count, u64 least, u64 at) {
    if (!in_.ok()) return;
    const auto needed = checked_mul(count, least);
    if (needed && *needed <= in_.remaining() && count <= kMostEntries) return;
    report_.add("GGF003", Range{8, at}, json::Value().set("what", what).set("count", count));
    in_.fail(fmt::format("number of {}", what),
             fmt::format("{} can't be: {} bytes are left, at most {} are read", count, in_.remaining(), kMostEntries));
  }

  // A text of any length: kept up to `most` bytes, hashed whole when asked.
  std::string text(u64& length, std::string* digest, std::string_view field, std::size_t most = kKept) {
    length = size(field);
    if (!in_.ok() || length > in_.remaining()) {
      in_.skip(length, field);
      return {};
    }
    std::string kept = in_.text(std::min<u64>(length, most), most, field);
    if (digest == nullptr) {
      in_.skip(length - kept.size(), field);
      return kept;
    }
    Sha256 hash;
    hash.update(as_bytes(kept));
    for (u64 left = length - kept.size(); left > 0 && in_.ok();) {
      const Bytes part = in_.peek(static_cast<std::size_t>(std::min<u64>(left, SIZE_MAX)));
      if (part.empty()) {
        in_.fail(field, "the bytes could not be read");
        break;
      }
      hash.update(part);
      left -= part.size();
      in_.skip(part.size(), field);
    }
    *digest = hash.finish();
    return kept;
  }

  // A text that was cut may end within a character.
  void check_encoding(std::string_view kept, u64 length, std::string_view where, Range at) {
    for (std::size_t cut = 0; cut <= (kept.size() < length ? 3 : 0) && cut <= kept.size(); ++cut) {
      if (text::valid_utf8(kept.substr(0, kept.size() - cut))) return;
    }
    report_.add("GGF039", at,
                json::Value()
                    .set("where", text::to_value(std::string(where.substr(0, 256))))
                    .set("text", text::to_value(std::string(kept.substr(0, 256)))));
  }

  void metadata() {
    std::unordered_set<std::string> seen;
    for (u64 i = 0; i < key_count_ && in_.ok(); ++i) {
      const u64 begin = in_.offset();
      const std::string field = fmt::format("key {}", i);
      std::string key = in_.text(size(field), kMostKey, field);
      if (!in_.ok()) return;
      if (!seen.insert(key).second)
        report_.add("GGF004", Range{begin, in_.offset()},
                    json::Value().set("key", text::to_value(key.substr(0, kKept))));
      if (key.empty() || text::has_hidden(key))
        report_.add("GGF021", Range{begin, in_.offset()},
                    json::Value().set("where", field).set("text", text::to_value(key.substr(0, 256))));
      check_encoding(key, key.size(), field, {begin, in_.offset()});
      Value value = read_value(key);
      if (!in_.ok()) return;
      value.at = {begin, in_.offset()};
      if (value.type == Type::string) check_encoding(value.text, value.length, key, value.at);
      keep(key, std::move(value));
    }
  }

  Value read_value(const std::string& key) {
    const u64 at = in_.offset();
    const std::string field = fmt::format("value of {}", text::display(key, 64));
    const u32 raw = in_.read<u32>(field + " (type)");
    Value value;
    if (in_.ok() && raw >= kSizes.size()) {
      report_.add("GGF005", Range{at, at + 4},
                  json::Value().set("key", text::to_value(key.substr(0, 256))).set("type", raw));
      in_.fail(field, fmt::format("type {} is not one of 0 to 12", raw));
      return value;
    }
    value.type = static_cast<Type>(raw);
    if (value.type == Type::array) {
      read_array(key, field, value);
    } else if (value.type == Type::string) {
      const bool whole = key.starts_with("tokenizer.chat_template");
      value.text = text(value.length, whole ? &value.sha256 : nullptr, field, whole ? kMostTemplate : kKept);
      if (in_.ok() && !key.starts_with("tokenizer.")) {
        const Range content{in_.offset() - value.length, in_.offset()};
        Cursor again(source_, content.begin, content.end);
        check_metadata(again.text(std::min<u64>(value.length, kMostMetadata), kMostMetadata, field), content,
                       key.substr(0, 256), report_);
      }
    } else {
      read_scalar(key, field, value);
    }
    return value;
  }

  void read_scalar(const std::string& key, const std::string& field, Value& value) {
    const u64 at = in_.offset();
    const auto keep_signed = [&](i64 number) {
      value.numeric = number >= 0;
      value.number = number >= 0 ? static_cast<u64>(number) : 0;
    };
    const auto keep_unsigned = [&](u64 number) {
      value.numeric = true;
      value.number = number;
    };
    switch (value.type) {
      case Type::u8_:
        return keep_unsigned(in_.read<u8>(field));
      case Type::i8_:
        return keep_signed(in_.read<std::int8_t>(field));
      case Type::u16_:
        return keep_unsigned(in_.read<u16>(field));
      case Type::i16_:
        return keep_signed(in_.read<std::int16_t>(field));
      case Type::u32_:
        return keep_unsigned(in_.read<u32>(field));
      case Type::i32_:
        return keep_signed(in_.read<std::int32_t>(field));
      case Type::u64_:
        return keep_unsigned(in_.read<u64>(field));
      case Type::i64_:
        return keep_signed(in_.read<i64>(field));
      case Type::boolean: {
        const u8 flag = in_.read<u8>(field);
        if (flag > 1)
          report_.add("GGF007", Range{at, at + 1},
                      json::Value().set("key", text::to_value(key.substr(0, 256))).set("value", u32{flag}));
        return keep_unsigned(flag);
      }
      case Type::f32_:
        value.real = in_.read<float>(field);
        return;
      case Type::f64_:
        value.real = in_.read<double>(field);
        return;
      default:
        in_.skip(kSizes[static_cast<u32>(value.type)], field);
    }
  }

  void read_array(const std::string& key, const std::string& field, Value& value) {
    const u64 at = in_.offset();
    const u32 raw = in_.read<u32>(field + " (element type)");
    value.length = size(field + " (length)");
    if (!in_.ok()) return;
    if (raw == static_cast<u32>(Type::array)) {
      report_.add("GGF006", Range{at, in_.offset()}, json::Value().set("key", text::to_value(key.substr(0, 256))));
      in_.fail(field, "an array of arrays, which llama.cpp refuses");
    } else if (raw >= kSizes.size()) {
      report_.add("GGF005", Range{at, at + 4},
                  json::Value().set("key", text::to_value(key.substr(0, 256))).set("type", raw));
      in_.fail(field, fmt::format("element type {} is not one of 0 to 12", raw));
    } else if (raw == static_cast<u32>(Type::string)) {
      const u64 least = version_ == 1 ? 4 : 8;
      const auto needed = checked_mul(value.length, least);
      if (!needed || *needed > in_.remaining() || value.length > kMostStrings - strings_) {
        report_.add("GGF003", Range{at, in_.offset()},
                    json::Value().set("what", "array elements").set("count", value.length));
        in_.fail(field, fmt::format("{} texts can't be: {} bytes are left, at most {} are read", value.length,
                                    in_.remaining(), kMostStrings - strings_));
        return;
      }
      strings_ += value.length;
      const u64 begin = in_.offset();
      for (u64 i = 0; i < value.length && in_.ok(); ++i) {
        const u64 length = size(field);
        if (value.texts.size() < 16 && length <= 256) {
          value.texts.push_back(in_.text(length, 256, field));
        } else {
          in_.skip(length, field);
        }
      }
      remember_array(key, raw, value.length, begin);
    } else {
      const u64 begin = in_.offset();
      const auto bytes = checked_mul(value.length, kSizes[raw]);
      in_.skip(bytes.value_or(UINT64_MAX), field);
      remember_array(key, raw, value.length, begin);
      if (const std::string_view what = in_.ok() && kSizes[raw] == 1 ? recognise(source_, begin) : ""; !what.empty())
        report_.add("GGF038", Range{begin, in_.offset()},
                    json::Value().set("key", text::to_value(key.substr(0, 256))).set("what", what));
    }
  }

  void remember_array(const std::string& key, u32 type, u64 length, u64 begin) {
    constexpr std::string_view kPrefix = "tokenizer.ggml.";
    if (in_.ok() && key.starts_with(kPrefix) && vocabulary_.arrays.size() < 64)
      vocabulary_.arrays.emplace(key.substr(kPrefix.size()), GgufArray{type, length, {begin, in_.offset()}});
  }

  void remember_number(const std::string& key, const Value& value) {
    constexpr std::string_view kPrefix = "tokenizer.ggml.";
    constexpr std::string_view kSuffix = "_token_id";
    if (key.starts_with(kPrefix) && key.ends_with(kSuffix) && vocabulary_.ids.size() < 64) {
      // Converters write -1 for a token that the model doesn't have.
      if (value.numeric && value.number != UINT32_MAX)
        vocabulary_.ids.emplace(key.substr(kPrefix.size(), key.size() - kPrefix.size() - kSuffix.size()),
                                std::pair(static_cast<i64>(value.number), value.at));
      return;
    }
    if ((value.numeric || value.real) && model_.numbers.size() < 512)
      model_.numbers.emplace(key, GgufNumber{value.real.value_or(0), value.number, value.numeric, value.at});
  }

  void keep(const std::string& key, Value value) {
    remember_number(key, value);
    if (key == "general.alignment") {
      const bool usable = value.type == Type::u32_ && value.number > 0 && (value.number & (value.number - 1)) == 0 &&
                          value.number <= kLargestAlignment;
      if (!usable) {
        report_.add("GGF019", value.at,
                    json::Value().set("alignment",
                                      value.numeric ? json::Value(value.number) : json::Value("not a 32-bit number")));
        in_.fail("general.alignment", "it is not a power of two, so no reader knows where the tensors are");
      } else {
        alignment_ = value.number;
      }
    }
    if (value.type == Type::string) {
      for (const auto& [name, fact] : kTextFacts) {
        if (name != key) continue;
        add_text(std::string(fact), value);
        if (key == "general.architecture") architecture_ = value.text;
      }
      if (key.starts_with("tokenizer.chat_template")) template_fact(key, value);
      if (key == "general.repo_url") uploader(value);
      if (key.starts_with("general.base_model.")) base_model(key, value);
    }
    if (key == "general.architecture" && value.type != Type::string)
      report_.add("GGF024", value.at, json::Value().set("key", key).set("expected", "a text"));
    if (value.type == Type::array && (key == "general.languages" || key == "general.tags")) {
      json::Value list = json::Array{};
      for (const auto& item : value.texts) list.push(text::to_value(item));
      report_.fact(key == "general.tags" ? "identity.tags" : "identity.languages", std::move(list), value.at,
                   Assurance::claimed);
    }
    if (key == "tokenizer.ggml.tokens" && value.type == Type::array)
      report_.fact("tokenizer.tokens", value.length, value.at, Assurance::verified);
    if (key == "tokenizer.ggml.merges" && value.type == Type::array)
      report_.fact("tokenizer.merges", value.length, value.at, Assurance::verified);
    for (const auto& [name, label] : {std::pair("tokenizer.ggml.bos_token_id", "bos"),
                                      {"tokenizer.ggml.eos_token_id", "eos"},
                                      {"tokenizer.ggml.unknown_token_id", "unk"},
                                      {"tokenizer.ggml.padding_token_id", "pad"}}) {
      if (key == name && value.numeric) special_.set(label, value.number);
    }
    if (key == "general.file_type" && value.numeric) {
      const std::string_view name = file_type_name(value.number);
      report_.fact("model.file_type",
                   name.empty() ? json::Value(fmt::format("unknown ({})", value.number)) : json::Value(name), value.at,
                   Assurance::claimed);
    }
    if (key == "split.no" && value.numeric) later_part_ = value.number > 0;
    if (key == "split.no" && value.numeric) report_.fact("split.index", value.number, value.at, Assurance::claimed);
    if (key == "split.count" && value.numeric) report_.fact("split.count", value.number, value.at, Assurance::claimed);
    if (value.numeric && numbers_.size() < 256 &&
        (key.ends_with(".context_length") || key.ends_with(".block_count") || key.ends_with(".embedding_length")))
      numbers_.emplace(key, value);
  }

  void add_text(std::string fact, const Value& value) {
    if (value.length > kKept)
      report_.add("LIM005", value.at, json::Value().set("fact", fact).set("bytes", value.length));
    report_.fact(std::move(fact), text::to_value(value.text), value.at, Assurance::claimed);
  }

  void template_fact(const std::string& key, const Value& value) {
    constexpr std::string_view kDefault = "tokenizer.chat_template";
    const bool whole = value.text.size() == value.length;
    if (templates_++ >= kMostTemplates || !whole) {
      report_.add("TPL002", value.at,
                  json::Value().set("why", whole ? fmt::format("more than {} templates", kMostTemplates)
                                                 : fmt::format("it has {} bytes", value.length)));
      coverage_.gaps.push_back({value.at, "a chat template that was not examined"});
      return;
    }
    (void)item_.child(MemorySource(as_bytes(value.text)),
                      {key.substr(0, kKept) + ".jinja", Range{value.at.end - value.length, value.at.end}, {}, {}});
    std::string prefix = "template";
    if (key.size() > kDefault.size()) {
      std::string name = text::lower(key.substr(kDefault.size() + 1));
      if (name.empty() || name.size() > 24 ||
          name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos)
        name = fmt::format("other{}", templates_);
      prefix += "." + name;
    }
    report_.fact(prefix + ".sha256", value.sha256, value.at, Assurance::verified);
    report_.fact(prefix + ".bytes", value.length, value.at, Assurance::verified);
  }

  // "https://host/owner/name": whoever holds the repository uploaded the file, by its own claim.
  void uploader(const Value& value) {
    const std::size_t host = value.text.find("://");
    if (host == std::string::npos) return;
    const std::size_t owner = value.text.find('/', host + 3);
    if (owner == std::string::npos) return;
    const std::string name = value.text.substr(owner + 1, value.text.find('/', owner + 1) - owner - 1);
    if (!name.empty()) report_.fact("identity.uploader", text::to_value(name), value.at, Assurance::claimed);
  }

  void base_model(const std::string& key, const Value& value) {
    constexpr std::size_t kPrefix = std::string_view("general.base_model.").size();
    const std::size_t dot = key.find('.', kPrefix);
    if (dot == std::string::npos || (bases_.size() >= 16 && !bases_.contains(key.substr(kPrefix, dot - kPrefix))))
      return;
    const std::string field = key.substr(dot + 1);
    if (field == "name" || field == "organization" || field == "repo_url" || field == "author") {
      auto& [object, at] = bases_[key.substr(kPrefix, dot - kPrefix)];
      object.set(field, text::to_value(value.text));
      at = value.at;
    }
  }

  void tensors() {
    std::unordered_set<std::string> names;
    u64 expected = 0;
    for (u64 i = 0; i < tensor_count_ && in_.ok(); ++i) {
      const u64 begin = in_.offset();
      const std::string field = fmt::format("tensor {}", i);
      const u64 length = size(field + " name");
      std::string name = in_.text(length, kMostKey, field + " name");
      std::array<u64, kMostDimensions> dimensions = {1, 1, 1, 1};
      const u32 count = in_.read<u32>(field + " dimensions");
      if (in_.ok() && (count == 0 || count > kMostDimensions)) {
        report_.add("GGF010", Range{begin, in_.offset()},
                    json::Value()
                        .set("tensor", text::to_value(name.substr(0, 64)))
                        .set("why", fmt::format("{} dimensions", count)));
        if (count > kMostDimensions) in_.fail(field, fmt::format("{} dimensions, at most {}", count, kMostDimensions));
      }
      for (u32 d = 0; d < count && in_.ok(); ++d) dimensions[d] = size(field + " dimension");
      const u32 type = in_.read<u32>(field + " type");
      const u64 offset = in_.read<u64>(field + " offset");
      if (!in_.ok()) return;
      const Range at{begin, in_.offset()};
      if (name == "token_embd.weight") model_.embedding_row = dimensions[0];
      const auto shown = [&] { return json::Value().set("tensor", text::to_value(name.substr(0, 64))); };
      if (!names.insert(name).second) report_.add("GGF008", at, shown());
      if (length >= kLongestTensorName) report_.add("GGF009", at, shown().set("bytes", length));
      if (name.empty() || text::has_hidden(name))
        report_.add("GGF021", at, json::Value().set("where", field).set("text", text::to_value(name.substr(0, 256))));
      check_encoding(name, name.size(), field, at);
      const auto bytes = tensor_bytes(dimensions, type, at, shown);
      if (!bytes) {
        broken_ = true;
        continue;
      }
      memory_.add(name, dimensions, ggml_type(type)->name, *bytes);
      if (offset % alignment_ != 0)
        report_.add("GGF013", at, shown().set("offset", offset).set("alignment", alignment_));
      ordered_ = ordered_ && offset >= expected;
      expected = checked_align(checked_add(offset, *bytes).value_or(UINT64_MAX), alignment_).value_or(UINT64_MAX);
      pending_.push_back({offset, *bytes, at, name.substr(0, 64)});
    }
  }

  template <class Shown>
  std::optional<u64> tensor_bytes(const std::array<u64, kMostDimensions>& dimensions, u32 id, Range at, Shown shown) {
    constexpr u64 kLargest = INT64_MAX;  // llama.cpp counts in int64_t
    std::optional<u64> elements = 1;
    for (const u64 d : dimensions) elements = elements && d <= kLargest ? checked_mul(*elements, d) : std::nullopt;
    if (!elements || *elements > kLargest || *elements == 0) {
      report_.add("GGF010", at,
                  shown().set("why", elements == u64{0} ? "a dimension of zero" : "the number of elements overflows"));
      return std::nullopt;
    }
    const GgmlType* type = ggml_type(id);
    if (type == nullptr || type->block == 0) {
      report_.add("GGF011", at, shown().set("type", type == nullptr ? json::Value(id) : json::Value(type->name)));
      return std::nullopt;
    }
    if (dimensions[0] % type->block != 0) {
      report_.add("GGF012", at, shown().set("type", type->name).set("row", dimensions[0]).set("block", type->block));
      return std::nullopt;
    }
    const auto bytes = checked_mul(*elements / type->block, type->bytes);
    if (!bytes || *bytes > kLargest) {
      report_.add("GGF010", at, shown().set("why", "the number of bytes overflows"));
      return std::nullopt;
    }
    totals_.add(type->name, *elements);
    return bytes;
  }

  void data() {
    const u64 header_end = in_.offset();
    coverage_.examined = header_end;
    const u64 begin = checked_align(header_end, alignment_).value_or(UINT64_MAX);
    if (!ordered_) report_.add("GGF016", Range{8, header_end}, json::Value().set("bytes", "tensors out of order, 0"));
    std::vector<Claim> claims;
    u64 total = 0;
    // The header claims its own padding: the first hole, if any, starts where the data should.
    for (const Pending& tensor : pending_) {
      const auto first = checked_add(begin, tensor.offset);
      const auto last = first ? checked_add(*first, tensor.bytes) : std::nullopt;
      total = checked_add(total, tensor.bytes).value_or(UINT64_MAX);
      if (!last || *last > source_.size()) {
        report_.add("GGF014", tensor.at,
                    json::Value()
                        .set("tensor", text::to_value(tensor.name))
                        .set("end", last ? json::Value(*last) : json::Value("beyond 2^64"))
                        .set("size", source_.size()));
        broken_ = true;
        if (first && *first < source_.size())
          claims.push_back({*first, source_.size(), tensor.at, text::display(tensor.name)});
      } else {
        claims.push_back({*first, *last, tensor.at, text::display(tensor.name)});
      }
    }
    check_layout(item_, header_end, alignment_, std::move(claims), {"GGF015", "GGF016", "GGF017", "GGF018", "GGF022"});
    if (broken_) coverage_.gaps.push_back({{header_end, source_.size()}, "a tensor without usable bounds"});
    totals_.report(total, report_);
    if (!broken_) memory_.report(report_);
  }

  void facts() {
    if (version_ >= 1 && version_ <= 3)
      report_.fact("model.format", fmt::format("GGUF v{}", version_), Range{0, 8}, Assurance::verified);
    if (in_.ok() && architecture_.empty() && !later_part_) report_.add("GGF020", std::nullopt);
    vocabulary_.narrow = version_ == 1;
    check_vocabulary(vocabulary_, item_);
    model_.architecture = architecture_;
    check_hyperparameters(model_, report_);
    for (const auto& [suffix, fact] : {std::pair("context_length", "model.context_length"),
                                       {"block_count", "model.block_count"},
                                       {"embedding_length", "model.embedding_length"}}) {
      if (const auto found = numbers_.find(architecture_ + "." + suffix); found != numbers_.end())
        report_.fact(fact, found->second.number, found->second.at, Assurance::claimed);
    }
    for (const auto& [suffix, fact] :
         {std::pair("attention.head_count", "model.heads"), {"attention.head_count_kv", "model.cached_heads"}}) {
      if (const auto found = model_.numbers.find(architecture_ + "." + suffix);
          found != model_.numbers.end() && found->second.integer)
        report_.fact(fact, found->second.whole, found->second.at, Assurance::claimed);
    }
    if (special_.is_object()) report_.fact("tokenizer.special", special_, std::nullopt, Assurance::claimed);
    if (!bases_.empty()) {
      json::Value list = json::Array{};
      for (auto& [number, entry] : bases_) list.push(entry.first);
      report_.fact("identity.base", std::move(list), bases_.begin()->second.second, Assurance::claimed);
    }
  }

  struct Pending {
    u64 offset;
    u64 bytes;
    Range at;
    std::string name;
  };

  Item& item_;
  const Source& source_;
  Cursor in_;
  Reporter& report_;
  Coverage& coverage_;
  u32 version_ = 0;
  u64 tensor_count_ = 0;
  u64 key_count_ = 0;
  u64 alignment_ = kDefaultAlignment;
  u64 strings_ = 0;
  u64 templates_ = 0;
  bool ordered_ = true;
  bool broken_ = false;
  std::string architecture_;
  bool later_part_ = false;  // of a split model: only the first says what it is
  json::Value special_;
  std::map<std::string, Value> numbers_;
  std::map<std::string, std::pair<json::Value, Range>> bases_;
  TensorTotals totals_;
  GgufMemory memory_;
  GgufVocabulary vocabulary_;
  GgufHyperparameters model_;
  std::vector<Pending> pending_;
};

int sniff(const Sniff& sniff) { return as_text(sniff.head).starts_with("GGUF") ? 100 : 0; }

void parse(Item& item) { Parser(item).run(); }

}  // namespace

extern const Format gguf_format;
const Format gguf_format{"gguf", "GGUF (llama.cpp), versions 1 to 3", "gguf", "ggml docs/gguf.md", sniff, parse};

}  // namespace steelyard::formats
