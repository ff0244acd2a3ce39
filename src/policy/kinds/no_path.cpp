// no_path: no attack path of the given classes leads through the declared deployment.
//
// Worst case: untrusted text that reaches the model controls it. Paths that accepted mitigations cut
// are turned by the fold (policy/evaluate.cpp), which picks the smallest sufficient set over all
// requirements. Attack resisted: the record of another, more harmless context; only one whose subject
// has this context's digest counts. Tested by tests/verdict/no_path.json.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "policy/reading.hpp"

namespace steelyard::policy {
namespace {

constexpr std::string_view kContext = "steelyard context CONTEXT";
constexpr std::array<std::string_view, 3> kClasses = {"integrity", "confidentiality", "persistence"};
constexpr Param kParams[] = {
    {.name = "classes",
     .type = Param::Type::texts,
     .choices = "integrity,confidentiality,persistence",
     .meaning = "classes of forbidden paths (default: all)"},
    {.name = "accept",
     .type = Param::Type::texts,
     .meaning = "kinds of mitigations that may cut a path: \"confirm\" (default: all)"},
};

// By id. Only what the gateway enforces or the user attests counts.
std::map<std::string, Mitigation> available(const std::vector<Item>& contexts, const std::vector<std::string>& accept) {
  std::map<std::string, Mitigation> out;
  for (const Statement& statement : statements(contexts, "context.mitigation").stated) {
    const json::Value& value = statement.fact->value;
    const std::string& by = value["by"].string();
    if (by != "gateway" && by != "attested") continue;
    if (!accept.empty() && std::ranges::find(accept, value["kind"].string()) == accept.end()) continue;
    const u64 cost = std::min<u64>(value["cost"].unsigned_integer().value_or(UINT32_MAX), UINT32_MAX);
    const std::string& id = value["id"].string();
    out.emplace(id, Mitigation{id, value["text"].string(), by, static_cast<u32>(cost)});
  }
  return out;
}

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  auto contexts = records_of(inputs, "context");
  std::erase_if(contexts, [&](const Item& item) {
    return std::ranges::none_of(item.record->subjects, [&](const evidence::Subject& subject) {
      return subject.role == "context" && !subject.sha256.empty() && subject.sha256 == inputs.context_digest;
    });
  });
  if (contexts.empty())
    return undetermined("no record of this context: its paths were not analysed", {}, std::string(kContext));

  auto classes = texts(requirement, "classes");
  if (classes.empty()) classes.assign(kClasses.begin(), kClasses.end());
  const auto mitigations = available(contexts, texts(requirement, "accept"));
  std::vector<std::string> unknown, unknown_cites, used;
  std::string first;
  Ruling ruling = unmet("", {});
  for (const Item& context : contexts) {
    const auto& findings = context.record->found.findings;
    for (std::size_t i = 0; i < findings.size(); ++i) {
      const json::Value& data = findings[i].data;
      if (data.find("class") == nullptr) continue;
      const std::string& path_class = data["class"].string();
      if (std::ranges::find(kClasses, path_class) == kClasses.end()) {
        unknown.push_back(shown(data["class"]));
        unknown_cites.push_back(context.cite("findings", i));
      }
      if (std::ranges::find(classes, path_class) == classes.end()) continue;
      Scenario scenario{data["id"].string(), data["text"].string(), context.cite("findings", i), {}};
      for (const json::Value& cut : data["cuts"].array()) {
        if (!mitigations.contains(cut.string())) continue;
        scenario.cuts.push_back(cut.string());
        used.push_back(cut.string());
      }
      if (ruling.scenarios.empty()) first = shown(data["text"]);
      ruling.because.cites.push_back(scenario.cite);
      ruling.scenarios.push_back(std::move(scenario));
    }
  }
  std::ranges::sort(used);
  used.erase(std::ranges::unique(used).begin(), used.end());
  for (const std::string& id : used) ruling.mitigations.push_back(mitigations.at(id));
  if (!ruling.scenarios.empty()) {
    const std::size_t more = ruling.scenarios.size() - 1;
    ruling.because.text = fmt::format("{}{}; the worst case is assumed, as no attack rate was measured", first,
                                      more == 0 ? "" : fmt::format(", and {} more path{}", more, more == 1 ? "" : "s"));
    return ruling;
  }
  if (!unknown.empty()) {
    const std::size_t number = unknown.size();
    return undetermined(fmt::format("{} of a class that this version doesn't know: {}", counted(number, "path"),
                                    listing(std::move(unknown))),
                        std::move(unknown_cites), std::string(kContext));
  }
  for (const Item& context : contexts) {
    if (context.record->status != evidence::Status::complete)
      return undetermined("the analysis of the context was cut short", {context.id}, std::string(kContext));
  }
  const bool all = std::ranges::all_of(
      kClasses, [&](std::string_view name) { return std::ranges::find(classes, name) != classes.end(); });
  return met(fmt::format("no attack path{} leads through this deployment",
                         all ? "" : fmt::format(" of class {}", fmt::join(classes, ", "))),
             ids_of(contexts));
}

}  // namespace

extern const Kind no_path_kind;
const Kind no_path_kind{
    "no_path",
    Layer::integration,
    "No attack path of the given classes leads through the deployment, or accepted mitigations cut them all.",
    kParams,
    "context",
    evaluate};

}  // namespace steelyard::policy
