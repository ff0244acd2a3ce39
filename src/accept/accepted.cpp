#include "accept/accepted.hpp"

#include <fmt/format.h>

#include "base/environment.hpp"
#include "base/text.hpp"

namespace steelyard::accept {

std::optional<i64> end_of(std::string_view day) {
  const auto midnight = parse_time(fmt::format("{}T00:00:00Z", day));
  if (!midnight || format_time(*midnight).substr(0, 10) != day) return std::nullopt;
  return *midnight + 24 * 3600;
}

json::Value encode(const Accepted& accepted) {
  return json::Value()
      .set("finding", accepted.finding)
      .set("by", accepted.by)
      .set("reason", accepted.reason)
      .set("until", accepted.until.empty() ? json::Value() : json::Value(accepted.until));
}

Result<Accepted> decode(const json::Value& value) {
  Accepted out{value["finding"].string(), value["by"].string(), value["reason"].string(), value["until"].string()};
  const bool dated = value["until"].is_null() || (value["until"].is_string() && end_of(out.until));
  if (!value.is_object() || value.object().size() != 4 || !out.finding.starts_with("ev1:") ||
      (out.by != "ignore" && out.by != "baseline") || out.reason.empty() || !dated)
    return fail(ErrorCode::usage, fmt::format("accepted: expected finding, by, reason and until, found {}",
                                              text::display(json::compact(value), 120)));
  return out;
}

}  // namespace steelyard::accept
