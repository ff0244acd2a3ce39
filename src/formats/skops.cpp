// schema.json of a .skops archive: the tree of nodes from which skops rebuilds a scikit-learn object.
//
// Spec: skops.io, protocols 0 to 2. Every node names a class or function by module and name, and the loader takes
// them from there. Attacks resisted: callables with an effect as functions, operator.methodcaller and methods that
// are reached through others (CVE-2025-54412, CVE-2025-54413). Walked, never kept: memory is the depth.
// Tested by data/rules/CFG/CFG005.toml; fuzzed.

#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"
#include "formats/detail/gadgets.hpp"
#include "formats/detail/python_names.hpp"
#include "formats/format.hpp"
#include "wire/json_pull.hpp"

namespace steelyard::formats {
namespace {

using Token = wire::JsonPull::Token;

constexpr std::size_t kMostNames = 4096;
constexpr std::size_t kLongestName = 256;

// The members of a node that name something.
enum Member : u8 { module, name, loader, module_path, function, method };
constexpr std::array<std::string_view, 6> kMembers = {"__module__",  "__class__", "__loader__",
                                                      "module_path", "function",  "func"};
using Node = std::array<std::string, kMembers.size()>;

// What the named thing does that no part of an object has to.
std::string harm(const std::string& from, const std::string& what) {
  const gadgets::Entry entry = gadgets::look_up(from, what, 5);
  if (!entry.harm.empty()) return std::string(entry.harm);
  const std::string whole = from + "." + what;
  if (whole == "operator.methodcaller") return "calls any method by its name";
  if (const Effect* effect = effect_of(whole); effect != nullptr && effect->id != "reach" && effect->id != "files")
    return effect->says;
  if (entry.traversal) return "reaches through another object";
  return {};
}

class Tree {
 public:
  explicit Tree(Item& item) : item_(item) {}

  void run() {
    Cursor in(item_.source());
    wire::JsonPull pull(in, wire::JsonPull::Dialect::python, kLongestName);
    std::vector<Node> open;
    for (Token token = pull.next(); token != Token::end && token != Token::fault;) {
      if (token == Token::object) open.emplace_back();
      if (token == Token::end_object && !open.empty()) {
        judge(open.back(), {pull.offset(), pull.offset() + 1});
        open.pop_back();
      }
      if (token != Token::key) {
        token = pull.next();
        continue;
      }
      const auto member = std::ranges::find(kMembers, pull.content());
      token = pull.next();
      if (token == Token::text && member != kMembers.end() && !open.empty())
        open.back()[static_cast<std::size_t>(member - kMembers.begin())] = pull.content();
    }
    Coverage& coverage = item_.coverage();
    coverage.examined = item_.size();
    if (!in.fault()) return;
    coverage.examined = std::min(in.offset(), item_.size());
    item_.report().add("CFG001", Range{coverage.examined, coverage.examined},
                       json::Value().set("name", "schema.json").set("fault", to_string(*in.fault())));
    coverage.gaps.push_back({{coverage.examined, item_.size()}, "the document is broken there"});
  }

 private:
  void judge(const Node& node, Range at) {
    if (!node[module].empty() && !node[name].empty()) callable("__class__", node[module], node[name], at);
    if (!node[module_path].empty() && !node[function].empty())
      callable("function", node[module_path], node[function], at);
    // The loader checks the class that is named, not what the dots lead to.
    if (!node[method].empty() && (node[method].contains('.') || node[method].starts_with("__")))
      add("CFG005", "func", node[method], at, "reaches through another object");
  }

  void callable(std::string_view field, const std::string& from, const std::string& what, Range at) {
    const std::string whole = from + "." + what;
    if (const std::string says = harm(from, what); !says.empty()) {
      add("CFG005", field, whole, at, says);
    } else if (from != "builtins" && judge_target(from).kind == Target::Kind::harmful) {
      add("CFG005", field, whole, at, judge_target(from).says);
    } else if (from != "builtins" && !known_library(from)) {
      add("CFG006", field, whole, at, {});
    }
  }

  void add(std::string_view rule, std::string_view field, const std::string& target, Range at, std::string_view says) {
    if (said_.size() >= kMostNames || !said_.insert(target).second) return;
    json::Value data = json::Value().set("field", field).set("target", text::display(target, 120));
    if (!says.empty()) data.set("says", says);
    item_.report().add(rule, at, std::move(data));
  }

  Item& item_;
  std::set<std::string> said_;
};

void parse(Item& item) { Tree(item).run(); }

int sniff(const Sniff& sniff) {
  const std::string_view head = as_text(sniff.head);
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || head[first] != '{') return 0;
  if (text::lower(sniff.name) != "schema.json") return 0;
  // What marks it may stand further on, or be escaped.
  const bool seen_whole = sniff.source.size() <= head.size() && !head.contains('\\');
  return !seen_whole || head.contains("\"__loader__\"") ? 60 : 0;
}

}  // namespace

extern const Format skops_format;
const Format skops_format{
    "skops", "object of skops (its schema.json)", "schema.json", "skops.io, protocols 0 to 2", sniff, parse};

}  // namespace steelyard::formats
