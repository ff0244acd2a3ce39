// --help, from the tables of commands and flags: what it does, how it is called, examples, then every flag.

#include <fmt/format.h>

#include <algorithm>

#include "cli/command.hpp"

namespace steelyard::cli {
namespace {

constexpr std::size_t kLead = 30;
constexpr std::size_t kColumns = 100;

// "  lead      text", the text broken at spaces.
std::string entry(const std::string& lead, std::string_view text) {
  std::string out = "  " + lead;
  std::size_t column = out.size();
  if (column + 1 >= kLead) {
    out += "\n";
    column = 0;
  }
  out += std::string(kLead - column, ' ');
  column = kLead;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    if (column > kLead) {
      const bool full = column + 1 + space > kColumns;
      out += full ? "\n" + std::string(kLead, ' ') : " ";
      column = full ? kLead : column + 1;
    }
    out += text.substr(0, space);
    column += space;
    text.remove_prefix(std::min(space + 1, text.size()));
  }
  return out + "\n";
}

std::string flag_entry(const Flag& flag) {
  std::string lead = fmt::format("{}", fmt::join(split(flag.names), ", "));
  if (!lead.starts_with("-") || lead.starts_with("--")) lead = "    " + lead;
  if (!flag.value.empty()) lead += fmt::format(" {}", flag.value);
  std::string text(flag.help);
  if (!flag.choices.empty()) text += fmt::format("; {}", fmt::join(split(flag.choices), " | "));
  if (flag.repeatable && !flag.value.empty()) text += "; repeatable";
  return entry(lead, text);
}

}  // namespace

std::string help() {
  std::string out =
      "Is this open-weight model safe to use, here? One evidence-backed verdict for one model in one use.\n\n"
      "Usage: steelyard COMMAND …          steelyard COMMAND --help\n"
      "       steelyard                    what is here, and what to do next\n\nCommands:\n";
  for (const Command* command : commands()) {
    if (!command->hidden) out += fmt::format("  {:<12} {}\n", command->name, command->summary);
  }
  return out +
         "\n  -h, --help   this page\n  -V, --version\n\nExit codes: 0 clean or fit · 1 findings or unfit · 2 error · "
         "3 "
         "undetermined · 4 fit with conditions\n";
}

std::string help(const Command& command) {
  const bool flags = !command.flags.empty() || command.reports;
  std::string out = fmt::format("{}\n\nUsage: steelyard {}{}{}{}\n", command.summary, command.name,
                                flags ? " [flags]" : "", command.positional.empty() ? "" : " ", command.positional);
  if (!command.details.empty()) out += fmt::format("\n{}\n", command.details);
  out += "\nFlags:\n";
  for (const Flag& flag : command.flags) out += flag_entry(flag);
  if (command.reports) {
    out += "\nFlags of reports and settings:\n";
    for (const Flag& flag : report_flags()) out += flag_entry(flag);
  }
  out += entry("-h, --help", "this page");
  if (flags)
    out += fmt::format("\nEach flag has a variable that stands in for it: {} for --{}.\n",
                       variable_of(flags_of(command).front()), long_name(flags_of(command).front()));
  return out;
}

}  // namespace steelyard::cli
