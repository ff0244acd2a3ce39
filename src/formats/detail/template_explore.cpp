#include "formats/detail/template_explore.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace steelyard::formats::chat {
namespace {

constexpr u64 kFuelPerRun = 400'000;
constexpr u64 kFuel = 6'000'000;
constexpr std::size_t kMostForced = 400;

class Explorer {
 public:
  Explorer(const jinja::Tree& tree, Judge& judge) : tree_(tree), judge_(judge) {}

  Explored run() {
    std::vector<Rendered> usual;
    for (Shape& shape : usual_shapes()) shapes_.push_back(std::move(shape));
    const std::size_t count = shapes_.size();
    for (std::size_t i = 0; i < count; ++i) {
      usual.push_back(rendered(i, {}));
      judge_.learn(usual.back());
    }
    for (const Rendered& one : usual) judge_.judge(one, {});
    usual.clear();
    // A template that takes contents as lists only is shown lists.
    if (judge_.parts_only()) {
      for (Shape& shape : usual_shapes()) try_shape(std::move(shape), {});
    }
    options();
    lengths();
    constants();
    forced();
    judge_.finish(out_.seen);
    return std::move(out_);
  }

 private:
  Rendered rendered(std::size_t number, const std::vector<std::pair<u32, bool>>& forced_sites) {
    using jinja::Stop;
    const auto is_unending = [](const Rendered& run) {
      return run.stop == Stop::fuel || run.stop == Stop::memory || run.stop == Stop::depth ||
             run.stop == Stop::oversized;
    };
    Rendered made = render(tree_, shapes_[number], number, forced_sites, out_.seen, kFuelPerRun);
    // What keeps a recursion from ending is turned round once only.
    if (is_unending(made) && !forced_sites.empty())
      made = render(tree_, shapes_[number], number, forced_sites, out_.seen, kFuelPerRun, true);
    const bool possible =
        forced_sites.empty() || (made.forced & (kForeign | kAssistant | kAmbient | kOption | kCount)) != 0;
    const bool unending = possible && is_unending(made);
    if (unending && out_.limit == Stop::finished) {
      out_.limit = made.stop;
      out_.limit_node = made.node;
      out_.limit_shape = made.shape->name;
    }
    return made;
  }

  bool spent() {
    if (out_.limit != jinja::Stop::finished) return true;
    if (out_.seen.fuel > kFuel) out_.complete = false;
    return !out_.complete;
  }

  void try_shape(Shape shape, const Probe& probe) {
    if (spent()) return;
    if (!judge_.takes_system() && shape.turns.size() > 1 && shape.turns[0].role == Role::system)
      shape.turns.erase(shape.turns.begin());
    if (judge_.parts_only()) {
      for (Turn& turn : shape.turns) {
        if (turn.role != Role::tool && turn.body == Body::text) turn.body = Body::parts;
      }
    }
    shapes_.push_back(std::move(shape));
    const std::size_t number = shapes_.size() - 1;
    judge_.judge(rendered(number, {}), probe);
  }

  static Turn say(Role role, std::string text) { return {role, std::move(text), Body::text, false, {}}; }

  Shape conversation(std::string name) const {
    Shape shape;
    shape.name = std::move(name);
    shape.turns = {say(Role::system, rich_text("Sys")), say(Role::user, rich_text("First")),
                   say(Role::assistant, rich_text("Reply")), say(Role::user, rich_text("Second"))};
    return shape;
  }

  // Options that the template asks for: each true, false and equal to what it is compared with.
  void options() {
    const std::set<std::string> names = out_.seen.missing;
    std::vector<std::string> values;
    for (const auto& [constant, labels] : out_.seen.constants) {
      if ((labels & kOption) != 0 && values.size() < 8) values.push_back(constant);
    }
    std::size_t tried = 0;
    for (const std::string& name : names) {
      if (++tried > 24) break;
      for (const bool tools : {false, true}) {
        Shape on = conversation(fmt::format("option {} set", name.substr(0, 40)));
        on.options.emplace_back(name, std::nullopt);
        on.tools = tools;
        try_shape(on, {Probe::What::option, {}});
        on.options.clear();
        on.off.push_back(name);
        try_shape(on, {Probe::What::option, {}});
      }
      for (const std::string& value : values) {
        Shape on = conversation(fmt::format("option {} set to {}", name.substr(0, 40), excerpt(value, 40)));
        on.options.emplace_back(name, value);
        try_shape(on, {Probe::What::option, {}});
      }
    }
  }

