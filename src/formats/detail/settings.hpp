// Settings: the fields of configuration files, JSON or YAML, that redirect what a loader loads or reach
// code, and what is wrong with them (rules CFG).
//
// The libraries whose loaders are covered: transformers, diffusers, PEFT, sentence-transformers, timm, kernels, Hydra
// and OmegaConf, PyTorch Lightning, HyperPyYAML, MLflow, jsonpickle. A field is judged by its own name
// wherever it stands, in whichever file: loaders nest configurations in each other. Attack resisted:
// T10, T11 of a threat list that every hub scanner misses: code of another repository, callables by name,
// paths that leave the folder. Pure; thread-safe. Tested by data/rules/CFG/; fuzzed.
#pragma once

#include "formats/detail/document.hpp"
#include "formats/detail/references.hpp"

namespace steelyard::formats {

// Whether judge_settings looks at the values of such a key.
bool is_setting(std::string_view key);

// Adds findings and references. Facts about the model are the caller's.
void judge_settings(const Document& document, Item& item, References& references);

// A name of a Python callable or module in the field `where`: CFG005, CFG006. `unknown`: one of an
// unknown library counts; `bare`: one without a dot too, which in other fields is a word of their own.
struct Strictness {
  bool unknown;
  bool bare;
};
void judge_callable(std::string_view where, std::string_view name, Range at, Strictness how, Reporter& report);

}  // namespace steelyard::formats
