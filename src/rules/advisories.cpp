#include "rules/advisories.hpp"

#include <algorithm>
#include <stdexcept>

#include "base/embedded.hpp"
#include "wire/toml.hpp"

namespace steelyard::rules {
namespace {

Advisory read(toml::Table& table) {
  Advisory advisory;
  advisory.id = table.required_text("id");
  advisory.title = table.required_text("title");
  advisory.references = table.texts("references");
  advisory.component = table.text("component");
  advisory.option = table.text("option");
  advisory.action = table.text("action");
  for (toml::Table& entry : table.tables("loader")) {
    advisory.loaders.push_back({entry.texts("names"), entry.text("from"), entry.text("before")});
    entry.finish();
  }
  for (toml::Table& entry : table.tables("trigger")) {
    advisory.triggers.push_back({entry.required_text("rule"), entry.texts("formats"), entry.text("key"),
                                 entry.text("has"), entry.integer("least").value_or(0)});
    entry.finish();
  }
  (void)table.take("example");  // for the tests
  table.finish();
  return advisory;
}

std::vector<Advisory> load() {
  std::vector<Advisory> all;
  for (const auto& file : embedded::under("advisories/")) {
    const auto document = toml::Document::parse(std::string(file.text), "data/" + std::string(file.path));
    if (!document) throw std::logic_error(document.error().message);
    toml::Table table(**document, (*document)->root(), "advisory");
    all.push_back(read(table));
    if (const auto checked = (*document)->check(); !checked) throw std::logic_error(checked.error().message);
  }
  return all;
}

bool inside(const Examination& found, std::optional<u32> artifact, const std::vector<std::string>& formats) {
  if (formats.empty()) return true;
  for (; artifact; artifact = found.artifacts[*artifact].parent) {
    if (std::ranges::find(formats, found.artifacts[*artifact].format) != formats.end()) return true;
  }
  return false;
}

bool says(const Finding& finding, const Advisory::Trigger& trigger) {
  if (trigger.key.empty()) return true;
  const json::Value& value = finding.data[trigger.key];
  if (value.is_string()) return trigger.least == 0 && value.string().contains(trigger.has);
  return value.is_integer() && trigger.has.empty() && value.integer() >= trigger.least;
}

// What sets the advisory off, as a finding whose place the new one takes.
std::optional<Finding> triggered(const Advisory& advisory, const Examination& found) {
  for (const Advisory::Trigger& trigger : advisory.triggers) {
    for (const Finding& finding : found.findings) {
      if (finding.rule == trigger.rule && inside(found, finding.artifact, trigger.formats) && says(finding, trigger))
        return Finding{"LDR001", Severity::info, finding.artifact, finding.at,
                       json::Value().set("because", trigger.rule)};
    }
  }
  return std::nullopt;
}

}  // namespace

const std::vector<Advisory>& advisories() {
  static const std::vector<Advisory> all = load();
  return all;
}

void note_advisories(Examination& found) {
  if (found.findings.empty()) return;
  std::vector<Finding> more;
  for (const Advisory& advisory : advisories()) {
    auto finding = triggered(advisory, found);
    if (!finding) continue;
    std::string in;
    json::Value loaders = json::Array{};
    for (const Advisory::Loader& loader : advisory.loaders) {
      for (const std::string& name : loader.names)
        loaders.push(json::Value().set("name", name).set("from", loader.from).set("before", loader.before));
      in += (in.empty() ? "" : ", ") + loader.names.front();
      if (!loader.before.empty() && loader.before != "unknown") in += " before " + loader.before;
    }
    finding->data.set("advisory", advisory.id)
        .set("title", advisory.title)
        .set("in", in)
        .set("loaders", std::move(loaders));
    more.push_back(std::move(*finding));
  }
  std::ranges::move(more, std::back_inserter(found.findings));
}

}  // namespace steelyard::rules