  // Numbers that the template knows: conversations and messages of about that length.
  void lengths() {
    std::set<i64> numbers;
    i64 largest = 0;
    for (const jinja::Node& node : tree_.nodes) {
      if (node.kind != jinja::Kind::literal || node.constant != jinja::Constant::integer) continue;
      if (node.integer > 1 && node.integer <= 200 && numbers.size() < 12) numbers.insert(node.integer);
      if (node.integer > 1 && node.integer <= 20'000) largest = std::max(largest, node.integer);
    }
    std::set<i64> counts;
    for (i64 count = 2; count <= 14; ++count) counts.insert(count);
    for (const i64 number : numbers)
      counts.insert({number - 1, number, number + 1, 2 * number - 1, 2 * number, 2 * number + 1});
    for (const i64 count : counts) {
      Shape shape;
      shape.name = fmt::format("{} messages", count);
      for (i64 i = 0; i < count; ++i)
        shape.turns.push_back(
            say(i % 2 == 0 ? Role::user : Role::assistant, fmt::format("Turn number {}, with words.", i)));
      if (count > 0) try_shape(std::move(shape), {Probe::What::length, {}});
    }
    const auto grow = [&](std::size_t least) {
      std::string text;
      for (std::size_t i = 0; text.size() < least; ++i) text += fmt::format("word{} and Line {}\n", i, i);
      return text;
    };
    for (const std::size_t least :
         {std::size_t{40}, std::size_t{700}, static_cast<std::size_t>(largest) * 3 / 2 + 3000}) {
      Shape shape = conversation("a long message");
      shape.turns[1].text = grow(least);
      try_shape(std::move(shape), {Probe::What::length, {}});
      Shape short_message = conversation("a long answer");
      short_message.turns[2].text = grow(std::min<std::size_t>(least, 6000));
      short_message.turns[0].text = grow(std::min<std::size_t>(least, 6000));
      try_shape(std::move(short_message), {Probe::What::length, {}});
    }
    Shape brief = conversation("short messages");
    brief.turns[1].text = "Hi";
    brief.turns[3].text = "7";
    try_shape(std::move(brief), {Probe::What::length, {}});
  }

  // Texts that contents are compared with, put into contents.
  void constants() {
    std::vector<std::string> list;
    const auto known = out_.seen.constants;
    for (const auto& [constant, labels] : known) {
      if ((labels & kTools) == 0) continue;
      Shape shape = conversation(fmt::format("a tool that says \"{}\"", excerpt(constant, 48)));
      shape.tools = true;
      shape.note = " Says " + constant + " there.";
      try_shape(std::move(shape), {Probe::What::option, {}});
    }
    for (const auto& [constant, labels] : known) {
      if ((labels & (kForeign | kAssistant)) != 0) list.push_back(constant);
    }
    // And those of the syntax tree that no run has compared yet.
    for (const jinja::Node& node : tree_.nodes) {
      if (node.kind != jinja::Kind::compare && node.kind != jinja::Kind::call) continue;
      for (u32 i = 0; i < node.count; ++i) collect(tree_.item(node, i), list, 0);
      if (node.kind == jinja::Kind::compare) collect(node.at[0], list, 0);
    }
    std::ranges::sort(list);
    list.erase(std::ranges::unique(list).begin(), list.end());
    std::size_t tried = 0;
    for (const std::string& constant : list) {
      if (++tried > 96) break;
      const Probe probe{Probe::What::constant, constant};
      const std::string name = fmt::format("a message with \"{}\"", excerpt(constant, 48));
      Shape inside = conversation(name);
      inside.turns[1].text = "Before it " + constant + " and after it.";
      try_shape(inside, probe);
      inside.turns[1].text = rich_text("First");
      inside.turns[3].text = constant + " at the start, and at the end " + constant;
      try_shape(inside, probe);
      Shape exact = conversation(name);
      exact.turns[3].text = constant;
      try_shape(exact, probe);
      Shape others = conversation(name);
      others.turns[0].text = "Rules with " + constant + " inside.";
      others.turns[2].text = "An answer with " + constant + " inside.";
      try_shape(others, probe);
      Shape result;
      result.name = name;
      result.tools = true;
      result.turns = {say(Role::user, rich_text("First")),
                      {Role::assistant, "", Body::text, true, {}},
                      say(Role::tool, "Result with " + constant + " inside.")};
      try_shape(result, probe);
    }
  }

  void collect(u32 index, std::vector<std::string>& list, int depth) const {
    if (index == jinja::kNone || depth > 3 || list.size() > 512) return;
    const jinja::Node& node = tree_[index];
    if (node.kind == jinja::Kind::literal && node.constant == jinja::Constant::text) {
      const std::string& text = tree_.text(node);
      if (!text.empty() && text.size() <= 128) list.push_back(text);
    }
    if (node.kind == jinja::Kind::list || node.kind == jinja::Kind::tuple) {
      for (u32 i = 0; i < node.count; ++i) collect(tree_.item(node, i), list, depth + 1);
    }
    if (node.kind == jinja::Kind::comparison) collect(node.at[0], list, depth + 1);
  }

  void forced() {
    std::size_t runs = 0;
    bool progress = true;
    while (progress && runs < kMostForced && !spent()) {
      progress = false;
      const std::map<u32, Decision> decisions = out_.seen.decisions;
      for (const auto& [site, decision] : decisions) {
        for (const bool outcome : {false, true}) {
          if (decision.seen[outcome] || spent() || runs >= kMostForced) continue;
          if (!tried_.emplace(site, outcome).second) continue;
          progress = true;
          ++runs;
          std::vector<std::pair<u32, bool>> sites = decision.forced;
          if (sites.size() > 24) continue;
          sites.emplace_back(site, outcome);
          judge_.judge(rendered(decision.shape, sites), {Probe::What::forced, {}});
        }
      }
    }
    if (runs >= kMostForced) out_.complete = false;
  }

  const jinja::Tree& tree_;
  Judge& judge_;
  std::deque<Shape> shapes_;
  std::set<std::pair<u32, bool>> tried_;
  Explored out_;
};

}  // namespace

Explored explore(const jinja::Tree& tree, Judge& judge) { return Explorer(tree, judge).run(); }

}  // namespace steelyard::formats::chat
