// host_posture: the system around the model passes the named checks.
//
// Attack resisted: a check that could not be made, by lack of rights or in an odd environment, is
// undetermined, never passed. Tested by tests/verdict/host_posture.json.
#include <fmt/format.h>

#include "policy/reading.hpp"

namespace steelyard::policy {
namespace {

constexpr std::string_view kHost = "steelyard host";
constexpr Param kParams[] = {
    {.name = "checks",
     .type = Param::Type::texts,
     .required = true,
     .choices = "model_permissions,server_exposure,server_privilege,secrets,isolation",
     .meaning = "what must be in order"},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const auto hosts = records_of(inputs, "host");
  if (hosts.empty())
    return undetermined("no host record: the system around the model was not examined", {}, std::string(kHost));
  std::vector<std::string> bad, unknown, absent, good, bad_cites, unknown_cites, good_cites;
  for (const std::string& check : texts(requirement, "checks")) {
    const Statements found = statements(hosts, "host.check." + check);
    if (found.stated.empty() && found.contradicted.empty() && found.missing.empty()) absent.push_back(check);
    for (const auto* list : {&found.stated, &found.contradicted, &found.missing}) {
      for (const Statement& statement : *list) {
        const json::Value& value = statement.fact->value;
        const std::string& state = value["state"].string();
        const std::string text = fmt::format("{} ({})", check, shown(value["why"]));
        if (list == &found.stated && state == "ok") {
          good.push_back(check);
          good_cites.push_back(statement.cite);
        } else {
          const bool is_bad = list == &found.stated && state == "bad";
          (is_bad ? bad : unknown).push_back(text);
          (is_bad ? bad_cites : unknown_cites).push_back(statement.cite);
        }
      }
    }
  }
  const auto summary = [](std::vector<std::string>& items, std::string_view verb) {
    const std::size_t number = items.size();
    return fmt::format("{} {}: {}", counted(number, "check"), verb, listing(std::move(items)));
  };
  if (!bad.empty()) return unmet(summary(bad, "failed"), std::move(bad_cites));
  if (!unknown.empty())
    return undetermined(summary(unknown, "without an answer"), std::move(unknown_cites),
                        fmt::format("{}, as a user who may read what it could not", kHost));
  if (!absent.empty())
    return undetermined(
        fmt::format("not checked in {}: {}", counted(hosts.size(), "host record"), listing(std::move(absent))),
        ids_of(hosts), std::string(kHost));
  for (const Item& host : hosts) {
    if (host.record->status != evidence::Status::complete)
      return undetermined("the examination of the host was cut short", {host.id}, std::string(kHost));
  }
  return met(summary(good, "passed"), std::move(good_cites));
}

}  // namespace

extern const Kind host_posture_kind;
const Kind host_posture_kind{
    "host_posture", Layer::infrastructure, "The system around the model passes the named checks.", kParams, "host",
    evaluate};

}  // namespace steelyard::policy
