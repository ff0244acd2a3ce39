#include "wire/python_literal.hpp"

#include "base/checked.hpp"

namespace steelyard::wire {
namespace {

constexpr int kDeepest = 16;

class Parser {
 public:
  Parser(std::string_view source, std::string& why) : rest_(source), why_(why) {}

  std::optional<PythonLiteral> run() {
    auto value = parse(0);
    spaces();
    if (value && !rest_.empty()) return refuse("something follows the value");
    return value;
  }

 private:
  using Kind = PythonLiteral::Kind;

  std::nullopt_t refuse(const char* why) {
    if (why_.empty()) why_ = why;
    return std::nullopt;
  }
  void spaces() {
    const std::size_t at = rest_.find_first_not_of(" \t\r\n\f");
    rest_.remove_prefix(std::min(at, rest_.size()));
  }
  bool take(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  static bool in_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }

  std::optional<PythonLiteral> parse(int depth) {
    spaces();
    if (depth > kDeepest) return refuse("it is nested too deeply");
    if (rest_.empty()) return refuse("a value is missing");
    const char first = rest_[0];
    if (first == '\'' || first == '"') return text();
    if ((first >= '0' && first <= '9') || first == '-') return integer();
    if (take("(")) return sequence(Kind::tuple, ")", depth);
    if (take("[")) return sequence(Kind::list, "]", depth);
    if (take("{")) return dict(depth);
    PythonLiteral value;
    std::size_t length = 0;
    while (length < rest_.size() && in_name(rest_[length])) ++length;
    const std::string_view word = rest_.substr(0, length);
    if (word != "True" && word != "False" && word != "None") return refuse("it holds something that is no literal");
    rest_.remove_prefix(length);
    value.kind = word == "None" ? Kind::none : Kind::boolean;
    value.yes = word == "True";
    return value;
  }

  std::optional<PythonLiteral> text() {
    const char quote = rest_[0];
    rest_.remove_prefix(1);
    PythonLiteral value{.kind = Kind::text, .text = {}, .items = {}};
    while (!rest_.empty() && rest_[0] != quote) {
      char c = rest_[0];
      rest_.remove_prefix(1);
      if (c == '\n') return refuse("a text with a line break");
      if (c == '\\') {
        if (rest_.empty() || std::string_view("\\'\"n").find(rest_[0]) == std::string_view::npos)
          return refuse("a text with an unusual escape");
        c = rest_[0] == 'n' ? '\n' : rest_[0];
        rest_.remove_prefix(1);
      }
      value.text += c;
    }
    if (!take({&quote, 1})) return refuse("a text that doesn't end");
    return value;
  }

  std::optional<PythonLiteral> integer() {
    PythonLiteral value{.kind = Kind::integer, .text = {}, .items = {}};
    value.negative = take("-");
    std::size_t length = 0;
    for (; length < rest_.size() && rest_[length] >= '0' && rest_[length] <= '9'; ++length) {
      const auto shifted = checked_mul(value.integer, 10);
      const u64 digit = static_cast<u64>(rest_[length] - '0');
      value.integer = shifted ? checked_add(*shifted, digit).value_or(UINT64_MAX) : UINT64_MAX;
    }
    if (length == 0) return refuse("a number without digits");
    rest_.remove_prefix(length);
    take("L");  // Python 2 wrote long integers like this
    if (!rest_.empty() && (in_name(rest_[0]) || rest_[0] == '.')) return refuse("a number that is no integer");
    return value;
  }

  std::optional<PythonLiteral> sequence(Kind kind, std::string_view close, int depth) {
    PythonLiteral value{.kind = kind, .text = {}, .items = {}};
    bool comma = true;
    while (true) {
      spaces();
      if (take(close)) break;
      if (!comma) return refuse("a comma is missing");
      auto item = parse(depth + 1);
      if (!item) return std::nullopt;
      value.items.push_back(std::move(*item));
      spaces();
      comma = take(",");
    }
    // One value in parentheses, without a comma, is itself.
    if (kind == Kind::tuple && value.items.size() == 1 && !comma) return std::move(value.items[0]);
    return value;
  }

  std::optional<PythonLiteral> dict(int depth) {
    PythonLiteral value{.kind = Kind::dict, .text = {}, .items = {}};
    bool comma = true;
    while (true) {
      spaces();
      if (take("}")) return value;
      if (!comma) return refuse("a comma is missing");
      auto key = parse(depth + 1);
      spaces();
      if (!key || !take(":")) return refuse("a key without a value");
      auto item = parse(depth + 1);
      if (!item) return std::nullopt;
      value.items.push_back(std::move(*key));
      value.items.push_back(std::move(*item));
      spaces();
      comma = take(",");
    }
  }

  std::string_view rest_;
  std::string& why_;
};

}  // namespace

const PythonLiteral* PythonLiteral::find(std::string_view key) const {
  for (std::size_t i = items.size(); kind == Kind::dict && i >= 2; i -= 2) {
    if (items[i - 2].kind == Kind::text && items[i - 2].text == key) return &items[i - 1];
  }
  return nullptr;
}

std::optional<PythonLiteral> PythonLiteral::parse(std::string_view source, std::string& why) {
  return Parser(source, why).run();
}

}  // namespace steelyard::wire
