// format: the model is in one of the formats that the requirement allows.
//
// Attack resisted: an allowed file beside one in a format that nobody recognised; any file of
// unknown format leaves the requirement undetermined. Tested by tests/verdict/format.json.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "policy/reading.hpp"

namespace steelyard::policy {
namespace {

constexpr Param kParams[] = {
    {.name = "allow",
     .type = Param::Type::texts,
     .required = true,
     .meaning = "beginnings of allowed formats: \"gguf\", \"safetensors\""},
};

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const auto scans = records_of(inputs, "scan");
  if (scans.empty()) return not_scanned();
  const auto allow = texts(requirement, "allow");
  const Statements formats = statements(scans, "model.format");
  std::vector<Statement> other;
  for (const Statement& statement : formats.stated) {
    const std::string value = text::lower(statement.fact->value.string());
    const auto begins = [&](const std::string& prefix) { return value.starts_with(text::lower(prefix)); };
    if (std::ranges::none_of(allow, begins)) other.push_back(statement);
  }
  if (!other.empty())
    return unmet(fmt::format("{} not in an allowed format: {} (allowed: {})", counted(other.size(), "part"),
                             listing(other), listing(allow)),
                 cites_of(other));
  std::vector<std::string> unknown;
  std::vector<std::string> cites;
  for (const Item& scan : scans) {
    const auto& artifacts = scan.record->found.artifacts;
    for (std::size_t i = 0; i < artifacts.size(); ++i) {
      if (artifacts[i].format != "unknown" || artifacts[i].bytes == 0) continue;
      unknown.push_back(shown(artifacts[i].path));
      cites.push_back(scan.cite("artifacts", i));
    }
  }
  if (!unknown.empty()) {
    const std::size_t number = unknown.size();
    return undetermined(fmt::format("{} of unknown format: {}", counted(number, "file"), listing(std::move(unknown))),
                        std::move(cites), fmt::format("{}, without what it cannot examine", kRescan));
  }
  if (!formats.contradicted.empty())
    return undetermined(fmt::format("{} of the format contradict each other: {}",
                                    counted(formats.contradicted.size(), "statement"), listing(formats.contradicted)),
                        cites_of(formats.contradicted), std::string(kInspect));
  if (formats.stated.empty())
    return undetermined(fmt::format("no format was recognised in {}", counted(scans.size(), "scan")), ids_of(scans),
                        std::string(kRescan));
  if (auto open = cut_short(scans)) return *open;
  return met(
      fmt::format("{} in an allowed format: {}", counted(formats.stated.size(), "part"), listing(formats.stated)),
      cites_of(formats.stated));
}

}  // namespace

extern const Kind format_kind;
const Kind format_kind{"format", Layer::model, "The model is in one of the allowed file formats.",
                       kParams,  "scan",       evaluate};

}  // namespace steelyard::policy
