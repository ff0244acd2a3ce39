// sandbox: whatever ran the model ran it inside the named layers. Tested by tests/verdict/sandbox.json.
#include <fmt/format.h>

#include <algorithm>

#include "policy/measured.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "layers",
     .type = Param::Type::texts,
     .required = true,
     .choices = "namespaces,landlock,seccomp,rlimits,no_new_privs",
     .meaning = "what must have been between the model and the system"},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const auto scans = records_of(inputs, "scan");
  if (scans.empty()) return not_scanned();
  const auto benches = benches_of(inputs, scans);
  const Statements found = statements(benches, "engine.sandbox");
  const std::string decide(kBench);
  if (found.stated.empty())
    return undetermined(fmt::format("nothing says in which sandbox the model ran in {} of these files",
                                    counted(benches.size(), "bench record")),
                        ids_of(benches), decide);
  std::vector<std::string> lacking, lacking_cites;
  for (const Statement& statement : found.stated) {
    for (const std::string& layer : texts(requirement, "layers")) {
      // "landlock:7" carries the version of the interface.
      const bool there = std::ranges::any_of(statement.fact->value.array(), [&](const json::Value& item) {
        return item.string().substr(0, item.string().find(':')) == layer;
      });
      if (there) continue;
      lacking.push_back(layer);
      lacking_cites.push_back(statement.cite);
    }
  }
  const std::size_t runs = found.stated.size();
  if (!lacking.empty()) {
    const std::size_t number = lacking.size();
    return unmet(
        fmt::format("{} of {} without {}", counted(number, "layer"), counted(runs, "run"), listing(std::move(lacking))),
        std::move(lacking_cites));
  }
  for (const Item& bench : benches) {
    if (bench.record->status != evidence::Status::complete)
      return undetermined("the bench was cut short", {bench.id}, decide);
  }
  return met(fmt::format("{} inside {}", counted(runs, "run"), listing(texts(requirement, "layers"))),
             cites_of(found.stated));
}

}  // namespace

extern const Kind sandbox_kind;
const Kind sandbox_kind{
    "sandbox", Layer::infrastructure, "The model was run inside the named layers of isolation.", kParams, "bench",
    evaluate};

}  // namespace steelyard::policy
