#include "bench/checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/pattern.hpp"
#include "base/text.hpp"
#include "bench/code.hpp"
#include "bench/instructions.hpp"
#include "wire/json_schema.hpp"

namespace steelyard::bench {
namespace {

using wire::JsonNode;
using Kind = JsonNode::Kind;
using Check = std::function<Outcome(const std::string&)>;

constexpr std::size_t kMostBytes = std::size_t{1} << 20;  // of an answer
constexpr std::array<std::string_view, 9> kNames = {"exact",       "contains",  "number", "regex",  "json",
                                                    "json_schema", "tool_call", "all_of", "program"};

Outcome outcome(bool passed) { return passed ? Outcome::passed : Outcome::failed; }

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

Result<std::string> text_of(const JsonNode& expected) {
  if (!expected.is(Kind::text)) return fail(ErrorCode::usage, "expected a text");
  return expected.text;
}

// The last number in a text, with its commas left out: "so it is $1,250.00." has 1250.
std::optional<wire::Decimal> last_number(std::string_view text) {
  const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
  std::size_t end = text.find_last_of("0123456789");
  if (end == std::string_view::npos) return std::nullopt;
  std::size_t begin = ++end;
  while (begin > 0 &&
         (digit(begin - 1) || ((text[begin - 1] == ',' || text[begin - 1] == '.') && begin > 1 && digit(begin - 2))))
    --begin;
  const bool minus = begin > 0 && text[begin - 1] == '-' && (begin < 2 || !digit(begin - 2));
  std::string plain = minus ? "-" : "";
  for (const char c : text.substr(begin, end - begin)) {
    if (c != ',') plain += c;
  }
  if (std::ranges::count(plain, '.') > 1) return std::nullopt;
  return wire::Decimal::parse(plain);
}

Result<Check> exact(const JsonNode& expected) {
  SY_TRY(std::string text, text_of(expected));
  return [text = std::string(trimmed(text))](const std::string& answer) { return outcome(trimmed(answer) == text); };
}

Result<Check> contains(const JsonNode& expected) {
  SY_TRY(std::string text, text_of(expected));
  return [text = std::move(text)](const std::string& answer) { return outcome(answer.contains(text)); };
}

Result<Check> number(const JsonNode& expected) {
  const auto wanted = expected.is(Kind::number) ? std::optional(expected.number) : last_number(expected.text);
  if (!wanted) return fail(ErrorCode::usage, "expected a number");
  return [number = *wanted](const std::string& answer) { return outcome(last_number(answer) == number); };
}

Result<Check> regex(const JsonNode& expected) {
  SY_TRY(const std::string text, text_of(expected));
  auto pattern = Pattern::compile(text);
  if (!pattern)
    return fail(ErrorCode::usage,
                fmt::format("expected a regular expression in RE2's syntax: {}", pattern.error().message));
  return [pattern = *pattern](const std::string& answer) { return outcome(pattern.found_in(answer)); };
}

Result<Check> json(const JsonNode&) {
  return [](const std::string& answer) { return outcome(wire::read_json(trimmed(answer)).has_value()); };
}

Result<Check> json_schema(const JsonNode& expected) {
  SY_TRY(const wire::JsonSchema schema, wire::JsonSchema::read(expected));
  return [schema](const std::string& answer) {
    const auto node = wire::read_json(trimmed(answer));
    return outcome(node && schema.valid(*node));
  };
}

Result<bool> only(const JsonNode& node, std::initializer_list<std::string_view> keys) {
  if (!node.is(Kind::object)) return fail(ErrorCode::usage, "expected a JSON object");
  for (const auto& [key, value] : node.members) {
    if (std::ranges::find(keys, key) == keys.end())
      return fail(ErrorCode::usage,
                  fmt::format("unknown key \"{}\"; expected {}", text::display(key, 64), fmt::join(keys, ", ")));
  }
  return true;
}

// {"name", "arguments"}: exactly these, or {"name", "schema"}: arguments that are valid under it.
Result<Check> tool_call(const JsonNode& expected) {
  SY_CHECK(only(expected, {"name", "arguments", "schema"}));
  const JsonNode* arguments = expected.find("arguments");
  const JsonNode* schema = expected.find("schema");
  if (expected.text_of("name").empty() || (arguments != nullptr) == (schema != nullptr))
    return fail(ErrorCode::usage, "expected \"name\", and either \"arguments\" or \"schema\"");
  JsonNode exactly;
  if (arguments != nullptr) {
    if (!arguments->is(Kind::object)) return fail(ErrorCode::usage, "\"arguments\" must be an object");
    exactly.kind = Kind::object;
    exactly.members = {{"const", *arguments}};
  }
  SY_TRY(const wire::JsonSchema rule, wire::JsonSchema::read(schema != nullptr ? *schema : exactly));
  return [rule, name = expected.text_of("name")](const std::string& answer) {
    const auto calls = calls_in(answer);
    return outcome(calls.size() == 1 && calls[0].name == name && rule.valid(calls[0].arguments));
  };
}

// A test in Python, or {"test", "before"}.
Result<Check> program(const JsonNode& expected) {
  std::string test = expected.text, before;
  if (!expected.is(Kind::text)) {
    SY_CHECK(only(expected, {"test", "before"}));
    test = expected.text_of("test");
    before = expected.text_of("before");
  }
  if (test.empty()) return fail(ErrorCode::usage, "expected a test in Python, or {\"test\", \"before\"}");
  return [test, before](const std::string& answer) { return run_code(before, code_in(answer), test); };
}

}  // namespace

std::span<const std::string_view> Checker::names() { return kNames; }

Result<Checker> Checker::read(std::string_view name, const JsonNode& expected) {
  Checker out;
  if (name == "all_of") {
    if (!expected.is(Kind::array) || expected.items.empty())
      return fail(ErrorCode::usage, "expected a list of checks: [{\"max_words\": 50}, {\"no_comma\": true}]");
    std::vector<Check> checks;
    for (const JsonNode& item : expected.items) {
      if (!item.is(Kind::object) || item.members.size() != 1)
        return fail(ErrorCode::usage, "every check must be an object with one key: {\"max_words\": 50}");
      const auto& [key, value] = item.members.front();
      const bool checker = key != "all_of" && std::ranges::find(kNames, key) != kNames.end();
      if (checker) {
        auto inner = read(key, value);
        if (!inner) return fail(ErrorCode::usage, fmt::format("{}: {}", key, inner.error().message));
        out.runs_code_ = out.runs_code_ || inner->runs_code_;
        checks.push_back(std::move(inner->check_));
        continue;
      }
      SY_TRY(auto holds, instruction(key, value));
      checks.emplace_back([holds = std::move(holds)](const std::string& answer) { return outcome(holds(answer)); });
    }
    out.check_ = [checks = std::move(checks)](const std::string& answer) {
      Outcome worst = Outcome::passed;
      for (const Check& check : checks) {
        const Outcome one = check(answer);
        if (one == Outcome::failed) return one;
        if (one == Outcome::undetermined) worst = one;
      }
      return worst;
    };
    return out;
  }
  constexpr std::array<std::pair<std::string_view, Result<Check> (*)(const JsonNode&)>, 8> kReaders = {{
      {"exact", exact},
      {"contains", contains},
      {"number", number},
      {"regex", regex},
      {"json", json},
      {"json_schema", json_schema},
      {"tool_call", tool_call},
      {"program", program},
  }};
  const auto reader = std::ranges::find(kReaders, name, [](const auto& pair) { return pair.first; });
  if (reader == kReaders.end())
    return fail(ErrorCode::usage,
                fmt::format("no checker \"{}\": expected one of {}", text::display(name, 64), fmt::join(kNames, ", ")));
  SY_TRY(out.check_, reader->second(expected));
  if (name == "contains") out.settling_ = expected.text;
  out.runs_code_ = name == "program";
  return out;
}

Result<Checker> Checker::read(std::string_view name, const std::string& expected) {
  JsonNode node;
  node.kind = Kind::text;
  node.text = expected;
  const bool structured = name == "json_schema" || name == "tool_call" || name == "all_of" ||
                          (name == "program" && trimmed(expected).starts_with('{'));
  if (structured) {
    auto read = wire::read_json(trimmed(expected));
    if (!read) return fail(ErrorCode::usage, fmt::format("expected JSON in the text: {}", read.error().message));
    node = std::move(*read);
  }
  return Checker::read(name, node);
}

Outcome Checker::check(const std::string& answer) const {
  return answer.size() > kMostBytes ? Outcome::failed : check_(answer);
}

}  // namespace steelyard::bench
