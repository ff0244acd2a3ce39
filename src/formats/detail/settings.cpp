#include "formats/detail/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "formats/detail/packages.hpp"
#include "formats/detail/python_names.hpp"
#include "formats/detail/shell_code.hpp"
#include "wire/json_pull.hpp"

namespace steelyard::formats {
namespace {

using Names = std::initializer_list<std::string_view>;

bool among(std::string_view word, Names names) { return std::ranges::find(names, word) != names.end(); }

json::Value about(std::string_view where, std::string_view target) {
  return json::Value().set("field", text::display(where, 80)).set("target", text::to_value(target.substr(0, 256)));
}

// Every text in a value, keys left out. Values are at most as deep as JSON is, and small.
void texts_in(const json::Value& value, std::vector<std::string_view>& out) {
  if (value.is_string()) out.push_back(value.string());
  for (const json::Value& item : value.array()) texts_in(item, out);
  for (const auto& [key, item] : value.object()) texts_in(item, out);
}

// "torch.nn.GELU", "package.module:function"; "" for what is no such name.
std::string dotted(std::string_view name) {
  std::string out(name);
  std::ranges::replace(out, ':', '.');
  const bool plain = !out.empty() && out.size() <= 512 && std::ranges::all_of(out, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
  return plain ? out : std::string();
}

class Judge {
 public:
  Judge(const Document& document, Item& item, References& references)
      : document_(document), item_(item), report_(item.report()), references_(references) {}

  void run() {
    for (const Field& field : document_.fields) {
      const std::string_view key = field.key;
      if (key == "auto_map" || key == "custom_pipelines") {
        custom_classes(field);
      } else if (key == "custom_generate") {
        if (repository_name(field.value.string())) other_repository(field, field.value.string(), false);
      } else if (key == "_class_name" && field.value.is_array()) {
        if (field.value.array().size() == 2) local_code(field, field.value.array()[0].string());
      } else if (key.ends_with("_implementation") || key == "kernel_mapping") {
        kernels(field);
      } else if (key == "trust_remote_code") {
        if (field.value.boolean())
          report_.add("CFG010", field.at, json::Value().set("field", text::display(field.path, 80)));
      } else if (among(key, {"_target_", "class_path", "loader_module", "parent_library", "megatron_core", "py/object",
                             "py/type", "py/function"})) {
        callable(field, true, true);
      } else if (among(key, {"activation_function", "tokenizer_class", "module_class", "target", "entry_point",
                             "hidden_act"})) {
        callable(field, key != "target" && key != "entry_point", false);
      } else if (key == "types" && field.value.is_object()) {  // a router of sentence-transformers
        callable(field, true, false);
      } else if (serves_code(key)) {
        served_code(field);
      } else if (key == "type" || key == "path") {
        module_entry(field);
      } else if (key == "py/reduce" || key == "py/state") {
        report_.add("CFG005", field.at, about(field.path, key).set("says", "rebuilds objects of any class"));
      } else if (key == "use_safetensors") {
        if (!field.value.is_null() && !field.value.boolean())
          report_.add("CFG016", field.at, about(field.path, "false"));
      } else if (is_file(field)) {
        file(field);
      } else if (is_origin(key)) {
        origin(field);
      } else if (is_informational(key)) {
        if (const PathKind kind = path_kind(field.value.string()); kind != PathKind::plain)
          report_.add("CFG009", field.at, about(field.path, field.value.string()));
      } else if (key.ends_with("url")) {
        url(field);
      } else if (key == "chat_template") {
        templates(field);
      } else if (key == "pip" || key == "extra_pip_packages") {
        packages(field);
      } else if (is_command(key)) {
        command(field);
      }
    }
    for (const auto& [tag, at] : document_.tags) python_tag(tag, at);
    for (const auto& [key, at] : document_.duplicates)
      report_.add("CFG002", at, json::Value().set("key", text::to_value(key)));
  }

  static bool is_informational(std::string_view key) {
    return among(key, {"_name_or_path", "name_or_path", "special_tokens_map_file"});
  }
  static bool is_origin(std::string_view key) {
    return among(key,
                 {"base_model_name_or_path", "tokenizer_name_or_path", "pretrained_model_name_or_path", "backbone",
                  "hf_hub_id", "architecture", "timm_model_name", "processor_name_or_path", "repo_id", "draft_model"});
  }
  // Fields of editors, containers and package managers that hold a command.
  static bool is_command(std::string_view key) {
    return among(key, {"command", "cmd", "entrypoint", "script", "preinstall", "postinstall", "install", "prepare",
                       "prestart", "postCreateCommand", "onCreateCommand", "updateContentCommand", "postStartCommand",
                       "postAttachCommand", "initializeCommand", "run", "shell"});
  }
  // Of cog.yaml, bentofile.yaml and Ray Serve: "predict.py:Predictor", "service:svc".
  static bool serves_code(std::string_view key) { return among(key, {"predict", "train", "service", "import_path"}); }
  static bool is_file_key(std::string_view key) {
    return among(key, {"vocab_file",
                       "merges_file",
                       "tokenizer_file",
                       "spm_file",
                       "sentencepiece_model_file",
                       "emoji_file",
                       "chat_template_file",
                       "added_tokens_file",
                       "weights_name",
                       "transformers_weights",
                       "subfolder",
                       "state_dict_file",
                       "safe_weights_name",
                       "checkpoint_file",
                       "gguf_file",
                       "config_name",
                       "python_model",
                       "code",
                       "data",
                       "model_path",
                       "model_code_path",
                       "weights_path",
                       "model_file",
                       "pickled_model"});
  }

 private:
  // Words that other documents use for other things count in an MLmodel's flavours only.
  static bool is_file(const Field& field) {
    if (!is_file_key(field.key)) return false;
    const bool common = among(field.key, {"code", "data", "model_path", "python_model", "pickled_model"});
    return !common || field.path.starts_with("flavors.");
  }

  void custom_classes(const Field& field) {
    std::vector<std::string_view> names;
    if (field.key == "custom_pipelines") {
      for (const auto& [task, pipeline] : field.value.object()) texts_in(pipeline["impl"], names);
    } else {
      texts_in(field.value, names);
    }
    for (const std::string_view name : names) {
      if (name.contains("--")) {
        other_repository(field, name, false);
      } else if (const std::size_t dot = name.rfind('.'); dot != std::string_view::npos && dot > 0) {
        local_code(field, name.substr(0, dot));
      }
    }
  }

  void local_code(const Field& field, std::string_view module) {
    if (module.empty()) return;
    if (module.contains('/') || module.contains('\\') || module.starts_with('.')) {
      report_.add("CFG007", field.at, about(field.path, module));
      return;
    }
    report_.add("CFG003", field.at, about(field.path, module));
    references_.add(field.path, module, References::Kind::module, field.at);
  }

  void other_repository(const Field& field, std::string_view name, bool pinned) {
    report_.add("CFG004", field.at, about(field.path, name));
    references_.add(field.path, name, References::Kind::repository, field.at, pinned);
  }

  // transformers loads "org/name[@revision][:function]" as compiled code of the hub.
  void kernels(const Field& field) {
    std::vector<std::string_view> names;
    texts_in(field.value, names);
    for (std::string_view name : names) {
      const std::string_view whole = name;
      if (const std::size_t pipe = name.rfind('|'); pipe != std::string_view::npos) name.remove_prefix(pipe + 1);
      const std::size_t end = std::min(name.find_first_of("@:"), name.size());
      const std::string_view rest = name.substr(end);
      if (repository_name(name.substr(0, end)))
        other_repository(field, whole, rest.starts_with('@') && commit_name(rest.substr(1, 40)));
    }
  }

  void callable(const Field& field, bool unknown_too, bool bare_too) {
    std::vector<std::string_view> names;
    if (field.value.is_string() || field.key != "target") texts_in(field.value, names);
    for (const std::string_view name : names) {
      judge_callable(field.path, name, field.at, {unknown_too, bare_too}, report_);
      const std::string path = dotted(name);
      if (unknown_too && (bare_too || path.contains('.')) && !path.empty() &&
          judge_target(path).kind == Target::Kind::unknown)
        references_.add(field.path, path, References::Kind::import, field.at);
    }
  }

  void served_code(const Field& field) {
    const std::string& value = field.value.string();
    const std::size_t colon = value.find(':');
    if (colon == std::string::npos || colon == 0) return;
    const std::string code = value.substr(0, colon);
    if (code.ends_with(".py") && path_kind(code) == PathKind::plain) {
      references_.add(field.path, code, References::Kind::file, field.at);
    } else if (!dotted(code).empty() && dotted(code) == code) {
      references_.add(field.path, code, References::Kind::import, field.at);
    }
  }

  // modules.json of sentence-transformers: a list of {idx, name, path, type}.
  void module_entry(const Field& field) {
    if (document_.object || field.path != field.key || !field.value.is_string()) return;
    const std::string& value = field.value.string();
    if (field.key == "path") {
      if (!value.empty() && !bare_module(field)) file(field);
    } else if (value.contains("--")) {
      other_repository(field, value, false);
    } else if (value.contains('.')) {
      const Target target = judge_target(value);
      if (target.kind == Target::Kind::unknown) {
        local_code(field, value.substr(0, value.rfind('.')));
      } else {
        judge_callable(field.path, value, field.at, {true, false}, report_);
      }
    }
  }

  // Modules without settings have no folder in a repository: git keeps no empty ones.
  bool bare_module(const Field& path) const {
    for (const Field* field = &path; field != document_.fields.data() + document_.fields.size(); ++field) {
      if (field->key == "type" && field->path == "type") return field->value.string().ends_with(".Normalize");
    }
    return false;
  }

  void file(const Field& field) {
    const std::string& value = field.value.string();
    if (value.empty()) return;
    const PathKind kind = path_kind(value);
    // What save_pretrained wrote on the maker's machine; it names a cache that is made of the same files.
    if (kind == PathKind::absolute && (value.contains(".cache/huggingface") || value.contains("/hub/models--"))) {
      report_.add("CFG009", field.at, about(field.path, value));
    } else if (kind == PathKind::url || kind == PathKind::insecure_url) {
      url(field);
    } else if (kind != PathKind::plain) {
      report_.add("CFG007", field.at, about(field.path, value));
    } else {
      if (among(field.key, {"weights_name", "transformers_weights"}) && !value.ends_with(".safetensors") &&
          !value.ends_with(".json"))
        report_.add("CFG016", field.at, about(field.path, value));
      references_.add(field.path, value, References::Kind::file, field.at);
    }
  }

  void origin(const Field& field) {
    std::string_view value = field.value.string();
    for (const std::string_view prefix : {"hf-hub:", "hf_hub:", "local-dir:"}) {
      if (value.starts_with(prefix)) value.remove_prefix(prefix.size());
    }
    if (value.empty()) return;
    const PathKind kind = path_kind(value);
    if (kind == PathKind::share || kind == PathKind::insecure_url) {
      report_.add("CFG017", field.at, about(field.path, value));
    } else if (kind == PathKind::url) {
      url(field);
    } else if (kind == PathKind::upward) {
      report_.add("CFG018", field.at, about(field.path, value));
    } else if (kind == PathKind::absolute) {
      report_.add("CFG009", field.at, about(field.path, value));
    } else if (repository_name(value)) {
      references_.add(field.path, value, References::Kind::repository, field.at, pinned());
    }
  }

  bool pinned() const {
    return std::ranges::any_of(document_.fields, [](const Field& other) {
      return (other.key == "revision" || other.key == "base_model_revision") && commit_name(other.value.string());
    });
  }

  void url(const Field& field) {
    const std::string& value = field.value.string();
    // "url" alone is also what documents call a link for people.
    const bool people = field.key == "url" && !among(field.parent, {"pretrained_cfg", "default_cfg"});
    const PathKind kind = path_kind(value);
    if (people || (kind != PathKind::url && kind != PathKind::insecure_url && kind != PathKind::share)) return;
    report_.add(kind == PathKind::url ? "CFG008" : "CFG017", field.at, about(field.path, value));
    references_.add(field.path, value, References::Kind::url, field.at);
  }

  // One template, a list of {name, template}, or an object of them; each is an artifact of its own.
  void templates(const Field& field) {
    const auto hand_over = [&](std::string_view name, const json::Value& value) {
      const std::string& text = value.string();
      if (!text.contains('{')) return;
      const Bytes bytes = as_bytes(text);
      const MemorySource source(bytes);
      (void)item_.child(
          source,
          {.name = std::string(name) + ".jinja", .range = field.at, .encoding = "json", .loader = "transformers"});
      if (text.size() + 4 < wire::JsonPull::kKept) return;
      report_.add("LIM006", field.at,
                  json::Value().set("budget", "length of a template").set("name", text::display(name, 80)));
      item_.coverage().gaps.push_back({field.at, "more of the template than is kept"});
    };
    hand_over("chat_template", field.value);
    for (const json::Value& entry : field.value.array())
      hand_over(entry["name"].string().substr(0, 80), entry["template"]);
    for (const auto& [name, entry] : field.value.object()) hand_over(name.substr(0, 80), entry);
    if (field.path == "chat_template" && field.value.is_string())
      report_.fact("template.sha256", sha256(field.value.string()), field.at, Assurance::verified);
  }

  // The pip part of a conda environment, and MLflow's.
  void packages(const Field& field) {
    for (const json::Value& line : field.value.array()) {
      for (const PackageNote& note : judge_requirement(line.string()))
        report_.add(note.rule, field.at,
                    json::Value()
                        .set("call", text::display(note.what, 120))
                        .set("text", text::display(note.what, 120))
                        .set("says", note.says));
    }
  }

  void command(const Field& field) {
    std::string script = field.value.string();
    std::vector<std::string_view> words;
    if (field.value.is_array()) texts_in(field.value, words);
    for (const std::string_view word : words)
      script += (script.empty() ? "" : " ") + (words.size() == 1 ? std::string(word) : shell_quoted(word));
    for (const ShellAlarm& alarm : judge_shell(script))
      report_.add(alarm.rule, field.at,
                  json::Value().set("says", alarm.says).set("text", alarm.text).set("call", alarm.text));
  }

  // PyYAML's tags that build any object, and HyperPyYAML's.
  void python_tag(const std::string& tag, Range at) {
    constexpr std::string_view kPython = "tag:yaml.org,2002:python/";
    if (tag.starts_with(kPython)) {
      const std::string_view rest = std::string_view(tag).substr(kPython.size());
      const std::string_view kind = rest.substr(0, rest.find(':'));
      if (!among(kind, {"object", "object/apply", "object/new", "name", "module"})) return;
      const std::string_view name = kind.size() < rest.size() ? rest.substr(kind.size() + 1) : std::string_view();
      const Target target = judge_target(name);
      const bool called = kind.starts_with("object");
      if (target.kind == Target::Kind::harmful || (called && target.kind == Target::Kind::unknown))
        report_.add("CFG014", at, json::Value().set("tag", text::display(tag, 120)));
    } else {
      for (const std::string_view prefix : {"!new:", "!apply:", "!name:", "!module:", "!obj:"}) {
        if (tag.starts_with(prefix))
          judge_callable(prefix, std::string_view(tag).substr(prefix.size()), at, {prefix == "!apply:", true}, report_);
      }
    }
  }

  const Document& document_;
  Item& item_;
  Reporter& report_;
  References& references_;
};

}  // namespace

bool is_setting(std::string_view key) {
  return among(key, {"auto_map",
                     "custom_pipelines",
                     "custom_generate",
                     "_class_name",
                     "kernel_mapping",
                     "trust_remote_code",
                     "_target_",
                     "class_path",
                     "loader_module",
                     "parent_library",
                     "megatron_core",
                     "py/object",
                     "py/type",
                     "py/function",
                     "py/reduce",
                     "py/state",
                     "activation_function",
                     "tokenizer_class",
                     "module_class",
                     "target",
                     "entry_point",
                     "hidden_act",
                     "type",
                     "types",
                     "path",
                     "use_safetensors",
                     "revision",
                     "base_model_revision",
                     "pip",
                     "extra_pip_packages",
                     "chat_template"}) ||
         key.ends_with("_implementation") || key.ends_with("url") || Judge::is_file_key(key) ||
         Judge::is_command(key) || Judge::serves_code(key) || Judge::is_origin(key) || Judge::is_informational(key);
}

void judge_settings(const Document& document, Item& item, References& references) {
  Judge(document, item, references).run();
}

void judge_callable(std::string_view where, std::string_view name, Range at, Strictness how, Reporter& report) {
  const std::string path = dotted(name);
  if (path.empty()) return;
  const Target target = judge_target(path);
  const bool dot = path.contains('.');
  if (target.kind == Target::Kind::harmful && (dot || how.bare)) {
    report.add("CFG005", at, about(where, name).set("says", target.says));
  } else if (target.kind == Target::Kind::unknown && how.unknown && dot) {
    report.add("CFG006", at, about(where, name));
  }
}

}  // namespace steelyard::formats
