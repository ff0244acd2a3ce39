// The report as one HTML file: to read, to print, to mail to whoever has to approve.
//
// No script, nothing loaded from anywhere (Content-Security-Policy default-src 'none'; the style
// sheet is allowed by its hash), at most 200 KB whatever was found. Attack resisted: names that are
// markup; see html/writer.hpp. Tested by tests/unit/report_test.cpp and tests/report/html_test.py.
#include <fmt/format.h>

#include <algorithm>

#include "base/embedded.hpp"
#include "base/environment.hpp"
#include "report/comparison.hpp"
#include "report/html_parts.hpp"
#include "rules/catalog.hpp"

namespace steelyard::report {
namespace {

constexpr std::size_t kMostDecisive = 5;
constexpr std::size_t kMostItems = 40;

std::string class_of(std::string_view word) {
  std::string out(word);
  std::ranges::replace(out, ' ', '-');
  return out;
}

class Page {
 public:
  explicit Page(const Report& report) : report_(report), evidence_(report) {}

  std::string render() {
    w_.doctype();
    {
      auto html = w_.open("html", {{"lang", "en"}});
      head();
      auto body = w_.open("body");
      masthead();
      {
        auto main = w_.open("main");
        if (report_.matrix && !report_.verdicts.empty()) matrix();
        if (const auto all = comparison(report_)) put_comparison(w_, *all);
        contexts();
        put_identity(w_, report_, evidence_);
        put_measurements(w_, report_, evidence_);
        put_findings(w_, report_, evidence_);
        put_coverage(w_, report_, evidence_);
        put_records(w_, report_, evidence_);
        reproduction();
      }
      footer();
    }
    return w_.take() + "\n";
  }

