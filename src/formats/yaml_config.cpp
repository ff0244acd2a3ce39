// YAML documents of a model's repository: Hydra and OmegaConf configurations, hyperparameters of
// SpeechBrain, MLmodel of MLflow, and any other *.yaml. Read as libyaml does.
//
// Spec: YAML 1.1; hydra.utils.instantiate, mlflow.pyfunc. Attacks resisted: callables by name (T10: Hydra's
// _target_, CVE-2025-23304), tags that build Python objects, alias bombs.
// Tested by data/rules/CFG/, tests/unit/document_test.cpp, tests/oracle/repository_test.py; fuzzed.

#include <algorithm>

#include "base/text.hpp"
#include "formats/detail/settings.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"
#include "wire/yaml.hpp"

namespace steelyard::formats {
namespace {

void parse(Item& item) {
  Reporter& report = item.report();
  Coverage& coverage = item.coverage();
  const std::string name = text::display(item.name(), 80);
  const auto broken = check_whole_text(item);
  const Document document = DocumentReader{.wanted = is_setting}.yaml(item.source(), 0, item.size());
  References references;
  judge_settings(document, item, references);
  references.report(report);
  if (document.unfolds)
    report.add("CFG019", std::nullopt,
               json::Value().set("name", name).set("count", wire::YamlPull::kLargest).set("what", "values"));
  const bool large = item.size() > wire::YamlPull::kLargest;
  coverage.examined = std::min({item.size(), wire::YamlPull::kLargest, broken.value_or(UINT64_MAX)});
  if (!document.fault.empty() || broken) {
    const u64 at = document.fault.empty() ? coverage.examined : std::min(document.read, item.size());
    coverage.examined = at;
    report.add("CFG001", Range{at, at},
               json::Value().set("name", name).set("fault", broken ? "it is no text" : document.fault));
    coverage.gaps.push_back({{at, item.size()}, "the document is broken there"});
  } else if (large || document.cut) {
    report.add("LIM006", std::nullopt, json::Value().set("budget", "number of settings").set("name", name));
    coverage.gaps.push_back({{large ? wire::YamlPull::kLargest : 0, item.size()}, "more of the document than is read"});
  }
}

int sniff(const Sniff& sniff) {
  const std::string name = text::lower(sniff.name);
  const bool named = name.ends_with(".yaml") || name.ends_with(".yml") || name == "mlmodel" || name == "mlproject" ||
                     name == "hyperparams";
  return named && looks_like_text(as_text(sniff.head)) ? 40 : 0;
}

}  // namespace

extern const Format yaml_config_format;
const Format yaml_config_format{
    "yaml_config", "configuration of a model (YAML)", "yaml,yml,MLmodel", "YAML 1.1; Hydra, MLflow, HyperPyYAML", sniff,
    parse};

}  // namespace steelyard::formats
