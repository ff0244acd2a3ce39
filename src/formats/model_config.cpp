// JSON documents that loaders pick by name: config.json, generation_config.json, tokenizer_config.json,
// special_tokens_map.json, adapter_config.json, *processor_config.json, model_index.json, modules.json,
// quantize_config.json, vocab.json and every other *.json. Read in the dialect of Python's json module.
//
// Spec: RFC 8259; the loaders of transformers, diffusers, PEFT, sentence-transformers, timm. Attacks resisted:
// see detail/settings.hpp; components of a pipeline that name any module; padding, equal keys, nesting.
// Memory is bounded whatever the size. Tested by data/rules/CFG/, tests/unit/document_test.cpp; fuzzed.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "formats/detail/python_names.hpp"
#include "formats/detail/settings.hpp"
#include "formats/detail/special_tokens.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/detail/token_mapping.hpp"
#include "formats/detail/token_programs.hpp"
#include "formats/format.hpp"
#include "wire/json_pull.hpp"

namespace steelyard::formats {
namespace {

bool is_fact(std::string_view key) {
  return key == "model_type" || key == "architectures" || key == "quant_method" || key == "_diffusers_version" ||
         key == "idx" || key == "peft_type" || key == "transformers_version";
}

void facts(const Document& document, Reporter& report) {
  const auto text_fact = [&](std::string_view path, std::string key) {
    const Field* field = document.find(path);
    if (field != nullptr && field->value.is_string())
      report.fact(std::move(key), text::prefix(field->value.string(), 256), field->at, Assurance::claimed);
  };
  text_fact("model_type", "model.architecture");
  text_fact("quantization_config.quant_method", "model.quantization_method");
  text_fact("peft_type", "model.adapter");
  if (const Field* base = document.find("base_model_name_or_path");
      base != nullptr && repository_name(base->value.string()))
    report.fact("identity.base",
                json::Value().push(json::Value().set("repository", base->value.string().substr(0, 256))), base->at,
                Assurance::claimed);
}

// model_index.json: every component is [library, class]; diffusers imports the library, whatever it is.
void pipeline_components(Item& item, References& references) {
  const Document whole = DocumentReader{.wanted = [](std::string_view) { return true; }}.json(item.source());
  for (const Field& field : whole.fields) {
    if (field.path != field.key || !field.value.is_array() || field.key == "_class_name") continue;
    const auto& parts = field.value.array();
    if (parts.size() < 2 || !parts[0].is_string() || !parts[1].is_string()) continue;
    const std::string& library = parts[0].string();
    const Target target = judge_target(library);
    const auto data = [&] {
      return json::Value()
          .set("field", text::display(field.key, 80))
          .set("target", text::prefix(library + "." + parts[1].string(), 256));
    };
    if (target.kind == Target::Kind::harmful) {
      item.report().add("CFG005", field.at, data().set("says", target.says));
    } else if (target.kind == Target::Kind::unknown && !diffusers_pipeline(library)) {
      item.report().add("CFG006", field.at, data());
      // <component>/<library>.py of the folder, or a module that is found as any other.
      references.add(field.path, fmt::format("{}.{}", field.key, library), References::Kind::import, field.at);
      references.add(field.path, library, References::Kind::import, field.at);
    }
  }
}

// Manifests of registries (OCI, Ollama): a store names its files by the digests.
void digests(const Document& document, Reporter& report) {
  if (std::ranges::find(document.top, "schemaVersion") == document.top.end()) return;
  for (const Field& field : document.fields) {
    if (field.key != "digest") continue;
    std::string_view digest = field.value.string();
    if (const std::size_t colon = digest.find(':'); colon != std::string_view::npos) digest.remove_prefix(colon + 1);
    if (path_kind(digest) != PathKind::plain)
      report.add("CFG007", field.at,
                 json::Value()
                     .set("field", text::display(field.path, 80))
                     .set("target", text::display(field.value.string(), 256)));
  }
}

// MAR-INF/MANIFEST.json of TorchServe: the file of the handler, which is imported, stands beside MAR-INF.
void archive_manifest(Item& item, References& references) {
  const Document whole =
      DocumentReader{.wanted = [](std::string_view key) { return key == "model"; }}.json(item.source());
  const Field* model = whole.find("model");
  if (model == nullptr) return;
  static constexpr std::array<std::string_view, 7> kOwn = {"image_classifier", "image_segmenter", "object_detector",
                                                           "text_classifier",  "text_handler",    "vision_handler",
                                                           "base_handler"};
  for (const std::string_view key : {"handler", "modelFile"}) {
    const std::string& value = model->value[key].string();
    const std::string file = value.substr(0, value.find(':'));  // file:function
    if (const PathKind kind = path_kind(file); kind != PathKind::plain) {
      item.report().add("CFG007", model->at, json::Value().set("field", key).set("target", text::display(value, 256)));
    } else if (!file.empty() && std::ranges::find(kOwn, file) == kOwn.end()) {
      references.add(key, "../" + file + (file.ends_with(".py") ? "" : ".py"), References::Kind::file, model->at);
    }
  }
}

// vocab.json of byte-pair tokenizers: {token: number}.
void vocabulary(Item& item) {
  Cursor in(item.source());
  wire::JsonPull pull(in, wire::JsonPull::Dialect::python);
  using Token = wire::JsonPull::Token;
  if (pull.next() != Token::object) return;
  TokenMapping mapping;
  while (pull.next() == Token::key) {
    const std::string token = pull.content();
    const Token value = pull.next();
    if (const auto id = value == Token::number ? pull.unsigned_integer() : std::nullopt) {
      mapping.add(*id, token);
    } else {
      pull.skip(value);
    }
  }
  mapping.report(item.report());
}

void parse(Item& item) {
  Reporter& report = item.report();
  Coverage& coverage = item.coverage();
  const std::string name = text::display(item.name(), 80);
  const DocumentReader reader{
      .wanted = [](std::string_view key) { return is_setting(key) || is_fact(key) || key == "digest"; },
      .text = [&](std::string_view, std::string_view text, Range at) { check_text(text, at.begin, name, report); }};
  const Document document = reader.json(item.source());
  References references;
  judge_settings(document, item, references);
  const std::string low = text::lower(item.name());
  if (document.find("_class_name") != nullptr &&
      (document.find("_diffusers_version") != nullptr || low == "model_index.json"))
    pipeline_components(item, references);
  digests(document, report);
  if (low == "manifest.json") archive_manifest(item, references);
  facts(document, report);
  special_tokens(item);
  if (low == "vocab.json") vocabulary(item);
  references.report(report);
  coverage.examined = document.fault.empty() ? item.size() : std::min(document.read, item.size());
  if (!document.fault.empty()) {
    report.add("CFG001", Range{coverage.examined, coverage.examined},
               json::Value().set("name", name).set("fault", document.fault));
    coverage.gaps.push_back({{coverage.examined, item.size()}, "the document is broken there"});
  } else if (document.cut) {
    report.add("LIM006", std::nullopt, json::Value().set("budget", "number of settings").set("name", name));
    coverage.gaps.push_back({{0, item.size()}, "more settings than are kept"});
  }
}

int sniff(const Sniff& sniff) {
  const std::string_view text = as_text(sniff.head);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || (text[first] != '{' && text[first] != '[')) return 0;
  const std::string name = text::lower(sniff.name);
  if (name.ends_with(".json")) return 40;
  if (name.ends_with(".jsonl") || !looks_like_text(text)) return 0;
  const std::size_t next = text.find_first_not_of(" \t\r\n", first + 1);
  if (next == std::string_view::npos) return 0;
  const std::string_view begins = text[first] == '{' ? "\"}" : "{[\"0123456789-";
  return begins.contains(text[next]) ? 12 : 0;
}

}  // namespace

extern const Format model_config_format;
const Format model_config_format{"model_config", "configuration of a model (JSON)",
                                 "json",         "RFC 8259; transformers, diffusers, PEFT, sentence-transformers",
                                 sniff,          parse};

}  // namespace steelyard::formats
