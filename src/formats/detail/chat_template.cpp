#include "formats/detail/chat_template.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "formats/detail/template_explore.hpp"
#include "wire/jinja/parser.hpp"

namespace steelyard::formats {
namespace {

using namespace chat;

constexpr std::array<std::string_view, 20> kDunders = {
    "__class__",  "__init__",   "__globals__", "__builtins__", "__import__",       "__subclasses__", "__mro__",
    "__base__",   "__bases__",  "__dict__",    "__code__",     "__getattribute__", "__getitem__",    "__call__",
    "__reduce__", "__module__", "__loader__",  "__spec__",     "__closure__",      "__self__"};

// Something behind so many spaces or line breaks that no screen shows it.
bool pushed_away(std::string_view text) {
  std::size_t row = 0;
  bool far = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t';
    row = space ? row + 1 : 0;
    far = far || row >= 200;
  }
  return far;
}

class Checker {
 public:
  Checker(std::string_view source, Reporter& report) : source_(source), report_(report) {}

  bool run() {
    if (source_.size() > kMostTemplate) return give_up(fmt::format("it has {} bytes", source_.size()));
    if (!text::valid_utf8(source_)) return give_up("it isn't UTF-8");
    if (const std::string hidden = hidden_character(source_); !hidden.empty())
      report_.add("TPL060", place_of_hidden(), json::Value().set("character", hidden));
    const auto tree = jinja::parse(source_);
    if (!tree) {
      if (tree.error().budget) return give_up(tree.error().why);
      const u64 at = std::min<u64>(tree.error().offset, source_.size());
      report_.add("TPL001", Range{at, at}, json::Value().set("why", tree.error().why));
      return false;
    }
    for (u32 i = 0; i < tree->nodes.size(); ++i) node(*tree, i);
    const bool names_tools = std::ranges::any_of(tree->nodes, [&](const jinja::Node& one) {
      return one.kind == jinja::Kind::literal && one.constant == jinja::Constant::text && tree->text(one) == "tool";
    });
    Judge judge(names_tools);
    const Explored explored = explore(*tree, judge);
    report(*tree, judge, explored);
    if (!explored.complete) return give_up("it takes more work than is done");
    return explored.limit == jinja::Stop::finished;
  }

 private:
  bool give_up(std::string why) {
    report_.add("TPL002", std::nullopt, json::Value().set("why", std::move(why)));
    return false;
  }

  std::optional<Range> place_of_hidden() const {
    // The first byte from which on nothing is hidden any more in what comes before.
    std::size_t low = 0;
    std::size_t high = source_.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (hidden_character(text::prefix(source_, middle)).empty()) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return Range{low > 4 ? low - 4 : 0, low};
  }

  static Range range(const jinja::Node& node) { return {node.begin, node.end}; }

  void escape(const jinja::Node& node, std::string_view name) {
    report_.add("TPL050", range(node), json::Value().set("name", text::to_value(excerpt(name, 64))));
  }

