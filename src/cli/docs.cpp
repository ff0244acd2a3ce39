// The reference pages under docs/, from the same data as the program itself: `make docs` writes them, and
// tests/house/docs_test.py fails when they are stale.
#include <fmt/format.h>

#include "cli/gather.hpp"
#include "formats/format.hpp"
#include "policy/kind.hpp"
#include "report/view.hpp"
#include "rules/catalog.hpp"

namespace steelyard::cli {
namespace {

constexpr std::string_view kMade = "<!-- Written by `make docs`. -->\n\n";

// Text within a table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : c == '<' ? std::string("&lt;") : std::string(1, c);
  return out;
}

std::string flag_table(std::span<const Flag> flags) {
  if (flags.empty()) return {};
  std::string out = "| flag | does | variable | in steelyard.toml |\n|---|---|---|---|\n";
  for (const Flag& flag : flags) {
    const std::string value = flag.value.empty() ? "" : fmt::format(" {}", flag.value);
    std::string help(flag.help);
    if (!flag.choices.empty()) help += fmt::format("; one of {}", fmt::join(split(flag.choices), ", "));
    if (flag.repeatable) help += "; repeatable";
    out += fmt::format("| `{}{}` | {} | `{}` | {} |\n", fmt::join(split(flag.names), "`, `"), value, cell(help),
                       variable_of(flag), flag.setting ? fmt::format("`{}`", long_name(flag)) : "");
  }
  return out + "\n";
}

std::string cli_page() {
  std::string out = "# Commands\n\n" + std::string(kMade) +
                    "Exit codes, the same everywhere: **0** clean or fit · **1** findings at or above `--fail-on`, or "
                    "unfit · **2** usage, I/O or\ninternal error · **3** undetermined, or nothing that could be "
                    "examined · **4** fit with conditions (0 with `--conditions-ok`).\n\nA flag counts before its "
                    "variable, that before `steelyard.toml` (`steelyard init --settings` writes a commented one), "
                    "that before\nthe default. Switches take 1 or 0 as variables.\n\n";
  for (const Command* command : commands()) {
    if (command->hidden) continue;
    const bool flags = !command->flags.empty() || command->reports;
    out += fmt::format("## steelyard {}\n\n{}.\n\n```\nsteelyard {}{}{}{}\n```\n\n", command->name, command->summary,
                       command->name, flags ? " [flags]" : "", command->positional.empty() ? "" : " ",
                       command->positional);
    if (!command->details.empty()) out += fmt::format("```\n{}\n```\n\n", command->details);
    out += flag_table(command->flags);
    if (command->reports) out += "And the [flags of reports](#flags-of-reports).\n\n";
  }
  return out + "## Flags of reports\n\n" + flag_table(report_flags());
}

std::string formats_page() {
  std::string out = "# Formats\n\n" + std::string(kMade) +
                    "## Files that are examined\n\nContent decides, not the name. What is none of these is reported as "
                    "not examined.\n\n| id | format | usual endings | specified in |\n|---|---|---|---|\n";
  for (const formats::Format* format : formats::all()) {
    std::string endings;
    for (const std::string& ending : split(format->extensions))
      endings += fmt::format("{}`.{}`", endings.empty() ? "" : ", ", ending);
    out += fmt::format("| `{}` | {} | {} | {} |\n", format->id, cell(format->title), endings, cell(format->spec));
  }
  out += "\n## Reports\n\n| `--format` | ending of `--output` | what for |\n|---|---|---|\n";
  for (const report::Renderer* renderer : report::all())
    out += fmt::format("| `{}` | `{}` | {} |\n", renderer->id, renderer->extension, cell(renderer->title));
  return out +
         "\nSchemas: `data/schemas/report-1.json` (json), `data/schemas/report-line-1.json` (each line of jsonl), "
         "`data/schemas/evidence-1.json`\n(records), `data/schemas/baseline-1.json`. The sarif format is valid SARIF "
         "2.1.0.\n";
}

std::string listed(std::string_view title, const std::vector<std::string>& items) {
  return items.empty() ? "" : fmt::format("{}: {}\n\n", title, fmt::join(items, " · "));
}

// File name to page, for each family, and an index.
std::vector<std::pair<std::string, std::string>> rule_pages() {
  std::map<std::string, std::vector<const rules::Rule*>> families;
  for (const auto& [id, rule] : rules::catalog()) families[id.substr(0, 3)].push_back(&rule);
  std::vector<std::pair<std::string, std::string>> pages;
  std::string index = "# Rules\n\n" + std::string(kMade) + "| family | rules | layer |\n|---|---|---|\n";
  for (const auto& [family, members] : families) {
    index += fmt::format("| [{0}]({0}.md) | {1} | {2} |\n", family, members.size(), to_string(members.front()->layer));
    std::string page = fmt::format("# {}\n\n{}", family, kMade);
    for (const rules::Rule* rule : members) {
      page += fmt::format("## {} {}\n\n**{}** · {} layer · {}\n\n`{}`\n\n{}\n\n**What to do.** {}\n\n", rule->id,
                          rule->name, to_string(rule->severity), to_string(rule->layer), rule->status, rule->summary,
                          rule->why, rule->fix);
      page += listed("OWASP", rule->owasp) + listed("CWE", rule->cwe);
      for (const std::string& reference : rule->references) page += "* " + reference + "\n";
      if (!rule->references.empty()) page += "\n";
    }
    pages.emplace_back("rules/" + family + ".md", std::move(page));
  }
  pages.emplace_back("rules/README.md", std::move(index));
  return pages;
}

std::string requirements_page() {
  static constexpr std::string_view kTypes[] = {"text", "list of texts", "whole number", "true or false"};
  std::string out = "# Requirement kinds\n\n" + std::string(kMade) +
                    "What a `[[require]]` of a require.toml can ask for. `steelyard init` writes a commented file to "
                    "start from.\n\n";
  for (const policy::Kind* kind : policy::kinds()) {
    out += fmt::format("## {}\n\n{} {} layer; reads records of kind `{}`.\n\n", kind->name, kind->summary,
                       to_string(kind->layer), kind->evidence);
    if (kind->params.empty()) continue;
    out += "| parameter | type | meaning |\n|---|---|---|\n";
    for (const policy::Param& param : kind->params) {
      const bool closed = !param.choices.empty() && param.choices != "sha256";
      out += fmt::format("| `{}`{} | {} | {} |\n", param.name, param.required ? " (required)" : "",
                         closed ? fmt::format("one of {}", fmt::join(split(param.choices), ", "))
                                : std::string(kTypes[static_cast<std::size_t>(param.type)]),
                         cell(param.meaning));
    }
    out += "\n";
  }
  return out;
}

int run(Session& session) {
  const std::filesystem::path folder = session.arguments().positional.front();
  auto pages = rule_pages();
  pages.emplace_back("cli.md", cli_page());
  pages.emplace_back("formats.md", formats_page());
  pages.emplace_back("requirements.md", requirements_page());
  for (auto& [name, text] : pages) {
    while (text.ends_with("\n\n")) text.pop_back();
    if (const auto written = io::write_atomically(folder / name, text); !written)
      return session.failed(written.error());
  }
  return kClean;
}

}  // namespace

extern const Command docs_command;
const Command docs_command{.name = "docs",
                           .summary = "write the reference pages into a folder",
                           .positional = "FOLDER",
                           .details = "",
                           .flags = {},
                           .run = run,
                           .hidden = true};

}  // namespace steelyard::cli
