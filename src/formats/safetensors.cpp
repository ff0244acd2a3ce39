// safetensors. Spec: the format section of the safetensors README; behaviour of its Rust reader.
//
// Attacks resisted: offsets that overlap, leave holes or leave the file, keys that two readers resolve
// differently, headers that bloat (limit 100 MB, as the reference), payloads behind the last tensor.
// Memory: one token and 48 bytes per tensor. Tested by tests/unit/gguf_test.cpp,
// data/rules/STS/, tests/oracle/formats_test.py; fuzzed.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <unordered_set>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "formats/detail/layout.hpp"
#include "formats/detail/metadata_text.hpp"
#include "formats/format.hpp"
#include "wire/json_pull.hpp"

namespace steelyard::formats {
namespace {

using wire::JsonPull;
using Token = JsonPull::Token;

constexpr u64 kMostHeader = 100'000'000;
constexpr std::size_t kKept = 4096;
constexpr std::size_t kMostTensors = 2'000'000;

struct Dtype {
  std::string_view name;
  u32 bits;
};
constexpr std::array<Dtype, 20> kDtypes = {{{"BOOL", 8}, {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
                                            {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},
                                            {"U16", 16}, {"F16", 16},    {"BF16", 16},   {"I32", 32},    {"U32", 32},
                                            {"F32", 32}, {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kMetadataFacts = {{
    {"license", "identity.licence"},
    {"licence", "identity.licence"},
    {"modelspec.license", "identity.licence"},
    {"author", "identity.maker"},
    {"modelspec.author", "identity.maker"},
    {"modelspec.title", "model.name"},
    {"modelspec.architecture", "model.architecture"},
    {"base_model", "identity.base"},
    {"modelspec.merged_from", "identity.base"},
    {"format", "model.framework"},
    {"modelspec.implementation", "identity.source"},
    {"version", "identity.version"},
}};

class Parser {
 public:
  explicit Parser(Item& item)
      : item_(item), source_(item.source()), in_(source_), report_(item.report()), coverage_(item.coverage()) {}

  void run() {
    const u64 length = in_.read<u64>("header length");
    const u64 size = source_.size();
    if (in_.ok() && (length > kMostHeader || length > size - 8)) {
      report_.add("STS002", Range{0, 8}, json::Value().set("length", length).set("size", size));
      in_.fail("header length",
               fmt::format("{} bytes, at most {} are there and allowed", length, std::min(kMostHeader, size - 8)));
    }
    header_end_ = in_.ok() ? 8 + length : std::min<u64>(size, 8);
    Cursor text(source_, std::min<u64>(8, size), header_end_);
    if (in_.ok()) {
      if (as_text(text.peek(1)) != "{") text.fail("header", "it doesn't begin with '{'");
      JsonPull json(text);
      header(json);
    }
    const auto& fault = in_.ok() ? text.fault() : in_.fault();
    if (fault) {
      report_.add("STS001", Range{std::min(fault->offset, size), std::min(fault->offset, size)},
                  json::Value().set("fault", to_string(*fault)));
      coverage_.examined = std::min(fault->offset, size);
      coverage_.gaps.push_back({{coverage_.examined, size}, "the header before it is broken"});
    } else {
      data();
    }
    report_.fact("model.format", "safetensors", Range{0, std::min<u64>(8, size)}, Assurance::verified);
  }

 private:
  struct Entry {
    u64 begin = 0;
    u64 end = 0;
    Range declared;
    std::string name;
  };

  void header(JsonPull& json) {
    if (json.next() != Token::object) return;
    std::unordered_set<std::string> seen;
    for (Token token = json.next(); token == Token::key; token = json.next()) {
      const u64 begin = json.offset();
      const std::string name = json.content();
      const bool long_name = json.cut();
      if (!seen.insert(name).second && !long_name)
        report_.add("STS003", Range{begin, begin + 1}, json::Value().set("key", text::prefix(name, 256)));
      if (name.starts_with('/') || name.contains("../") || name.contains("..\\"))
        report_.add("STS016", Range{begin, begin + 1}, json::Value().set("tensor", text::prefix(name, 256)));
      if (text::has_hidden(name))
        report_.add("STS011", Range{begin, begin + 1},
                    json::Value().set("where", "a tensor's name").set("text", text::prefix(name, 256)));
      const Token value = json.next();
      if (value == Token::fault) return;
      if (name == "__metadata__") {
        metadata(json, value);
      } else if (value == Token::object) {
        tensor(json, name, begin);
      } else {
        report_.add("STS004", Range{begin, json.offset()},
                    json::Value().set("tensor", text::prefix(name, 64)).set("why", "its entry is not an object"));
        broken_ = true;
        json.skip(value);
      }
      if (totals_.tensors() > kMostTensors) {
        report_.add("STS002", Range{0, 8}, json::Value().set("length", header_end_ - 8).set("size", source_.size()));
        return;
      }
    }
    (void)json.next();
  }

  void metadata(JsonPull& json, Token value) {
    if (value != Token::object) {
      report_.add("STS005", Range{json.offset(), json.offset() + 1}, json::Value().set("key", "__metadata__"));
      json.skip(value);
      return;
    }
    std::unordered_set<std::string> seen;
    for (Token token = json.next(); token == Token::key; token = json.next()) {
      const u64 begin = json.offset();
      const std::string key = json.content();
      if (!seen.insert(key).second)
        report_.add("STS003", Range{begin, begin + 1}, json::Value().set("key", text::prefix(key, 256)));
      const Token item = json.next();
      if (item == Token::fault) return;
      if (item != Token::text) {
        report_.add("STS005", Range{begin, json.offset()}, json::Value().set("key", text::prefix(key, 256)));
        json.skip(item);
        continue;
      }
      const std::string& content = json.content();
      if (text::has_hidden(key))
        report_.add("STS011", Range{begin, json.offset() + 1},
                    json::Value().set("where", "a metadata key").set("text", text::prefix(key, 256)));
      check_metadata(key + ": " + content, Range{begin, json.offset() + 1}, text::prefix(key, 256), report_);
      for (const auto& [name, fact] : kMetadataFacts) {
        if (name != key) continue;
        if (content.size() > kKept)
          report_.add("LIM005", Range{begin, json.offset()},
                      json::Value().set("fact", fact).set("bytes", u64{content.size()}));
        report_.fact(std::string(fact), text::prefix(content, kKept), Range{begin, json.offset() + 1},
                     Assurance::claimed);
      }
    }
  }

  void tensor(JsonPull& json, const std::string& name, u64 begin) {
    std::optional<std::string> dtype;
    std::optional<u64> elements;
    std::vector<u64> offsets;
    std::string wrong;
    std::unordered_set<std::string> seen;
    for (Token token = json.next(); token == Token::key; token = json.next()) {
      const std::string key = json.content();
      if (!seen.insert(key).second)
        report_.add("STS003", Range{json.offset(), json.offset() + 1},
                    json::Value().set("key", text::prefix(name, 128) + "." + text::prefix(key, 64)));
      const Token value = json.next();
      if (value == Token::fault) return;
      if (key == "dtype" && value == Token::text) {
        dtype = json.content();
      } else if (key == "shape" && value == Token::array) {
        elements = 1;
        numbers(json, wrong, [&](u64 d) { elements = elements ? checked_mul(*elements, d) : std::nullopt; });
        if (!elements) wrong = "the number of elements overflows";
      } else if (key == "data_offsets" && value == Token::array) {
        numbers(json, wrong, [&](u64 offset) {
          if (offsets.size() < 3) offsets.push_back(offset);
        });
      } else {
        wrong = fmt::format("\"{}\" doesn't belong there or has the wrong type", text::display(key, 32));
        json.skip(value);
      }
    }
    const Range at{begin, json.offset() + 1};
    const auto refuse = [&](std::string why) {
      report_.add("STS004", at, json::Value().set("tensor", text::prefix(name, 64)).set("why", std::move(why)));
      broken_ = true;
    };
    if (!wrong.empty()) return refuse(wrong);
    if (!dtype || !elements || offsets.size() != 2) return refuse("it needs dtype, shape and two data_offsets");
    const auto type = std::ranges::find(kDtypes, *dtype, &Dtype::name);
    if (type == kDtypes.end()) {
      report_.add("STS006", at,
                  json::Value().set("tensor", text::prefix(name, 64)).set("dtype", text::prefix(*dtype, 64)));
      broken_ = true;
      return;
    }
    const auto bits = checked_mul(*elements, type->bits);
    if (!bits || *bits % 8 != 0) return refuse("its size is not a whole number of bytes");
    const u64 data = source_.size() - header_end_;
    if (offsets[0] > offsets[1] || offsets[1] > data) {
      report_.add("STS007", at,
                  json::Value()
                      .set("tensor", text::prefix(name, 64))
                      .set("begin", offsets[0])
                      .set("end", offsets[1])
                      .set("size", data));
      broken_ = true;
      return;
    }
    if (offsets[1] - offsets[0] != *bits / 8) {
      report_.add("STS008", at,
                  json::Value()
                      .set("tensor", text::prefix(name, 64))
                      .set("declared", offsets[1] - offsets[0])
                      .set("computed", *bits / 8));
      broken_ = true;
    }
    totals_.add(*dtype, *elements);
    if (type->bits == 8) payload(name, header_end_ + offsets[0], header_end_ + offsets[1]);
    // An overlap is reported with names; they are short in every real file and cut in hostile ones.
    claims_.push_back({header_end_ + offsets[0], header_end_ + offsets[1], at, text::display(name, 128)});
  }

  // Bytes that are no weights. Two bytes of a magic come up by chance in thousands of tensors.
  void payload(const std::string& name, u64 begin, u64 end) {
    const std::string_view what = end - begin >= 16 ? recognise(source_, begin) : std::string_view();
    if (!what.empty() && what != "a Windows program" && what != "a script")
      report_.add("STS015", Range{begin, end}, json::Value().set("tensor", text::prefix(name, 64)).set("what", what));
  }

  template <class F>
  void numbers(JsonPull& json, std::string& wrong, F each) {
    for (Token token = json.next(); token != Token::end_array && token != Token::fault; token = json.next()) {
      const auto number = token == Token::number ? json.unsigned_integer() : std::nullopt;
      if (number) {
        each(*number);
      } else {
        wrong = "a number is not a non-negative integer";
        json.skip(token);
      }
    }
  }

  void data() {
    coverage_.examined = header_end_;
    u64 total = 0;
    for (const Claim& claim : claims_) total += claim.end - claim.begin;
    check_layout(item_, header_end_, 1, std::move(claims_), {"STS009", "STS010", "", "STS012", "STS013"});
    if (broken_) coverage_.gaps.push_back({{header_end_, source_.size()}, "a tensor without usable bounds"});
    totals_.report(total, report_);
  }

  Item& item_;
  const Source& source_;
  Cursor in_;
  Reporter& report_;
  Coverage& coverage_;
  u64 header_end_ = 0;
  bool broken_ = false;
  std::vector<Claim> claims_;
  TensorTotals totals_;
};

// A length that fits the limit, then an object: nothing else in use begins like this.
int sniff(const Sniff& sniff) {
  const Bytes head = sniff.head;
  if (head.size() < 9 || head[8] != std::byte{'{'}) return 0;
  u64 length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | std::to_integer<u64>(head[static_cast<std::size_t>(i)]);
  return length <= kMostHeader && length <= sniff.size() ? 90 : length <= kMostHeader * 16 ? 40 : 0;
}

void parse(Item& item) { Parser(item).run(); }

}  // namespace

extern const Format safetensors_format;
const Format safetensors_format{
    "safetensors", "safetensors (Hugging Face)", "safetensors", "safetensors README, section Format", sniff, parse};

}  // namespace steelyard::formats
