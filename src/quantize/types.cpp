#include "quantize/types.hpp"

#include <fmt/format.h>

#include "base/embedded.hpp"
#include "base/text.hpp"
#include "wire/toml.hpp"

namespace steelyard::quantize {
namespace {

std::vector<Type> read() {
  const auto document = toml::Document::parse(std::string(embedded::find("quantize/types.toml")), "types.toml");
  if (!document) return {};
  toml::Table root(**document, (*document)->root(), "types");
  std::vector<Type> out;
  for (toml::Table& one : root.tables("type")) {
    out.push_back({one.required_text("name"), static_cast<u64>(one.integer("bits").value_or(32)), one.flag("matrix")});
    one.finish();
  }
  return out;
}

}  // namespace

const std::vector<Type>& types() {
  static const std::vector<Type> all = read();
  return all;
}

Result<Type> type_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Type& type : types()) {
    if (text::lower(type.name) == text::lower(name)) return type;
    names.push_back(type.name);
  }
  return fail(ErrorCode::usage,
              fmt::format("no type \"{}\": expected one of {}", text::display(name, 40), fmt::join(names, ", ")));
}

}  // namespace steelyard::quantize
