// From paths to the record: which mitigations cut which path.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "base/embedded.hpp"
#include "context/graph.hpp"
#include "rules/catalog.hpp"
#include "wire/toml.hpp"

namespace steelyard::context {
namespace {

// One kind of mitigation, from data/mitigations/<kind>.toml.
struct Kind {
  std::string kind;
  std::string text;  // "{target}" stands for the element
  std::string by;    // "gateway", "attested"
  u32 cost = 1;
  std::string applies_to;  // "tool", "carrier", "source", "memory", "sink"
  std::vector<std::string> classes;
  std::vector<std::string> capabilities;  // of tools: at least one; empty: any
  bool keeps_needed = true;               // false: it takes the element away, so not when it is needed
};

std::vector<Kind> load() {
  std::vector<Kind> kinds;
  for (const auto& file : embedded::under("mitigations/")) {
    const auto document = toml::Document::parse(std::string(file.text), "data/" + std::string(file.path));
    if (!document) throw std::logic_error(document.error().message);
    toml::Table table(**document, (*document)->root(), "mitigation");
    Kind kind;
    kind.kind = table.required_text("kind");
    kind.text = table.required_text("text");
    kind.by = table.choice("by", {"gateway", "attested"}, "gateway");
    kind.cost = static_cast<u32>(table.integer("cost").value_or(1));
    kind.applies_to = table.choice("applies_to", {"tool", "carrier", "source", "memory", "sink"}, "tool");
    kind.classes = table.texts("classes");
    kind.capabilities = table.texts("capabilities");
    kind.keeps_needed = table.flag("keeps_needed", true);
    (void)table.required_text("why");
    (void)table.required_text("limits");
    table.finish();
    if (const auto checked = (*document)->check(); !checked) throw std::logic_error(checked.error().message);
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = load();
  return all;
}

template <class T>
const T* find(const std::vector<T>& items, const std::string& id) {
  const auto found = std::ranges::find(items, id, &T::id);
  return found == items.end() ? nullptr : &*found;
}

class Analysis {
 public:
  explicit Analysis(const Context& context) : context_(context) {}

  // Ids of the mitigations that cut this path; remembers each that is used.
  std::vector<std::string> cuts(const Path& path) {
    std::set<std::string> out;
    for (const Kind& kind : kinds()) {
      if (std::ranges::find(kind.classes, path.cls) == kind.classes.end()) continue;
      for (const std::string& target : targets(kind, path)) {
        std::string id = kind.kind + ":" + target;
        if (kind.by == "attested" &&
            std::ranges::find(context_.attested, id, &Attestation::mitigation) == context_.attested.end())
          continue;
        std::string text = kind.text;
        for (std::size_t at = text.find("{target}"); at != std::string::npos;
             at = text.find("{target}", at + target.size()))
          text.replace(at, 8, target);
        used_[id] = json::Value()
                        .set("id", id)
                        .set("kind", kind.kind)
                        .set("text", text)
                        .set("by", kind.by)
                        .set("cost", kind.cost);
        out.insert(std::move(id));
      }
    }
    return {out.begin(), out.end()};
  }

  const std::map<std::string, json::Value>& used() const { return used_; }

 private:
  // The elements of the path on which this kind would break it.
  std::vector<std::string> targets(const Kind& kind, const Path& path) const {
    std::vector<std::string> out;
    if (kind.applies_to == "tool") {
      if (const Tool* tool = find(context_.tools, path.target); tool != nullptr && applies(kind, *tool, path))
        out.push_back(tool->id);
    } else if (kind.applies_to == "sink") {
      if (find(context_.sinks, path.target) != nullptr) out.push_back(path.target);
    } else if (kind.applies_to == "memory") {
      if (!path.memory.empty()) out.push_back(path.memory);
    } else {
      for (const std::string& id : {path.source, path.secret}) {
        if (id.empty()) continue;
        const Source* source = find(context_.sources, id);
        if (kind.applies_to == "source" && source != nullptr && (kind.keeps_needed || !source->needed))
          out.push_back(id);
        if (kind.applies_to == "carrier") carriers(kind, id, source, out);
      }
    }
    return out;
  }

  // Removing a tool stops what comes in through it, when nothing else brings the same source in.
  void carriers(const Kind& kind, const std::string& id, const Source* source, std::vector<std::string>& out) const {
    const std::vector<std::string> via =
        source != nullptr ? source->via : std::vector<std::string>{id.substr(id.find(':') + 1)};
    if (via.size() != 1) return;
    const Tool* tool = find(context_.tools, via.front());
    if (tool != nullptr && (kind.keeps_needed || !tool->needed)) out.push_back(tool->id);
  }

  static bool applies(const Kind& kind, const Tool& tool, const Path& path) {
    if (!kind.keeps_needed && tool.needed) return false;
    const auto has = [&](const std::string& c) {
      return std::ranges::find(tool.capabilities, c) != tool.capabilities.end();
    };
    if (!kind.capabilities.empty() && std::ranges::none_of(kind.capabilities, has)) return false;
    if (kind.kind == "isolate" || kind.kind == "pin_destinations") {
      // These change the tool, so the path is cut when the changed tool no longer ends it.
      Tool changed = tool;
      if (kind.kind == "isolate") changed.isolated = true;
      if (kind.kind == "pin_destinations") changed.destinations = "listed";
      return path.cls == "confidentiality" ? !egress(changed) : !consequential(changed);
    }
    return true;
  }

  const Context& context_;
  std::map<std::string, json::Value> used_;
};

json::Value ids(const auto& items) {
  std::vector<std::string> sorted;
  for (const auto& item : items) sorted.push_back(item.id);
  std::ranges::sort(sorted);
  json::Value list = json::Array{};
  for (const auto& id : sorted) list.push(id);
  return list;
}

std::string rule(const std::string& cls) {
  return cls == "integrity" ? "CTX001" : cls == "confidentiality" ? "CTX002" : "CTX003";
}

}  // namespace

evidence::Record analyze(const Context& context) {
  evidence::Record record;
  record.kind = "context";
  record.subjects.push_back({"context", "context.toml", digest(context), json::canonical(encode(context)).size()});
  record.method = {
      .tool = STEELYARD_VERSION, .analyzer = 1, .rules = rules::pack_digest(), .engine = {}, .seed = {}, .uses = {}};
  const auto fact = [&](std::string key, json::Value value, Assurance assurance) {
    record.found.facts.push_back({std::move(key), std::move(value), std::nullopt, std::nullopt, assurance});
  };
  fact("context.name", context.name, Assurance::claimed);
  fact("context.title", context.title, Assurance::claimed);
  for (const auto& [key, value] : {std::pair("context.use", &context.use),
                                   {"context.data", &context.data},
                                   {"context.network", &context.network},
                                   {"context.limits", &context.limits}})
    fact(key, *value, Assurance::claimed);
  fact("context.sources", ids(context.sources), Assurance::claimed);
  fact("context.tools", ids(context.tools), Assurance::claimed);
  fact("context.memory", ids(context.memory), Assurance::claimed);
  fact("context.sinks", ids(context.sinks), Assurance::claimed);
  fact("context.assumption", "No attack rate was measured for this model: every attack is assumed to succeed.",
       Assurance::verified);

  Analysis analysis(context);
  for (const Path& path : scenarios(context)) {
    json::Value steps = json::Array{};
    for (const std::string& step : {path.source, path.secret, path.memory, std::string("model"), path.target}) {
      if (!step.empty()) steps.push(step);
    }
    json::Value cuts = json::Array{};
    for (const std::string& id : analysis.cuts(path)) cuts.push(id);
    json::Value data =
        json::Value().set("id", path.id).set("class", path.cls).set("text", path.text).set("source", path.source);
    if (!path.secret.empty()) data.set("private", path.secret);
    data.set("target", path.target).set("path", std::move(steps)).set("cuts", std::move(cuts));
    const rules::Rule* known = rules::find(rule(path.cls));
    record.found.findings.push_back({rule(path.cls), known != nullptr ? known->severity : Severity::high, std::nullopt,
                                     std::nullopt, std::move(data)});
  }
  for (const auto& [id, value] : analysis.used()) fact("context.mitigation", value, Assurance::verified);
  return record;
}

}  // namespace steelyard::context
