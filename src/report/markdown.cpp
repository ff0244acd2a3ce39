// Markdown for pull requests, issues and job summaries (GitHub Flavored Markdown 0.29).
//
// Attack resisted: markup, links, images and @mentions in whatever a model calls itself. Every text that
// isn't this program's own stands in a code span, which renders nothing. Tested by
// tests/unit/report_test.cpp and tests/report/markdown*.golden.
#include <fmt/format.h>

#include <algorithm>

#include "base/environment.hpp"
#include "report/comparison.hpp"
#include "report/rows.hpp"

namespace steelyard::report {
namespace {

constexpr std::size_t kMostRows = 100;  // a comment on GitHub holds 65,536 characters

// A code span: its fence is longer than any run of backticks within.
std::string code(std::string_view text) {
  if (text.empty()) return {};
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  const std::string pad = longest > 0 || text.front() == ' ' ? " " : "";
  return fence + pad + std::string(text) + pad + fence;
}

// The same within a table, where a bar ends the cell even inside a code span.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : code(text)) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string mark(const Row& row) {
  if (row.accepted != nullptr) return "accepted";
  return row.fails ? "**" + row.level + "**" : row.level;
}

class Document {
 public:
  explicit Document(const Report& report) : report_(report), evidence_(report), rows_(rows(report, evidence_)) {}

  std::string render() {
    out_ = fmt::format("## Steelyard {}: {}\n\n", shown(report_.command, 20),
                       code(shown(report_.target.empty() ? "this machine" : report_.target, 160)));
    if (const std::string facts = summary(report_); !facts.empty()) out_ += code(facts) + "\n\n";
    if (const auto all = comparison(report_)) side_by_side(*all);
    if (!report_.verdicts.empty())
      table("| Context | Verdict | What decides it |\n|---|---|---|\n", Row::Type::verdict, [](const Row& row) {
        return fmt::format("| {} | {} | {} |\n", cell(row.path), mark(row), cell(row.message));
      });
    for (const auto& verdict : report_.verdicts) conditions(verdict);
    if (count_of(Row::Type::finding) == 0) out_ += "No finding in what was examined. That is not a proof.\n\n";
    table("| Severity | Rule | What | Where |\n|---|---|---|---|\n", Row::Type::finding, [](const Row& row) {
      const std::string why = row.accepted == nullptr ? "" : " " + acceptance(*row.accepted);
      return fmt::format("| {} | {} | {} | {} |\n", mark(row), cell(row.code), cell(row.message + why), place(row));
    });
    if (count_of(Row::Type::gap) > 0) out_ += "Not examined, so unknown:\n\n";
    table("| Where | Why |\n|---|---|\n", Row::Type::gap,
          [](const Row& row) { return fmt::format("| {} | {} |\n", place(row), cell(row.message)); });
    if (report_.command == "inspect")
      table("| Fact | Value | Assurance |\n|---|---|---|\n", Row::Type::fact, [](const Row& row) {
        return fmt::format("| {} | {} | {} |\n", cell(row.code), cell(row.message), row.level);
      });
    for (const std::string& note : report_.notes) out_ += "Note: " + code(shown(note)) + "\n\n";
    out_ += fmt::format("<sub>{} · steelyard {} · {}</sub>\n", code(reproduce(report_)), shown(report_.tool, 40),
                        format_time(report_.now));
    return std::move(out_);
  }

 private:
  void side_by_side(const Comparison& all) {
    std::string rule = "|";
    out_ += "|";
    for (const char* title : kComparedTitles) {
      out_ += fmt::format(" {} |", title);
      rule += "---|";
    }
    out_ += "\n" + rule + "\n";
    for (const Compared& row : all.rows) {
      out_ += "|";
      for (const std::string& text : cells(row)) out_ += fmt::format(" {} |", cell(text));
      out_ += "\n";
    }
    out_ += fmt::format("\n{}: {}\n\n",
                        all.recommended ? "Take " + code(all.rows[*all.recommended].name) : "No recommendation",
                        code(all.why));
  }

  static std::string place(const Row& row) {
    return cell(row.path + (row.at ? " @" + offsets(*row.at) : std::string()));
  }

  std::size_t count_of(Row::Type type) const {
    return static_cast<std::size_t>(std::ranges::count(rows_, type, &Row::type));
  }

  template <class F>
  void table(std::string_view head, Row::Type type, F line) {
    std::size_t number = 0;
    for (const Row& row : rows_) {
      if (row.type != type) continue;
      if (number == 0) out_ += head;
      if (++number <= kMostRows) out_ += line(row);
    }
    if (number > kMostRows) out_ += fmt::format("\nand {} more\n", number - kMostRows);
    if (number > 0) out_ += "\n";
  }

  void conditions(const policy::Verdict& verdict) {
    if (verdict.conditions.empty()) return;
    out_ += fmt::format("Conditions for {}:\n\n", code(shown(verdict.context, 60)));
    for (const auto& condition : verdict.conditions)
      out_ += fmt::format("- {} ({})\n", code(shown(condition.text)),
                          condition.by == "attested" ? "you attest it" : "the gateway enforces it");
    out_ += "\n";
  }

  const Report& report_;
  Evidence evidence_;
  std::vector<Row> rows_;
  std::string out_;
};

std::string render(const Report& report, const Style&) { return Document(report).render(); }

}  // namespace

extern const Renderer markdown_renderer;
const Renderer markdown_renderer = {"markdown", ".md", "for pull requests and issues", render};

}  // namespace steelyard::report
