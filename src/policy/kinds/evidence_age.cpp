// evidence_age: the evidence is recent enough.
//
// A record's time is not hashed, so it is only as good as whoever keeps the record; a time in the
// future or one that can't be read is undetermined. Tested by tests/verdict/evidence_age.json.
#include <fmt/format.h>

#include <algorithm>

#include "base/environment.hpp"
#include "policy/reading.hpp"

namespace steelyard::policy {
namespace {

constexpr i64 kDay = 24 * 3600;
constexpr Param kParams[] = {
    {.name = "max_days",
     .type = Param::Type::integer,
     .required = true,
     .meaning = "age that evidence may have",
     .least = 1,
     .most = 36500},
    {.name = "kinds",
     .type = Param::Type::texts,
     .choices = "scan,host,context,bench,stack",
     .meaning = "kinds of records that are held to it (default: all there are)"},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const std::string again = "steelyard vet MODEL --rehash";
  const i64 most = requirement.params["max_days"].integer();
  const auto kinds = texts(requirement, "kinds");
  auto items = records_of(inputs, "");
  std::erase_if(items, [&](const Item& item) {
    return !kinds.empty() && std::ranges::find(kinds, item.record->kind) == kinds.end();
  });
  std::vector<std::string> old, unreadable, old_cites, unreadable_cites;
  for (const Item& item : items) {
    const auto at = parse_time(item.record->run.at);
    const bool readable = at && *at <= inputs.now;
    if (readable && inputs.now - *at <= most * kDay) continue;
    (readable ? old : unreadable).push_back(fmt::format("{} of {}", item.record->kind, shown(item.record->run.at)));
    (readable ? old_cites : unreadable_cites).push_back(item.id);
  }
  const auto summary = [&](std::vector<std::string>& list, std::string_view what) {
    const std::size_t number = list.size();
    return fmt::format("{} of {} {}: {}", number, counted(items.size(), "record"), what, listing(std::move(list)));
  };
  if (!old.empty())
    return unmet(summary(old, fmt::format("older than {}", counted(static_cast<std::size_t>(most), "day"))),
                 std::move(old_cites));
  if (!unreadable.empty())
    return undetermined(summary(unreadable, "with an unreadable or future time"), std::move(unreadable_cites), again);
  if (items.empty()) return undetermined("no record whose age could be told", {}, again);
  for (const std::string& kind : kinds) {
    if (std::ranges::none_of(items, [&](const Item& item) { return item.record->kind == kind; }))
      return undetermined(fmt::format("no {} record among {}", kind, counted(items.size(), "record")), ids_of(items),
                          again);
  }
  return met(
      fmt::format("{} at most {} old", counted(items.size(), "record"), counted(static_cast<std::size_t>(most), "day")),
      ids_of(items));
}

}  // namespace

extern const Kind evidence_age_kind;
const Kind evidence_age_kind{"evidence_age", Layer::model, "The evidence is recent enough.",
                             kParams,        "every",      evaluate};

}  // namespace steelyard::policy
