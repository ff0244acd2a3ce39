// The report on one screen: verdict words first, then the facts that decide them, then what nobody
// looked at. Readable without colour and when pasted into a mail.
//
// Attack resisted: terminal control through names and metadata (see terminal.hpp); a long list that
// scrolls the verdict away. Tested by tests/unit/report_test.cpp and tests/report/*.golden.
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "report/comparison.hpp"
#include "report/terminal.hpp"
#include "rules/catalog.hpp"

namespace steelyard::report {
namespace {

constexpr std::size_t kMostDecisive = 5;
constexpr std::size_t kMostFindings = 20;
constexpr std::size_t kMostGaps = 5;
constexpr std::size_t kMostFacts = 12;
constexpr std::size_t kMostMeasured = 6;
constexpr std::size_t kDecisionColumns = 20;  // "FIT WITH CONDITIONS "
constexpr std::size_t kLayerColumns = 17;

class TextReport {
 public:
  TextReport(const Report& report, const Style& style)
      : report_(report),
        evidence_(report),
        screen_(style),
        verbose_(style.verbose),
        show_accepted_(style.show_accepted) {}

  std::string render() {
    if (report_.verdicts.empty()) {
      head();
      side_by_side();
      files();
    } else if (report_.matrix) {
      head();
      matrix();
    } else {
      for (const auto& verdict : report_.verdicts) one(verdict);
    }
    if (!report_.verdicts.empty()) accepted();
    for (const auto& note : report_.notes) {
      screen_.line();
      screen_.block("note: ", 6, shown(note));
    }
    return screen_.take();
  }

 private:
  void head() {
    const std::string facts = summary(report_);
    const std::string name = cut(shown(report_.target.empty() ? report_.command : report_.target), screen_.columns());
    screen_.block(screen_.paint(Paint::strong, name) + (facts.empty() ? "" : "  "), width(name) + 2, facts, Paint::dim);
  }

  // The damage report, when there is one.
  void side_by_side() {
    const auto all = comparison(report_);
    if (!all) return;
    std::vector<std::vector<std::string>> lines = {{std::begin(kComparedTitles), std::end(kComparedTitles)}};
    for (const Compared& row : all->rows) lines.push_back(cells(row));
    std::vector<std::size_t> widths(lines.front().size());
    for (auto& line : lines) {
      line.front() = cut(line.front(), 28);
      for (std::size_t c = 0; c < line.size(); ++c) widths[c] = std::max(widths[c], width(line[c]));
    }
    screen_.heading("Side by side");
    // As many columns as the screen has room for stand beside each other; the others follow below.
    for (std::size_t first = 1; first < widths.size();) {
      std::size_t last = first;
      for (std::size_t used = 2 + widths[0]; last < widths.size(); ++last) {
        used += 2 + widths[last];
        if (last > first && used > screen_.columns()) break;
      }
      if (first > 1) screen_.line();
      for (std::size_t i = 0; i < lines.size(); ++i) {
        std::string text = "  " + pad(lines[i][0], widths[0]);
        for (std::size_t c = first; c < last; ++c) text += "  " + pad(lines[i][c], widths[c]);
        text.erase(text.find_last_not_of(' ') + 1);
        const bool best = i > 0 && all->recommended == i - 1;
        screen_.line(screen_.paint(i == 0 ? Paint::dim : best ? Paint::strong : Paint::plain, text));
      }
      first = last;
    }
    screen_.line();
    const std::string lead = all->recommended ? "take " + all->rows[*all->recommended].name : "no recommendation";
    screen_.block("  " + screen_.paint(Paint::strong, lead), 4 + width(lead), ": " + all->why);
  }

