#include "stack/vex.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "stack/bom.hpp"

namespace steelyard::stack {
namespace {

// "b8146" -> 8146.
std::optional<u32> release_number(std::string_view text) {
  u32 number = 0;
  if (!text.starts_with('b')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// Whether the build's options leave a component out: nothing when they don't mention it.
std::optional<bool> left_out(const evidence::Record& record, const std::string& option) {
  const Fact* flags = record.found.fact("stack.flags");
  if (flags == nullptr || option.empty()) return std::nullopt;
  std::optional<bool> out;
  for (const json::Value& one : flags->value["options"].array()) {
    const std::string& text = one.string();
    if (text.starts_with(option + "=")) out = text == option + "=OFF";
  }
  return out;
}

std::string_view openvex_status(Answer::Status status) {
  switch (status) {
    case Answer::Status::not_affected:
      return "not_affected";
    case Answer::Status::affected:
      return "affected";
    case Answer::Status::fixed:
      return "fixed";
    case Answer::Status::under_investigation:
      break;
  }
  return "under_investigation";
}

std::string_view cyclonedx_state(Answer::Status status) {
  switch (status) {
    case Answer::Status::not_affected:
      return "not_affected";
    case Answer::Status::affected:
      return "exploitable";
    case Answer::Status::fixed:
      return "resolved";
    case Answer::Status::under_investigation:
      break;
  }
  return "in_triage";
}

std::vector<const evidence::Subject*> programs_of(const evidence::Record& record, const rules::Advisory& advisory) {
  std::vector<const evidence::Subject*> out;
  for (const auto& subject : record.subjects) {
    if (subject.role != "binary") continue;
    const std::string name = subject.path.substr(subject.path.rfind('/') + 1);
    const bool named = std::ranges::any_of(advisory.loaders, [&](const auto& loader) {
      return std::ranges::find(loader.names, name) != loader.names.end();
    });
    if (named) out.push_back(&subject);
  }
  return out;
}

// The loader entry that speaks of the build's programs.
const rules::Advisory::Loader* loader_of(const evidence::Record& record, const rules::Advisory& advisory) {
  const auto programs = programs_of(record, advisory);
  for (const auto& loader : advisory.loaders) {
    for (const auto* program : programs) {
      if (std::ranges::find(loader.names, program->path.substr(program->path.rfind('/') + 1)) != loader.names.end())
        return &loader;
    }
  }
  return nullptr;
}

}  // namespace

std::vector<Answer> answers(const evidence::Record& record, const std::vector<rules::Advisory>& advisories) {
  const Fact* upstream = record.found.fact("stack.upstream");
  const std::string release = upstream == nullptr ? std::string() : upstream->value["release"].string();
  std::vector<Answer> out;
  for (const rules::Advisory& advisory : advisories) {
    const auto* loader = loader_of(record, advisory);
    if (loader == nullptr) continue;
    Answer answer{&advisory, Answer::Status::under_investigation,
                  "the release that fixes it can't be compared with this one"};
    const auto absent = left_out(record, advisory.option);
    const auto fixed = release_number(loader->before);
    const auto ours = release_number(release);
    if (absent == true) {
      answer.status = Answer::Status::not_affected;
      answer.why = fmt::format("{} is left out of this build ({}=OFF)", advisory.component, advisory.option);
    } else if (fixed && ours && *fixed <= *ours) {
      answer.status = Answer::Status::fixed;
      answer.why = fmt::format("fixed in {}; the commit that was built is not older than {}", loader->before, release);
    } else if (loader->before.empty()) {
      answer.status = Answer::Status::affected;
      answer.why = advisory.action.empty() ? "no fix is known" : advisory.action;
    }
    out.push_back(std::move(answer));
  }
  return out;
}

json::Value vex_cyclonedx(const evidence::Record& record, const std::vector<Answer>& answers) {
  json::Value document = cyclonedx(record);
  json::Value list = json::Array{};
  for (const Answer& answer : answers) {
    json::Value affects = json::Array{};
    for (const auto* program : programs_of(record, *answer.advisory))
      affects.push(json::Value().set("ref", "program:" + program->path));
    json::Value analysis = json::Value().set("state", cyclonedx_state(answer.status));
    if (answer.status == Answer::Status::not_affected) analysis.set("justification", "code_not_present");
    if (answer.status == Answer::Status::affected) analysis.set("response", json::Array{"workaround_available"});
    analysis.set("detail", answer.why);
    json::Value advisories = json::Array{};
    for (const std::string& reference : answer.advisory->references)
      advisories.push(json::Value().set("url", reference));
    list.push(json::Value()
                  .set("bom-ref", "vulnerability:" + answer.advisory->id)
                  .set("id", answer.advisory->id)
                  .set("description", answer.advisory->title)
                  .set("advisories", std::move(advisories))
                  .set("analysis", std::move(analysis))
                  .set("affects", std::move(affects)));
  }
  document.set("vulnerabilities", std::move(list));
  return document;
}

json::Value openvex(const evidence::Record& record, const std::vector<Answer>& answers) {
  json::Value list = json::Array{};
  for (const Answer& answer : answers) {
    json::Value components = json::Array{};
    for (const auto* program : programs_of(record, *answer.advisory))
      components.push(json::Value()
                          .set("@id", "pkg:generic/" + program->path.substr(program->path.rfind('/') + 1))
                          .set("hashes", json::Value().set("sha-256", program->sha256)));
    json::Value products =
        json::Array{json::Value().set("@id", upstream_purl(record)).set("subcomponents", std::move(components))};
    json::Value statement =
        json::Value()
            .set("vulnerability",
                 json::Value().set("name", answer.advisory->id).set("description", answer.advisory->title))
            .set("products", std::move(products))
            .set("status", openvex_status(answer.status));
    if (answer.status == Answer::Status::not_affected)
      statement.set("justification", "component_not_present").set("impact_statement", answer.why);
    else if (answer.status == Answer::Status::affected)
      statement.set("action_statement", answer.why);
    else
      statement.set("status_notes", answer.why);
    list.push(std::move(statement));
  }
  return json::Value()
      .set("@context", "https://openvex.dev/ns/v0.2.0")
      .set("@id", "urn:uuid:" + document_uuid(record, "vex"))
      .set("author", "steelyard")
      .set("timestamp", record.run.at)
      .set("version", 1)
      .set("tooling", fmt::format("steelyard {}", record.method.tool))
      .set("statements", std::move(list));
}

}  // namespace steelyard::stack
