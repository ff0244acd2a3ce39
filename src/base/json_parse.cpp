#include <fmt/format.h>
#include <simdjson.h>

#include <set>

#include "base/json.hpp"

namespace steelyard::json {
namespace {

constexpr int kDeepest = 64;

class Converter {
 public:
  explicit Converter(const ParseOptions& options) : options_(options) {}

  Result<Value> convert(simdjson::dom::element element, int depth) {
    using simdjson::dom::element_type;
    if (depth > kDeepest) return fail(ErrorCode::usage, fmt::format("nested deeper than {} levels", kDeepest));
    switch (element.type()) {
      case element_type::NULL_VALUE:
        return Value();
      case element_type::BOOL:
        return Value(bool(element));
      case element_type::INT64:
        return Value(i64{std::int64_t(element)});
      case element_type::UINT64:
        return Value(u64{std::uint64_t(element)});
      case element_type::STRING:
        return Value(std::string_view(element));
      case element_type::DOUBLE: {
        if (!options_.decimals) return fail(ErrorCode::usage, "a decimal number where an integer belongs");
        return Value(fmt::format("{}", double(element)));
      }
      case element_type::ARRAY: {
        Array items;
        for (const auto item : simdjson::dom::array(element)) {
          SY_TRY(auto value, convert(item, depth + 1));
          items.push_back(std::move(value));
        }
        return Value(std::move(items));
      }
      case element_type::OBJECT:
        return object(simdjson::dom::object(element), depth);
    }
    return fail(ErrorCode::internal, "unknown JSON type");
  }

 private:
  Result<Value> object(simdjson::dom::object element, int depth) {
    Object members;
    std::set<std::string_view> seen;
    for (const auto [key, item] : element) {
      if (!seen.insert(key).second && !options_.duplicates)
        return fail(ErrorCode::usage, fmt::format("the key {} appears twice", quote(key)));
      SY_TRY(auto value, convert(item, depth + 1));
      members.emplace_back(std::string(key), std::move(value));
    }
    return Value(std::move(members));
  }

  const ParseOptions& options_;
};

}  // namespace

Result<Value> parse(std::string_view text, const ParseOptions& options) {
  if (text.size() > options.most_bytes)
    return fail(ErrorCode::usage,
                fmt::format("{} bytes of JSON, at most {} are read", text.size(), options.most_bytes));
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (const auto error = parser.parse(text.data(), text.size()).get(root))
    return fail(ErrorCode::usage, fmt::format("not JSON: {}", simdjson::error_message(error)));
  return Converter(options).convert(root, 0);
}

}  // namespace steelyard::json