  void matrix() {
    const std::size_t most = std::min<std::size_t>(24, screen_.columns() - kDecisionColumns - 5);
    std::size_t widest = 0;
    for (const auto& v : report_.verdicts) widest = std::max(widest, width(cut(shown(v.context), most)));
    screen_.line();
    for (const auto& v : report_.verdicts) {
      const std::string lead = pad(upper(policy::to_string(v.decision)), kDecisionColumns + 1);
      const std::string context = pad(cut(shown(v.context), most), widest + 2);
      const std::size_t used = 2 + width(lead) + width(context);
      const std::size_t room = screen_.columns() >= 2 * used ? screen_.columns() - used : 2 * screen_.columns();
      screen_.block("  " + screen_.paint(screen_.of(v.decision), lead) + screen_.paint(Paint::strong, context), used,
                    cut(reason(v), room));
    }
    screen_.line();
    screen_.block("  ", 2,
                  fmt::format("Profile {} · {}", shown(report_.verdicts.front().profile, 60),
                              shown(report_.verdicts.front().assurance)),
                  Paint::dim);
    layer_lines(report_.verdicts);
    measured();
    decides(report_.verdicts);
    undetermined(report_.verdicts);
    not_assessed(report_.verdicts);
    screen_.line();
    screen_.block("", 0, "One context in full: steelyard vet " + shown(shell_word(report_.target)) + " --context NAME",
                  Paint::dim);
  }

  void one(const policy::Verdict& verdict) {
    if (&verdict != &report_.verdicts.front()) screen_.line();
    const std::string decision = upper(policy::to_string(verdict.decision));
    screen_.block(screen_.paint(screen_.of(verdict.decision), decision) + " ", width(decision) + 1,
                  fmt::format("for {} · {}", shown(verdict.context, 60), shown(verdict.assurance)), Paint::strong);
    head();
    const std::span<const policy::Verdict> alone(&verdict, 1);
    layer_lines(alone);
    if (report_.verdicts.size() == 1) measured();
    decides(alone);
    conditions(verdict);
    undetermined(alone);
    not_assessed(alone);
  }

  // What the model measurably does, of benches that stand behind the verdicts.
  void measured() {
    std::vector<std::string> all;
    for (const evidence::Record& record : report_.records) {
      if (record.kind != "bench") continue;
      for (const Measurement& one : record.found.measurements) all.push_back(words(one));
    }
    if (all.empty()) return;
    screen_.heading("Measured");
    for (std::size_t i = 0; i < std::min(all.size(), kMostMeasured); ++i) screen_.block("  ", 4, all[i]);
    if (all.size() > kMostMeasured)
      screen_.block("  ", 2, fmt::format("and {} more: --format html or json", all.size() - kMostMeasured), Paint::dim);
  }

  void layer_lines(std::span<const policy::Verdict> verdicts) {
    screen_.line();
    for (const LayerView& view : layers(verdicts)) {
      const bool differs = view.of > 1 && view.line->layer == Layer::integration;
      const std::string_view decision = view.line->assessed ? policy::to_string(view.line->decision) : "not assessed";
      const std::string lead = "  " + pad(to_string(view.line->layer), kLayerColumns);
      if (differs) {
        screen_.block(lead, width(lead), "differs by context, see above");
        continue;
      }
      std::string text = view.line->assessed ? shown(view.line->because.text) : "no requirement asks about it";
      if (view.line->assessed && !view.line->requirement.empty())
        text += fmt::format(" [{}]", shown(view.line->requirement, 60));
      if (view.same < view.of) text += fmt::format(" (in {} of {} contexts)", view.same, view.of);
      if (!view.line->because.cites.empty()) text += " " + evidence_.brief(view.line->because.cites.front());
      const std::string word = pad(decision, kDecisionColumns);
      screen_.block(lead + screen_.paint(view.line->assessed ? screen_.of(view.line->decision) : Paint::dim, word),
                    width(lead) + width(word), text);
    }
  }