  // What is wrong with a piece of syntax wherever it stands, even if nothing reaches it.
  void node(const jinja::Tree& tree, u32 index) {
    const jinja::Node& node = tree[index];
    using jinja::Kind;
    switch (node.kind) {
      case Kind::extends:
      case Kind::include:
      case Kind::import:
      case Kind::from_import:
        report_.add("TPL052", range(node));
        return;
      case Kind::attribute:
        if (tree.text(node).starts_with('_')) escape(node, tree.text(node));
        return;
      case Kind::name:
        if (tree.text(node) == "lipsum") report_.add("TPL053", range(node), json::Value().set("name", "lipsum"));
        return;
      case Kind::filter:
        if (tree.text(node) == "attr" && node.count > 0 && tree[tree.item(node, 0)].kind != Kind::literal)
          report_.add("TPL051", range(node));
        return;
      case Kind::call: {
        const jinja::Node& callee = tree[node.at[0]];
        if (callee.kind == Kind::name && tree.text(callee) == "range") {
          for (u32 i = 0; i < node.count; ++i) {
            const jinja::Node& argument = tree[tree.item(node, i)];
            const bool number = argument.kind == Kind::literal && (argument.constant == jinja::Constant::integer ||
                                                                   argument.constant == jinja::Constant::huge);
            if (number && (argument.integer > 100'000 || argument.constant == jinja::Constant::huge))
              report_.add("TPL070", range(node), json::Value().set("why", "a range of that many steps"));
          }
        }
        return;
      }
      case Kind::literal:
        if (node.constant == jinja::Constant::text) literal(node, tree.text(node));
        return;
      case Kind::data:
        if (pushed_away(tree.text(node))) out_of_sight(node);
        if (const std::string word = look_alike(tree.text(node)); !word.empty())
          report_.add("TPL061", range(node), json::Value().set("word", word));
        return;
      default:
        return;
    }
  }

  void out_of_sight(const jinja::Node& node) {
    report_.add("TPL060", range(node), json::Value().set("character", "a text behind a long row of spaces"));
  }

  void literal(const jinja::Node& node, const std::string& text) {
    if (pushed_away(text)) out_of_sight(node);
    if (text.size() <= 256) {
      for (const std::string_view name : kDunders) {
        if (text.contains(name)) return escape(node, name);
      }
    }
    if (const std::string hidden = hidden_character(text); !hidden.empty())
      report_.add("TPL060", range(node), json::Value().set("character", hidden));
    if (const std::string word = look_alike(text); !word.empty())
      report_.add("TPL061", range(node), json::Value().set("word", word));
  }

  void report(const jinja::Tree& tree, const Judge& judge, const Explored& explored) {
    for (const auto& [index, name] : explored.seen.escapes) {
      if (name.empty()) {
        report_.add("TPL051", range(tree[index]));
      } else {
        escape(tree[index], name);
      }
    }
    for (const auto& [index, name] : explored.seen.mutations)
      report_.add("TPL054", range(tree[index]), json::Value().set("name", text::to_value(name)));
    for (const auto& [index, name] : explored.seen.calls)
      report_.add("TPL053", range(tree[index]), json::Value().set("name", text::to_value(excerpt(name, 64))));
    if (explored.limit != jinja::Stop::finished) {
      const std::optional<Range> at =
          explored.limit_node < tree.nodes.size() ? std::optional(range(tree[explored.limit_node])) : std::nullopt;
      constexpr std::array<std::string_view, 8> kWhy = {"",
                                                        "",
                                                        "",
                                                        "more steps than a chat needs",
                                                        "more memory than a chat needs",
                                                        "recursion without end",
                                                        "a number or text beyond reason",
                                                        ""};
      report_.add("TPL070", at, json::Value().set("why", kWhy.at(static_cast<std::size_t>(explored.limit))));
    }
    if (!judge.ever_finished()) {
      report_.add("TPL003", std::nullopt);
    } else if (!judge.carries_messages()) {
      report_.add("TPL004", std::nullopt);
    }
    for (const Issue& issue : judge.issues()) {
      if (issue.rule == "TPL017" && !source_.contains("system")) continue;
      json::Value data = json::Object{};
      for (const auto& [name, value] : issue.data) data.set(name, text::to_value(value));
      report_.add(issue.rule, issue.end == 0 ? std::nullopt : std::optional(place(issue.begin, issue.end)),
                  std::move(data));
    }
    branches(tree, explored.seen);
    literals(judge);
  }

  Range place(u32 begin, u32 end) const {
    const u64 last = std::min<u64>(end, source_.size());
    return {std::min<u64>(begin, last), last};
  }

  // Decisions on what users and tools write, when it isn't about a marker.
  void branches(const jinja::Tree& tree, const Seen& seen) {
    std::string constants;
    bool any = false;
    for (const auto& [constant, labels] : seen.constants) {
      if ((labels & (kUser | kTool)) == 0) continue;
      any = true;
      if (is_marker(constant) || constants.size() > 120) continue;
      constants += (constants.empty() ? "\"" : ", \"") + excerpt(constant, 40) + "\"";
    }
    for (const auto& [site, decision] : seen.decisions) {
      if ((decision.labels & kAmbient) != 0) report_.add("TPL022", range(tree[site]), when("it is a certain time", ""));
      if ((decision.labels & (kUser | kTool)) == 0 || (any && constants.empty())) continue;
      report_.add("TPL020", range(tree[site]),
                  json::Value().set("about", constants.empty() ? "its length or characters" : constants));
    }
  }

  static json::Value when(std::string_view condition, std::string_view shown) {
    return json::Value().set("when", condition).set("text", shown);
  }

  void literals(const Judge& judge) {
    json::Value list = json::Array{};
    for (const Literal& literal : judge.literals()) {
      if (list.array().size() >= 48) break;
      const Range at = place(literal.begin, literal.end);
      list.push(json::Value()
                    .set("text", text::to_value(excerpt(literal.text, 320)))
                    .set("when", describe(literal.labels & 0xFFFF))
                    .set("begin", at.begin)
                    .set("end", at.end));
    }
    if (!list.array().empty())
      report_.fact("template.literals", std::move(list), Range{0, source_.size()}, Assurance::verified);
  }

  std::string_view source_;
  Reporter& report_;
};

}  // namespace

bool check_chat_template(std::string_view text, Reporter& report) { return Checker(text, report).run(); }

}  // namespace steelyard::formats
