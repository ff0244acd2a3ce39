#include "wire/json_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/text.hpp"

namespace steelyard::wire {
namespace {

constexpr i64 kLargestExponent = 1'000'000'000;
constexpr int kDeepest = 64;

using Token = JsonPull::Token;
using Kind = JsonNode::Kind;

class Builder {
 public:
  Builder(Cursor& in, const JsonLimits& limits) : pull_(in, limits.dialect, limits.bytes), left_(limits.values) {}

  Result<JsonNode> value(Token token, int depth) {
    if (left_ == 0) return fail(ErrorCode::usage, "more values than are read");
    if (depth > kDeepest) return fail(ErrorCode::usage, fmt::format("nested deeper than {} levels", kDeepest));
    --left_;
    JsonNode node;
    switch (token) {
      case Token::null:
        return node;
      case Token::yes:
      case Token::no:
        node.kind = Kind::boolean;
        node.flag = token == Token::yes;
        return node;
      case Token::text:
        node.kind = Kind::text;
        node.text = pull_.content();
        return node;
      case Token::number: {
        node.kind = Kind::number;
        auto number = Decimal::parse(pull_.content());
        if (!number) node.text = pull_.content();
        if (number) node.number = std::move(*number);
        return node;
      }
      case Token::array:
        node.kind = Kind::array;
        for (Token next = pull_.next(); next != Token::end_array; next = pull_.next()) {
          SY_TRY(JsonNode item, value(next, depth + 1));
          node.items.push_back(std::move(item));
        }
        return node;
      case Token::object:
        return object(depth);
      default:
        return fail(ErrorCode::usage, "not JSON");
    }
  }

  JsonPull& pull() { return pull_; }

 private:
  Result<JsonNode> object(int depth) {
    JsonNode node;
    node.kind = Kind::object;
    std::set<std::string> seen;
    for (Token next = pull_.next(); next != Token::end_object; next = pull_.next()) {
      if (next != Token::key) return fail(ErrorCode::usage, "not JSON");
      std::string key = pull_.content();
      if (!seen.insert(key).second)
        return fail(ErrorCode::usage, fmt::format("the key \"{}\" appears twice", text::display(key, 64)));
      SY_TRY(JsonNode item, value(pull_.next(), depth + 1));
      node.members.emplace_back(std::move(key), std::move(item));
    }
    return node;
  }

  JsonPull pull_;
  std::size_t left_;
};

std::string shown(const Decimal& number) {
  if (number.digits.empty()) return "0";
  const std::string sign = number.negative ? "-" : "";
  const auto size = static_cast<i64>(number.digits.size());
  if (number.exponent >= 0 && number.exponent + size <= 21)
    return sign + number.digits + std::string(static_cast<std::size_t>(number.exponent), '0');
  if (number.exponent < 0 && number.exponent > -size)
    return sign + std::string(number.digits).insert(static_cast<std::size_t>(size + number.exponent), ".");
  return fmt::format("{}{}e{}", sign, number.digits, number.exponent);
}

}  // namespace

std::optional<Decimal> Decimal::parse(std::string_view text) {
  Decimal out;
  if (text.starts_with('-')) {
    out.negative = true;
    text.remove_prefix(1);
  }
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const std::size_t power = text.find_first_of("eE");
  if (power != std::string_view::npos) {
    std::string_view exponent = text.substr(power + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    const auto [end, error] = std::from_chars(exponent.data(), exponent.data() + exponent.size(), out.exponent);
    if (error == std::errc::result_out_of_range || std::abs(out.exponent) > kLargestExponent)
      out.exponent = exponent.starts_with('-') ? -kLargestExponent : kLargestExponent;
    text = text.substr(0, power);
  }
  for (std::size_t i = 0, point = text.find('.'); i < text.size(); ++i) {
    if (i == point) continue;
    out.digits += text[i];
    if (i > point) --out.exponent;
  }
  out.digits.erase(0, std::min(out.digits.find_first_not_of('0'), out.digits.size()));
  while (out.digits.ends_with('0')) {
    out.digits.pop_back();
    ++out.exponent;
  }
  if (out.digits.empty()) return Decimal{};
  return out;
}

std::optional<u64> Decimal::whole() const {
  if (digits.empty()) return 0;
  if (negative || exponent < 0 || exponent + static_cast<i64>(digits.size()) > 18) return std::nullopt;
  u64 out = 0;
  for (const char c : digits) out = out * 10 + static_cast<u64>(c - '0');
  for (i64 i = 0; i < exponent; ++i) out *= 10;
  return out;
}

double Decimal::approximate() const {
  double out = 0;
  const std::string text = fmt::format("{}{}e{}", negative ? "-" : "", digits.empty() ? "0" : digits, exponent);
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

std::strong_ordering operator<=>(const Decimal& a, const Decimal& b) {
  const auto sign = [](const Decimal& one) { return one.digits.empty() ? 0 : one.negative ? -1 : 1; };
  if (sign(a) != sign(b)) return sign(a) <=> sign(b);
  const i64 a_size = a.exponent + static_cast<i64>(a.digits.size());
  const i64 b_size = b.exponent + static_cast<i64>(b.digits.size());
  // Digits that begin at the same place compare like texts.
  const auto larger = a_size != b_size ? a_size <=> b_size : a.digits.compare(b.digits) <=> 0;
  return a.negative ? 0 <=> larger : larger;
}

const JsonNode* JsonNode::find(std::string_view key) const {
  const auto found = std::ranges::find(members, key, &JsonMember::name);
  return found == members.end() ? nullptr : &found->value;
}

const std::string& JsonNode::text_of(std::string_view key) const {
  static const std::string kNone;
  const JsonNode* member = find(key);
  return member != nullptr && member->is(Kind::text) ? member->text : kNone;
}

Result<JsonNode> read_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes)
    return fail(ErrorCode::usage, fmt::format("{} bytes of JSON, at most {} are read", text.size(), limits.bytes));
  const MemorySource source(std::as_bytes(std::span(text)));
  Cursor in(source);
  Builder builder(in, limits);
  auto node = builder.value(builder.pull().next(), 1);
  if (node && builder.pull().next() != Token::end) node = fail(ErrorCode::usage, "not JSON");
  if (!in.ok()) return fail(ErrorCode::usage, fmt::format("not JSON: {}", to_string(*in.fault())));
  return node;
}

std::string to_json(const JsonNode& node) {
  switch (node.kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return node.flag ? "true" : "false";
    case Kind::number:
      return node.text.empty() ? shown(node.number) : node.text;
    case Kind::text:
      return json::quote(node.text);
    case Kind::array:
    case Kind::object:
      break;
  }
  std::string out;
  for (const JsonNode& item : node.items) out += (out.empty() ? "" : ",") + to_json(item);
  for (const auto& [key, item] : node.members) out += (out.empty() ? "" : ",") + json::quote(key) + ":" + to_json(item);
  return node.is(Kind::array) ? "[" + out + "]" : "{" + out + "}";
}

}  // namespace steelyard::wire
