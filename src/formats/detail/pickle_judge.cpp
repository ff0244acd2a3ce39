#include "formats/detail/pickle_judge.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "formats/detail/pickle_text_rules.hpp"

namespace steelyard::formats {
namespace {

using wire::pickle::Form;
using wire::pickle::Kind;
using wire::pickle::Node;
using wire::pickle::python;

constexpr std::size_t kMostName = 200;

const std::vector<wire::pickle::Value>* items_of(const wire::pickle::Machine& machine,
                                                 const wire::pickle::Value& tuple) {
  const Node* node = tuple.is(Kind::tuple) ? machine.node(tuple) : nullptr;
  return node != nullptr && node->items.size() == node->length ? &node->items : nullptr;
}

}  // namespace

void PickleFindings::add(PickleIssue issue) {
  // The same call again and again is one issue.
  for (const PickleIssue& known : issues)
    if (known.rule == issue.rule && known.name == issue.name && (known.call == issue.call || !known.name.empty())) {
      ++more_issues;
      return;
    }
  if (issues.size() < kMostIssues) {
    issues.push_back(std::move(issue));
  } else {
    ++more_issues;
  }
}

PickleJudge::PickleJudge(PickleFindings& findings, std::string_view loader, Scope scope)
    : findings_(findings),
      loader_(loader),
      scope_(scope),
      lookup_([this](const Value& global) -> const gadgets::Entry& { return use_of(*machine_, global).entry; }) {}

PickleJudge::Use& PickleJudge::use_of(const Machine& machine, const Value& global) {
  if (uses_.size() <= global.node) uses_.resize(global.node + 1);
  auto& use = uses_[global.node];
  if (!use) {
    const auto& known = machine.global(global);
    use = std::make_unique<Use>();
    use->entry = gadgets::look_up(known.module, known.name, known.protocol);
    if (known.cut) {
      use->entry.rules.clear();
      use->entry.unresolved = true;
    }
  }
  return *use;
}

void PickleJudge::issue(std::string_view rule, const Machine& machine, const Event& event, const std::string& name,
                        std::string_view what) {
  findings_.add(
      {rule, {event.at, event.end}, python(machine, event), text::display(name, kMostName), std::string(what)});
}

void PickleJudge::event(const Machine& machine, const Event& event) {
  machine_ = &machine;
  ++findings_.events;
  switch (event.what) {
    case Event::What::import:
      return imported(machine, event);
    case Event::What::call:
    case Event::What::instantiate:
    case Event::What::create:
      return called(machine, event);
    case Event::What::build:
      remember_dtype(machine, event);
      return changed(machine, event, "build");
    case Event::What::extend:
      return changed(machine, event, "extend");
    case Event::What::set_item:
      return changed(machine, event, "set");
    case Event::What::add:
      return changed(machine, event, "add");
    case Event::What::persistent:
      return persistent(machine, event);
    case Event::What::extension:
      if (scope_ == Scope::all && !event.after_fault) issue("PKL016", machine, event, "", "");
      return;
  }
}

void PickleJudge::imported(const Machine& machine, const Event& event) {
  if (machine.temporary(event.target) && event.target.node < uses_.size()) {
    if (uses_[event.target.node]) report_import(*uses_[event.target.node]);
    uses_[event.target.node].reset();
  }
  Use& use = use_of(machine, event.target);
  if (use.at.end != 0) return;
  use.at = {event.at, event.end};
  use.after_fault = event.after_fault;
  if (scope_ == Scope::harm || event.after_fault) return;
  if (findings_.globals.size() < PickleFindings::kMostGlobals)
    findings_.globals.try_emplace(text::display(use.entry.full(), kMostName), event.at);
  if (!use.entry.weights && findings_.not_weights.empty())
    findings_.not_weights = text::display(use.entry.full(), kMostName);
}

void PickleJudge::called(const Machine& machine, const Event& event) {
  ++findings_.calls;
  if (event.target.is(Kind::global)) return called_global(machine, event, use_of(machine, event.target));
  if (const Value* named = loader_ == "torch" ? PickleRules::module_class(machine, event.target) : nullptr)
    return called_global(machine, event, use_of(machine, *named));
  if (scope_ == Scope::harm || event.after_fault) return;
  const PickleRules rules(machine, lookup_);
  const std::string type = rules.type_of(event.target);
  if (!type.empty()) {
    const gadgets::Entry entry = PickleRules::entry_of(type);
    const Ruling ruling =
        rules.rule(entry, event.what == Event::What::create ? "create" : "invoke", items_of(machine, event.argument));
    if (ruling.allowed) {
      return reserve(machine, event, entry, ruling);
    }
  }
  issue("PKL003", machine, event, "", "");
}

void PickleJudge::called_global(const Machine& machine, const Event& event, Use& use) {
  const PickleRules rules(machine, lookup_);
  const auto* arguments = items_of(machine, event.argument);
  if (scope_ == Scope::harm || event.after_fault) {
    const bool known = !use.entry.harm.empty() || use.entry.known >= gadgets::Known::library;
    if (known && use.entry.rules.empty() && !use.entry.unresolved) refuse(machine, event, use, {}, "call");
    return;
  }
  if (arguments != nullptr) cost_.add(machine, use.entry, *arguments, event.result);
  const bool keywords = event.what == Event::What::create && !event.keywords.is(Kind::absent);
  std::string_view action = event.what == Event::What::create ? "create" : "call";
  if (use.entry.module == "copyreg" && use.entry.name.starts_with("__newobj") && event.what == Event::What::call) {
    // copyreg.__newobj__(class, *arguments): class.__new__(class, *arguments).
    if (arguments == nullptr || arguments->empty() || !(*arguments)[0].is(Kind::global))
      return issue("PKL003", machine, event, "", "");
    Use& made = use_of(machine, (*arguments)[0]);
    const std::vector<Value> rest(arguments->begin() + 1, arguments->end());
    cost_.add(machine, made.entry, rest, event.result);
    const Ruling ruling = rules.rule(made.entry, "create", &rest);
    if (!ruling.allowed) refuse(machine, event, made, ruling, "create");
    return;
  }
  Ruling ruling =
      rules.rule(use.entry, action, keywords && arguments != nullptr && arguments->empty() ? nullptr : arguments);
  // INST and OBJ without arguments create an instance of a class and call a function.
  if (!ruling.allowed && event.what == Event::What::instantiate && arguments != nullptr && arguments->empty())
    ruling = rules.rule(use.entry, "create", arguments);
  if (!ruling.allowed) return refuse(machine, event, use, ruling, action);
  reserve(machine, event, use.entry, ruling);
  if (use.entry.module == "torch.storage" && arguments != nullptr && !arguments->empty()) {
    if (const auto given = bytes_of(machine, (*arguments)[0]))
      add_nested(*given, true);
    else
      issue("PKL021", machine, event, use.entry.full(), "");
  }
  if (use.entry.module == "_codecs" && arguments != nullptr && !arguments->empty() &&
      machine.text((*arguments)[0], 2) == "\xc2\x80")
    add_nested((*arguments)[0]);
}

// A literal, or the text that pickles older than protocol 3 have in its place. Nothing: computed otherwise.
std::optional<wire::pickle::Value> PickleJudge::bytes_of(const Machine& machine, const Value& value) {
  if (value.is(Kind::bytes) || value.is(Kind::text)) return value;
  const Node* made = machine.node(value);
  if (!value.is(Kind::object) || made == nullptr || made->items.size() < 2 || !made->items[0].is(Kind::global))
    return std::nullopt;
  const auto* arguments = items_of(machine, made->items[1]);
  const bool encodes = use_of(machine, made->items[0]).entry.full() == "_codecs.encode" && arguments != nullptr &&
                       arguments->size() == 2 && (*arguments)[0].is(Kind::text) && (*arguments)[1].is(Kind::text);
  if (!encodes || !machine.text((*arguments)[1]).starts_with("latin")) return std::nullopt;
  return (*arguments)[0];
}

// What is allowed only to somebody who trusts the file's maker.
void PickleJudge::reserve(const Machine& machine, const Event& event, const gadgets::Entry& entry,
                          const Ruling& ruling) {
  if (ruling.trust) issue("PKL021", machine, event, entry.full(), "");
  if (ruling.native) issue("PKL024", machine, event, entry.full(), "");
}

// Nothing allows it: how bad is it?
void PickleJudge::refuse(const Machine& machine, const Event& event, Use& use, const Ruling& ruling,
                         std::string_view action) {
  const gadgets::Entry& entry = use.entry;
  const bool calls = action == "call" || event.what == Event::What::instantiate;
  std::string_view rule = "PKL006";
  const std::string_view what = entry.harm.empty() ? "calls a function that no pickle needs" : entry.harm;
  if (entry.unresolved) {
    rule = "PKL003";
  } else if (ruling.storage) {
    rule = "PKL020";
  } else if (event.after_fault || scope_ == Scope::harm) {
    rule = event.after_fault ? "PKL009" : harm_rule_;
  } else if (!entry.harm.empty()) {
    rule = harm_rule_;
  } else if (entry.traversal) {
    rule = "PKL005";
  } else if (PickleRules::acts(entry)) {
    // Allowed in another way: a class that is called, arguments that no library writes.
    rule = PickleRules::risky(entry) ? "PKL004" : "PKL007";
  } else if (entry.known == gadgets::Known::strict || (entry.known == gadgets::Known::library && calls) ||
             (entry.known == gadgets::Known::package && calls && !gadgets::class_like(entry.name))) {
    rule = "PKL004";
  } else if (calls && suspicious_arguments(machine, event.argument, 0)) {
    rule = "PKL008";
  }
  use.reported = true;
  issue(rule, machine, event, entry.full(), what);
}

bool PickleJudge::suspicious_arguments(const Machine& machine, const Value& value, int depth) const {
  if (value.is(Kind::text) || value.is(Kind::bytes)) return text_rules::suspicious(machine.text(value));
  const Node* node = machine.node(value);
  if (node == nullptr || depth > 3 || value.is(Kind::object)) return false;
  return std::ranges::any_of(node->items,
                             [&](const Value& item) { return suspicious_arguments(machine, item, depth + 1); });
}

// BUILD, APPENDS, SETITEMS and ADDITEMS on something that isn't a built-in container.
void PickleJudge::changed(const Machine& machine, const Event& event, std::string_view action) {
  if (scope_ == Scope::harm || event.after_fault) return;
  if (event.target.is(Kind::global)) {
    // A class, a function or a module gets new attributes or items.
    Use& use = use_of(machine, event.target);
    use.reported = true;
    return issue("PKL010", machine, event, use.entry.full(), use.entry.harm);
  }
  if (action == "set" && event.target.is(Kind::persistent) && loader_ == "torch")
    return issue("PKL023", machine, event, "", "");
  if (!event.target.is(Kind::object)) return issue("PKL014", machine, event, "", "");
  if (machine.node(event.target) == nullptr) return issue("PKL014", machine, event, "", "");
  const PickleRules rules(machine, lookup_);
  const std::string type = rules.type_of(event.target);
  if (type.empty()) return;  // what it is was reported when it was called
  const gadgets::Entry entry = PickleRules::entry_of(type);
  const std::vector<Value> state = {event.argument};
  const Ruling ruling = rules.rule(entry, action, &state);
  if (ruling.allowed) {
    return reserve(machine, event, entry, ruling);
  }
  if (entry.rules.empty()) return;  // the same
  if (action == "set" && (type == "torch:Tensor" || type == "torch.nn:Parameter" || type == "torch:Storage"))
    return issue("PKL023", machine, event, entry.full(), "");
  const std::string_view rule = PickleRules::risky(entry) ? "PKL004" : "PKL007";
  issue(entry.harm.empty() ? rule : harm_rule_, machine, event, entry.full(), entry.harm);
}

// torch: ('storage', class, key, location, elements[, view]).
void PickleJudge::persistent(const Machine& machine, const Event& event) {
  if (scope_ == Scope::harm || event.after_fault) return;
  const auto* id = items_of(machine, event.argument);
  const bool storage = id != nullptr && id->size() >= 5 && id->size() <= 6 && (*id)[0].is(Kind::text) &&
                       machine.text((*id)[0]) == "storage" && (*id)[1].is(Kind::global) && (*id)[2].is(Kind::text) &&
                       (*id)[4].is(Kind::integer) && (*id)[4].form == Form::plain && (*id)[4].integer >= 0;
  if (!storage) {
    const bool module = id != nullptr && !id->empty() && (*id)[0].is(Kind::text) && machine.text((*id)[0]) == "module";
    // torch before 1.0 wrote a module's source beside it; another loader's ids mean what it likes.
    if (loader_ == "torch" && !module) issue("PKL017", machine, event, "", "");
    return;
  }
  if (findings_.storages.size() < PickleFindings::kMostStorages)
    findings_.storages.push_back({text::display(machine.text((*id)[2]), 64), static_cast<u64>((*id)[4].integer),
                                  use_of(machine, (*id)[1]).entry.name});
}

void PickleJudge::report_import(const Use& use) {
  const gadgets::Entry& entry = use.entry;
  if (use.at.end == 0 || use.reported || use.after_fault || !entry.rules.empty() || scope_ == Scope::harm) return;
  const std::string_view rule = entry.unresolved      ? "PKL003"
                                : !entry.harm.empty() ? "PKL002"
                                : entry.traversal     ? "PKL005"
                                                      : "PKL006";
  const std::string name = text::display(entry.full(), kMostName);
  findings_.add({rule, use.at, "import " + name, name, std::string(entry.harm)});
}

void PickleJudge::finish() {
  for (const auto& use : uses_)
    if (use) report_import(*use);
}

}  // namespace steelyard::formats