  std::string cites(const policy::Sentence& sentence) {
    std::string out;
    for (std::size_t i = 0; i < std::min<std::size_t>(sentence.cites.size(), 2); ++i) {
      out += (i == 0 ? "" : ", ") + evidence_.brief(sentence.cites[i]);
    }
    if (sentence.cites.size() > 2) out += fmt::format(" and {} more", sentence.cites.size() - 2);
    return out.empty() ? "no record: nothing was examined" : out;
  }

  void decides(std::span<const policy::Verdict> verdicts) {
    const auto all = decisive(verdicts);
    if (all.empty()) return;
    screen_.heading("What decides");
    const std::size_t most = verbose_ ? all.size() : kMostDecisive;
    for (std::size_t i = 0; i < std::min(all.size(), most); ++i) {
      const policy::Ruling& ruling = *all[i].ruling;
      std::string text = fmt::format("{} {}: {}", word(ruling), shown(ruling.id, 60), shown(ruling.because.text));
      if (verdicts.size() > 1 && all[i].contexts.size() == verdicts.size()) text += " (every context)";
      if (verdicts.size() > 1 && all[i].contexts.size() < verdicts.size()) {
        text += fmt::format(" ({})", shown(fmt::format("{}", fmt::join(all[i].contexts, ", "))));
      }
      screen_.block(fmt::format("  {}. ", i + 1), 5, text);
      screen_.block("     ", 5, cites(ruling.because), Paint::dim);
      if (verbose_) {
        for (const auto& cite : ruling.because.cites) {
          if (const std::string item = evidence_.describe(cite); !item.empty())
            screen_.block("       ", 7, item, Paint::dim);
        }
      }
    }
    if (all.size() > most) {
      screen_.block("     ", 5, fmt::format("and {} more: {}", all.size() - most, reproduce(report_, "--verbose")),
                    Paint::dim);
    }
  }

  void conditions(const policy::Verdict& verdict) {
    if (verdict.conditions.empty()) return;
    screen_.heading("Conditions");
    for (const std::string_view by : {"gateway", "attested"}) {
      bool first = true;
      for (const auto& condition : verdict.conditions) {
        if ((condition.by == "attested") != (by == "attested")) continue;
        if (first) screen_.line(by == "gateway" ? "  the gateway enforces" : "  you attest; Steelyard can't check it");
        first = false;
        screen_.block("    - ", 6, fmt::format("{} [{}]", shown(condition.text), shown(condition.id, 80)));
      }
    }
  }

  void undetermined(std::span<const policy::Verdict> verdicts) {
    std::vector<std::pair<std::string, std::string>> items;  // command, requirements it decides
    for (const auto& verdict : verdicts) {
      for (const auto& ruling : verdict.rulings) {
        if (ruling.state != policy::State::undetermined) continue;
        const auto same = std::ranges::find(items, ruling.decide, [](const auto& item) { return item.first; });
        const std::string id = shown(ruling.id, 60);
        if (same == items.end()) {
          items.emplace_back(ruling.decide, id);
        } else if (("  " + same->second + ",").find(" " + id + ",") == std::string::npos) {
          same->second += ", " + id;
        }
      }
    }
    if (items.empty()) return;
    screen_.heading("Undetermined, and what would decide it");
    for (const auto& [command, ids] : items) {
      screen_.block("  - ", 4, ids);
      if (!command.empty()) screen_.block("    ", 4, shown(command, 2 * kMostShown), Paint::strong);
    }
  }

  void not_assessed(std::span<const policy::Verdict> verdicts) {
    std::vector<std::string> items;
    for (const auto& verdict : verdicts) {
      for (const auto& item : verdict.not_assessed) {
        if (std::ranges::find(items, item) == items.end()) items.push_back(item);
      }
    }
    if (items.empty()) return;
    screen_.heading("Not assessed");
    for (const auto& item : items) screen_.block("  - ", 4, shown(item, 2 * kMostShown));
  }