 private:
  void head() {
    const std::string_view style = embedded::find("web/report.css");
    auto head = w_.open("head");
    w_.single("meta", {{"charset", "utf-8"}});
    w_.single("meta",
              {{"http-equiv", "Content-Security-Policy"},
               {"content", fmt::format("default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'",
                                       html::csp_hash(style))}});
    w_.single("meta", {{"name", "referrer"}, {"content", "no-referrer"}});
    w_.single("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
    w_.single("meta", {{"name", "color-scheme"}, {"content", "light dark"}});
    w_.put("title", fmt::format("{} · steelyard {}", shown(report_.target, 80), shown(report_.command, 20)));
    auto element = w_.open("style");
    w_.raw(html::Asset{style});
  }

  void masthead() {
    auto header = w_.open("header");
    {
      auto brand = w_.open("p", {{"class", "brand"}});
      {
        auto svg = w_.open("svg", {{"viewBox", "0 0 32 20"}, {"aria-hidden", "true"}, {"focusable", "false"}});
        w_.put("path", "", {{"d", "M1 6H31M9 1V6M4 6V12M1 12H7L6 15H2ZM24 6V10M21 10H27V16H21Z"}});
      }
      w_.text("Steelyard " + shown(report_.command, 20));
    }
    w_.put("h1", report_.target.empty() ? "This machine" : shown(report_.target, 160));
    if (const std::string facts = summary(report_); !facts.empty()) w_.put("p", facts, {{"class", "summary"}});
    if (!report_.matrix && report_.verdicts.size() == 1) headline(report_.verdicts.front());
  }

  void headline(const policy::Verdict& verdict) {
    auto p = w_.open("p", {{"class", "headline " + class_of(policy::to_string(verdict.decision))}});
    w_.put("strong", policy::to_string(verdict.decision), {{"class", "verdict"}});
    auto span = w_.open("span");
    w_.text("for ");
    w_.put("b", shown(verdict.context, 60));
    w_.text(" · " + shown(verdict.assurance));
  }

  // Contexts first: the answer on one screen, then the reasons.
  void matrix() {
    const policy::Verdict& first = report_.verdicts.front();
    auto section = w_.open("section", {{"id", "contexts"}});
    w_.put("h2", "The same model, " + count(report_.verdicts.size(), "use", "uses"));
    auto scroll = scrolling(w_, "Verdicts by context");
    auto table = w_.open("table", {{"class", "matrix"}});
    w_.put("caption",
           fmt::format("Held against the requirements “{}” · {}", shown(first.profile, 60), shown(first.assurance)));
    {
      auto head = w_.open("thead");
      auto row = w_.open("tr");
      for (const std::string_view title : {"Context", "Verdict", "What decides it"})
        w_.put("th", title, {{"scope", "col"}});
    }
    auto body = w_.open("tbody");
    std::size_t number = 0;
    fitting(
        w_, report_, "tr", report_.verdicts, kMatrixMark, kMostItems,
        [&](const policy::Verdict& verdict) {
          auto row = w_.open("tr", {{"class", class_of(policy::to_string(verdict.decision))}});
          {
            auto cell = w_.open("th", {{"scope", "row"}});
            w_.put("a", shown(verdict.context, 60), {{"href", fmt::format("#context-{}", number++)}});
          }
          w_.put("td", policy::to_string(verdict.decision), {{"class", "verdict"}});
          w_.put("td", shown(reason(verdict)));
        },
        3);
  }

  void contexts() {
    if (report_.verdicts.empty()) return;
    auto section = w_.open("section");
    w_.put("h2", report_.verdicts.size() > 1 ? "Context by context" : "Verdict");
    std::size_t number = 0;
    const std::size_t start = w_.size();
    const std::size_t share = (kContextsMark > start ? kContextsMark - start : 0) / report_.verdicts.size();
    fitting(w_, report_, "p", report_.verdicts, kContextsMark, kMostItems, [&](const policy::Verdict& verdict) {
      mark_ = start + (number + 1) * share;
      card(verdict, number++);
    });
  }

  void card(const policy::Verdict& verdict, std::size_t number) {
    auto article = w_.open("article", {{"class", "card " + class_of(policy::to_string(verdict.decision))},
                                       {"id", fmt::format("context-{}", number)}});
    if (report_.matrix || report_.verdicts.size() > 1) {  // else the headline has said it
      auto heading = w_.open("h3");
      w_.put("span", policy::to_string(verdict.decision), {{"class", "verdict"}});
      w_.text(" ");
      w_.put("span", "for " + shown(verdict.context, 60), {{"class", "context"}});
    }
    w_.put("p", fmt::format("Requirements “{}” · {}", shown(verdict.profile, 60), shown(verdict.assurance)),
           {{"class", "muted"}});
    layer_table(verdict);
    decides(verdict);
    draw_paths(w_, verdict, number);
    conditions(verdict);
    undetermined(verdict);
    if (!verdict.not_assessed.empty()) {
      label("Not assessed");
      auto list = w_.open("ul");
      fitting(w_, report_, "li", verdict.not_assessed, mark_, kMostItems,
              [&](const std::string& item) { w_.put("li", shown(item, 2 * kMostShown)); });
    }
    all_requirements(verdict);
  }

  void label(std::string_view text) { w_.put("p", text, {{"class", "label"}}); }

  void layer_table(const policy::Verdict& verdict) {
    auto table = w_.open("table", {{"class", "layers"}});
    w_.put("caption", "Each layer on its own");
    auto body = w_.open("tbody");
    for (const auto& line : verdict.layers) {
      const std::string_view decision = line.assessed ? policy::to_string(line.decision) : "not assessed";
      auto row = w_.open("tr", {{"class", class_of(decision)}});
      w_.put("th", to_string(line.layer), {{"scope", "row"}});
      w_.put("td", decision, {{"class", "verdict"}});
      auto cell = w_.open("td");
      w_.text(line.assessed ? shown(line.because.text) : "No requirement asks about it.");
      if (line.assessed && !line.requirement.empty()) {
        w_.text(" ");
        w_.put("code", shown(line.requirement, 60));
      }
    }
  }

  void decides(const policy::Verdict& verdict) {
    const auto all = decisive(std::span(&verdict, 1));
    if (all.empty()) return;
    label(all.size() > kMostDecisive ? fmt::format("What decides: the first {} of {}", kMostDecisive, all.size())
                                     : "What decides");
    auto list = w_.open("ol", {{"class", "decisive"}});
    for (std::size_t i = 0; i < std::min(all.size(), kMostDecisive) && w_.size() < mark_; ++i) {
      const policy::Ruling& ruling = *all[i].ruling;
      auto item = w_.open("li");
      w_.put("span", word(ruling), {{"class", "badge " + class_of(word(ruling))}});
      w_.text(" ");
      w_.put("code", shown(ruling.id, 60));
      w_.text(" " + shown(ruling.because.text));
      auto sources = w_.open("ul", {{"class", "sources"}});
      if (ruling.because.cites.empty()) w_.put("li", "No record: nothing was examined.");
      for (std::size_t c = 0; c < std::min<std::size_t>(ruling.because.cites.size(), 3); ++c) {
        auto source = w_.open("li");
        put_citation(w_, evidence_, ruling.because.cites[c]);
        w_.text(" " + evidence_.describe(ruling.because.cites[c]));
      }
      if (ruling.because.cites.size() > 3) w_.put("li", fmt::format("and {} more", ruling.because.cites.size() - 3));
    }
  }

  void conditions(const policy::Verdict& verdict) {
    for (const std::string_view by : {"gateway", "attested"}) {
      std::vector<const policy::Mitigation*> items;
      for (const auto& condition : verdict.conditions) {
        if ((condition.by == "attested") == (by == "attested")) items.push_back(&condition);
      }
      if (items.empty()) continue;
      label(by == "gateway" ? "Conditions that the gateway enforces"
                            : "Conditions that you attest; Steelyard can't check them");
      auto list = w_.open("ul", {{"class", "conditions"}});
      fitting(w_, report_, "li", items, mark_, kMostItems, [&](const policy::Mitigation* condition) {
        auto item = w_.open("li");
        w_.text(shown(condition->text) + " ");
        w_.put("code", shown(condition->id, 80));
      });
    }
  }

  void undetermined(const policy::Verdict& verdict) {
    std::vector<const policy::Ruling*> items;
    for (const auto& ruling : verdict.rulings) {
      if (ruling.state == policy::State::undetermined) items.push_back(&ruling);
    }
    if (items.empty()) return;
    label("Undetermined, and what would decide it");
    auto list = w_.open("ul", {{"class", "undecided"}});
    fitting(w_, report_, "li", items, mark_, kMostItems, [&](const policy::Ruling* ruling) {
      auto item = w_.open("li");
      w_.put("code", shown(ruling->id, 60));
      w_.text(" " + shown(ruling->because.text));
      if (!ruling->decide.empty()) {
        auto pre = w_.open("pre");
        w_.put("code", shown(ruling->decide, 2 * kMostShown));
      }
    });
  }

  void all_requirements(const policy::Verdict& verdict) {
    if (verdict.rulings.empty()) return;
    auto fold = w_.open("details");
    w_.put("summary", verdict.rulings.size() == 1 ? "The one requirement"
                                                  : fmt::format("All {} requirements", verdict.rulings.size()));
    auto scroll = scrolling(w_, "Requirements for " + shown(verdict.context, 60));
    auto table = w_.open("table", {{"class", "requirements"}});
    w_.put("caption", "Requirements of “" + shown(verdict.profile, 60) + "” in their order");
    {
      auto head = w_.open("thead");
      auto row = w_.open("tr");
      for (const std::string_view title : {"Requirement", "Kind", "Layer", "State", "Because"})
        w_.put("th", title, {{"scope", "col"}});
    }
    auto body = w_.open("tbody");
    fitting(
        w_, report_, "tr", verdict.rulings, mark_, kMostItems,
        [&](const policy::Ruling& ruling) {
          auto row = w_.open("tr");
          w_.put("th", shown(ruling.id, 60), {{"scope", "row"}});
          w_.put("td", shown(ruling.kind, 40));
          w_.put("td", to_string(ruling.layer));
          {
            auto cell = w_.open("td");
            w_.put("span", word(ruling), {{"class", "badge " + class_of(word(ruling))}});
          }
          w_.put("td", shown(ruling.because.text));
        },
        5);
  }

  void reproduction() {
    auto section = w_.open("section", {{"id", "reproduce"}});
    w_.put("h2", "Make this report again");
    {
      auto pre = w_.open("pre");
      w_.put("code", reproduce(report_));
    }
    if (!report_.verdicts.empty()) {
      auto p = w_.open("p");
      w_.text("A verdict can be re-derived from its records alone, by anybody: ");
      w_.put("code", "steelyard recheck verdict.json");
    }
    auto list = w_.open("dl");
    w_.put("dt", "Steelyard");
    w_.put("dd", shown(report_.tool, 60));
    w_.put("dt", "Rules");
    w_.put("dd", rules::pack_digest(), {{"class", "digest"}});
    w_.put("dt", "Time");
    w_.put("dd", format_time(report_.now));
    for (std::size_t i = 0; i < std::min<std::size_t>(report_.notes.size(), 10); ++i) {
      w_.put("dt", "Note");
      w_.put("dd", shown(report_.notes[i]));
    }
  }

  void footer() {
    auto footer = w_.open("footer");
    w_.put("p",
           "Steelyard weighs what it can see. An absence of findings is not a proof; what was not examined is listed "
           "as such.");
  }

  const Report& report_;
  Evidence evidence_;
  html::Writer w_;
  std::size_t mark_ = 0;  // where the lists of the present card end
};

std::string render(const Report& report, const Style&) { return Page(report).render(); }

}  // namespace

extern const Renderer html_renderer;
const Renderer html_renderer = {"html", ".html", "one page, for people who approve", render};

}  // namespace steelyard::report
