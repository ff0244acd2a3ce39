// The manual page steelyard(1) in mdoc(7), from the tables of commands and flags. make install writes it; mandoc -Tlint
// checks it in tests/cli/completion_test.py.
#include <fmt/format.h>

#include <algorithm>

#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr std::string_view kDate = "November 26, 2026";  // when its own text last changed
constexpr std::size_t kWidth = 76;

// Text outside of macros: roff's own characters and all but ASCII escaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (text[i] == '\\') {
      out += "\\e";
    } else if (text[i] == '-') {
      out += "\\-";
    } else if (byte < 0x80) {
      out += text[i];
    } else {
      const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
      u32 code = byte & (0xFFU >> (length + 1));
      for (std::size_t k = 1; k < length; ++k) code = (code << 6) | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
      out += fmt::format("\\[u{:04X}]", code);
      i += length - 1;
    }
  }
  return out;
}

// A paragraph: broken into lines, a new one after each sentence.
std::string filled(std::string_view text) {
  std::string out;
  std::string line;
  const auto flush = [&] {
    if (line.starts_with('.') || line.starts_with('\'')) out += "\\&";
    if (!line.empty()) out += line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const std::size_t space = std::min(text.find_first_of(" \n"), text.size());
    const std::string word = escaped(text.substr(0, space));
    text.remove_prefix(std::min(space + 1, text.size()));
    if (word.empty()) continue;
    if (!line.empty() && line.size() + 1 + word.size() > kWidth) flush();
    line += (line.empty() ? "" : " ") + word;
    if (word.ends_with('.') || word.ends_with('?') || word.ends_with('!')) flush();
  }
  flush();
  return out;
}

// Lines kept as they are.
std::string literal(std::string_view text) {
  std::string out = ".Bd -literal\n";
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string line = escaped(text.substr(0, end));
    out += (line.starts_with('.') || line.starts_with('\'') ? "\\&" : "") + line + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + ".Ed\n";
}

std::string item(const Flag& flag) {
  std::string out = ".It";
  bool first = true;
  for (const std::string& name : split(flag.names)) {
    if (!first) out += " ,";
    first = false;
    out += " Fl " + escaped(name.substr(1));
    if (!flag.value.empty())
      out += name.starts_with("--") ? fmt::format(" Ns = Ns Ar {}", flag.value) : fmt::format(" Ar {}", flag.value);
  }
  return out + "\n";
}

std::string described(const Flag& flag) {
  std::string text(flag.help);
  if (const auto words = split(flag.choices); !words.empty())
    text += fmt::format("; one of {}", fmt::join(words, ", "));
  if (flag.repeatable) text += "; repeatable";
  return filled(text + ".");
}

std::string flag_list(std::span<const Flag> flags) {
  std::string out = ".Bl -tag -width Ds\n";
  for (const Flag& flag : flags) out += item(flag) + described(flag);
  return out + ".El\n";
}

// A command's details: paragraphs, with the examples as they stand.
std::string details(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\n\n"), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 2, text.size()));
    const bool indented = part.find("\n  ") != std::string_view::npos;
    if (!indented) {
      out += ".Pp\n" + filled(part);
      continue;
    }
    const std::size_t head = part.find('\n');
    out += ".Pp\n" + filled(part.substr(0, head)) + literal(part.substr(head + 1));
  }
  return out;
}

std::string page() {
  std::string out = fmt::format(
      ".Dd {}\n.Dt STEELYARD 1\n.Os\n.Sh NAME\n.Nm steelyard\n.Nd weighs an open\\-weight model before you trust it\n"
      ".Sh SYNOPSIS\n",
      kDate);
  std::string body;
  for (const Command* command : commands()) {
    if (command->hidden) continue;
    const bool flags = !command->flags.empty() || command->reports;
    std::string_view name = command->positional;
    const bool optional = name.starts_with("[");
    const bool several = name.find("…") != std::string_view::npos;
    name = name.substr(optional ? 1 : 0);
    name = name.substr(0, name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    out += fmt::format(".Nm\n.Cm {}\n", command->name);
    if (flags) out += ".Op Ar flags\n";
    if (!name.empty()) out += fmt::format(".{}Ar {}{}\n", optional ? "Op " : "", name, several ? " ..." : "");
    body += fmt::format(".Ss {}\n{}", command->name,
                        filled(std::string(1, static_cast<char>(command->summary[0] - 'a' + 'A')) +
                               std::string(command->summary.substr(1)) + "."));
    if (!command->flags.empty()) body += flag_list(command->flags);
    body += details(command->details);
  }
  out += ".Sh DESCRIPTION\n" +
         filled(
             "Weighs an open-weight model, the machine around it and the use that it is put to, and answers with a "
             "verdict and the evidence behind each sentence. Nothing leaves the machine.") +
         ".Sh COMMANDS\n" + body + ".Sh FLAGS OF REPORTS\n" + filled("Commands with a report also understand these.") +
         flag_list(report_flags()) + ".Sh ENVIRONMENT\n" +
         filled(
             "Each flag has a variable that stands in for it: STEELYARD_FAIL_ON for --fail-on. Switches take 1 or 0. "
             "A flag counts before its variable, that before the settings file.") +
         ".Bl -tag -width Ds\n.It Ev NO_COLOR , CLICOLOR_FORCE , TERM\n" + filled("Whether text is coloured.") +
         ".It Ev XDG_CACHE_HOME , XDG_CONFIG_HOME , XDG_DATA_HOME\n" +
         filled("Where remembered evidence, settings and verdicts are kept.") + ".El\n.Sh FILES\n" +
         ".Bl -tag -width Ds\n.It Pa steelyard.toml\n" +
         filled(
             "Settings: the nearest one upward from the working folder, else ~/.config/steelyard/steelyard.toml. Not "
             "used when it lies with what is examined. steelyard init --settings writes a commented one.") +
         ".El\n.Sh EXIT STATUS\n.Bl -tag -width Ds\n";
  constexpr std::pair<int, std::string_view> kCodes[] = {
      {kClean, "Clean, or fit."},
      {kFindings, "Findings at or above --fail-on, or unfit."},
      {kError, "A usage, I/O or internal error."},
      {kUndetermined, "Undetermined, or nothing that could be examined."},
      {kConditions, "Fit with conditions; 0 with --conditions-ok."}};
  for (const auto& [code, meaning] : kCodes) out += fmt::format(".It {}\n{}", code, filled(meaning));
  return out + ".El\n";
}

int run(Session&) {
  fmt::print("{}", page());
  return kClean;
}

}  // namespace

extern const Command man_command;
const Command man_command{.name = "man",
                          .summary = "the manual page, for man -l -",
                          .positional = "",
                          .details = "make install puts it where man looks.\n\nExample:\n  steelyard man | man -l -",
                          .flags = {},
                          .run = run};

}  // namespace steelyard::cli