  // Many files: those with nothing to tell are counted, so that the others stay on the screen.
  void files() {
    std::array<std::size_t, 5> by_severity{};
    std::size_t quiet = 0;
    std::size_t accepted = 0;
    std::size_t not_selected = 0;
    const auto items = examined(report_, evidence_);
    for (const Examined& item : items) {
      accepted += item.accepted.size();
      not_selected += item.not_selected;
      for (const std::size_t i : item.findings)
        ++by_severity[static_cast<std::size_t>(item.record->found.findings[i].severity)];
    }
    std::string totals;
    for (std::size_t i = by_severity.size(); i-- > 0;) {
      if (by_severity[i] == 0) continue;
      totals += fmt::format("{}{} {}", totals.empty() ? "" : ", ", by_severity[i], to_string(static_cast<Severity>(i)));
    }
    if (totals.empty())
      totals = accepted + not_selected == 0 ? "none in what was examined" : "no other in what was examined";
    if (accepted > 0) totals += fmt::format(" · {} accepted", accepted);
    if (not_selected > 0) totals += fmt::format(" · {} not selected", not_selected);
    screen_.block("findings: ", 10, totals);
    if (accepted > 0 && !show_accepted_)
      screen_.block("  ", 2, "accepted ones: " + reproduce(report_, "--show-suppressed"), Paint::dim);
    for (const Examined& item : items) {
      const bool whole = item.record->status == evidence::Status::complete && item.examined == item.bytes &&
                         item.gaps.empty() && item.bytes > 0;
      if (report_.command == "scan" && items.size() > 3 && !verbose_ && item.findings.empty() &&
          (item.accepted.empty() || !show_accepted_) && whole) {
        ++quiet;
      } else {
        file(item);
      }
    }
    if (quiet > 0) {
      screen_.line();
      screen_.block("", 0,
                    fmt::format("and {} examined whole, without a finding: {}", count(quiet, "file", "files"),
                                reproduce(report_, "--verbose")),
                    Paint::dim);
    }
  }

  void file(const Examined& item) {
    const Examination& found = item.record->found;
    std::string title = shown(item.path, 120);
    if (!item.format.empty()) title += " · " + shown(item.format, 40);
    if (item.subject != nullptr && item.subject->bytes > 0) title += " · " + text::human_bytes(item.subject->bytes);
    screen_.heading(cut(title, screen_.columns()));
    if (item.subject != nullptr && !item.subject->sha256.empty()) {
      screen_.block("  ", 2, fmt::format("sha256 {}", shown(item.subject->sha256, 64)), Paint::dim);
    }
    findings(item);
    facts(item);
    coverage(item);
    if (item.record->status != evidence::Status::complete) {
      screen_.block(
          "  ", 2,
          fmt::format("this record is {}: what is missing was not examined", evidence::to_string(item.record->status)),
          Paint::open);
    }
    for (const auto& m : found.measurements) screen_.block("  ", 4, words(m));
  }

  void finding(const evidence::Record& record, const Finding& f, const accept::Accepted* accepted = nullptr) {
    const std::string rule = pad(shown(f.rule, 12), 8);
    const std::string severity = pad(to_string(f.severity), 10);
    std::string text = shown(rules::message(f));
    const std::string place = where(record, f.artifact, f.at);
    if (!place.empty()) text += "  " + place;
    if (accepted != nullptr) text += "  " + acceptance(*accepted);
    screen_.block("  " + rule + screen_.paint(accepted != nullptr ? Paint::dim : screen_.of(f.severity), severity),
                  2 + width(rule) + width(severity), text);
  }

  // Of a verdict: what would have counted against it, had nobody accepted it.
  void accepted() {
    std::size_t number = 0;
    for (const Examined& item : examined(report_, evidence_)) {
      for (const std::size_t i : item.accepted) {
        if (++number == 1) screen_.heading("Accepted findings");
        if (show_accepted_ || verbose_ || number <= kMostDecisive)
          finding(*item.record, item.record->found.findings[i], evidence_.accepted(item.number, i));
      }
    }
    if (number > kMostDecisive && !show_accepted_ && !verbose_)
      screen_.block("  ", 2,
                    fmt::format("and {} more: {}", number - kMostDecisive, reproduce(report_, "--show-suppressed")),
                    Paint::dim);
  }

  void findings(const Examined& item) {
    const Examination& found = item.record->found;
    if (item.findings.empty())
      screen_.line(item.record->kind == "context"                 ? "  no scenario"
                   : item.accepted.size() + item.not_selected > 0 ? "  no other finding in what was examined"
                                                                  : "  no finding in what was examined");
    if (show_accepted_) {
      for (const std::size_t i : item.accepted)
        finding(*item.record, found.findings[i], evidence_.accepted(item.number, i));
    }
    const std::size_t most = verbose_ ? item.findings.size() : kMostFindings;
    for (std::size_t i = 0; i < std::min(item.findings.size(), most); ++i)
      finding(*item.record, found.findings[item.findings[i]]);
    if (item.findings.size() > most) {
      screen_.block("  ", 2,
                    fmt::format("and {} less severe: {}", count(item.findings.size() - most, "finding", "findings"),
                                reproduce(report_, "--verbose")),
                    Paint::dim);
    }
  }

  void facts(const Examined& item) {
    const auto& all = item.record->found.facts;
    std::size_t shown_facts = 0;
    std::size_t widest = 0;
    for (const std::size_t i : item.facts)
      widest = std::min<std::size_t>(32, std::max(widest, width(shown(all[i].key, 32))));
    if (!item.facts.empty()) screen_.line();
    for (const std::size_t i : item.facts) {
      if (!verbose_ && shown_facts == (report_.command == "inspect" ? 4 : 1) * kMostFacts) break;
      ++shown_facts;
      const Fact& f = all[i];
      const std::string lead = "  " + pad(shown(f.key, 32), widest + 2) + pad(to_string(f.assurance), 14);
      screen_.block(lead, width(lead), value_text(f.value, verbose_ ? kMostShown : 100),
                    f.assurance == Assurance::contradicted ? Paint::bad : Paint::plain);
    }
    if (shown_facts < item.facts.size()) {
      screen_.block("  ", 2,
                    fmt::format("and {}: {}", count(item.facts.size() - shown_facts, "more fact", "more facts"),
                                reproduce(report_, "--verbose")),
                    Paint::dim);
    }
  }

  void coverage(const Examined& item) {
    if (item.bytes == 0 && item.gaps.empty()) return;
    screen_.line();
    screen_.block(
        "  ", 2,
        fmt::format("examined {} of {} ({}) in {}", text::human_bytes(item.examined), text::human_bytes(item.bytes),
                    percent(item.examined, item.bytes), count(item.artifacts, "artifact", "artifacts")),
        item.examined < item.bytes ? Paint::open : Paint::plain);
    const std::size_t most = verbose_ ? item.gaps.size() : kMostGaps;
    for (std::size_t i = 0; i < std::min(item.gaps.size(), most); ++i) {
      const auto& [artifact, gap] = item.gaps[i];
      screen_.block("  not examined: ", 16,
                    fmt::format("{} @{}: {}", artifact != nullptr ? shown(artifact->path, 120) : "",
                                offsets(gap->range), shown(gap->why)));
    }
    if (item.gaps.size() > most)
      screen_.block("  ", 2, fmt::format("and {} more gaps", item.gaps.size() - most), Paint::dim);
  }

  const Report& report_;
  Evidence evidence_;
  Screen screen_;
  bool verbose_;
  bool show_accepted_;
};

std::string render(const Report& report, const Style& style) { return TextReport(report, style).render(); }

}  // namespace

extern const Renderer text_renderer;
const Renderer text_renderer = {"text", ".txt", "one screen, for people", render};

}  // namespace steelyard::report
