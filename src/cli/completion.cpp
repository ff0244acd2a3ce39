// Completion scripts for bash 4, zsh 5 and fish 3, from the tables of commands and flags. They call nothing and need
// no other package. Tested by tests/cli/completion_test.py, which completes in the real shells.
#include <fmt/format.h>

#include <algorithm>

#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

std::vector<std::string> shells() { return {"bash", "zsh", "fish"}; }

std::vector<const Command*> visible() {
  std::vector<const Command*> out;
  std::ranges::copy_if(commands(), std::back_inserter(out), [](const Command* command) { return !command->hidden; });
  return out;
}

// Whether a value or positional of this name may be a file.
bool takes_files(std::string_view name) {
  static constexpr std::string_view kFiles[] = {"FILE", "CONTEXT", "MODEL", "TARGET", "VERDICT"};
  return std::ranges::any_of(kFiles, [&](std::string_view file) { return name.find(file) != std::string_view::npos; });
}

// Within single quotes.
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out;
}

std::string names_of(const Flag& flag, std::string_view separator) {
  return fmt::format("{}", fmt::join(split(flag.names), separator));
}

std::string bash() {
  std::vector<std::string_view> names;
  std::string flags;
  std::string words;
  std::string values;
  for (const Command* command : visible()) {
    names.push_back(command->name);
    std::string list = "-h --help";
    for (const Flag& flag : flags_of(*command)) {
      list += " " + names_of(flag, " ");
      if (flag.value.empty()) continue;
      const std::string key = fmt::format("{}:{}", command->name, names_of(flag, fmt::format("|{}:", command->name)));
      values += fmt::format("    {}) words='{}' value=1 files={} ;;\n", key, fmt::join(words_of(flag), " "),
                            takes_files(flag.value) ? "1" : "''");
    }
    flags += fmt::format("    {}) flags='{}' ;;\n", command->name, list);
    words +=
        fmt::format("    {}) words='{}' files={} ;;\n", command->name,
                    fmt::join(command->candidates != nullptr ? command->candidates() : std::vector<std::string>(), " "),
                    takes_files(command->positional) ? "1" : "''");
  }
  return fmt::format(R"(# bash completion for steelyard
_steelyard() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} flags='' words='' value='' files=''
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '{} -h --help -V --version' -- "$cur"))
    return
  fi
  # --flag=value comes as three words
  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi
  case ${{COMP_WORDS[1]}} in
{}    *) return ;;
  esac
  case ${{COMP_WORDS[1]}}:$prev in
{}  esac
  if [[ $value == '' && $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
    return
  fi
  [[ $value == '' ]] && case ${{COMP_WORDS[1]}} in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ $files ]]; then
    compopt -o filenames 2>/dev/null
    local IFS=$'\n'
    COMPREPLY+=($(compgen -f -- "$cur"))
  fi
}}
complete -F _steelyard steelyard
)",
                     fmt::join(names, " "), flags, values, words);
}

// Text in the brackets of an _arguments specification.
std::string described(std::string_view text) {
  std::string out;
  for (const char c : quoted(text)) out += (c == '[' || c == ']' || c == ':' ? "\\" : "") + std::string(1, c);
  return out;
}

std::string zsh_values(const std::vector<std::string>& words, bool files) {
  if (words.empty()) return files ? "_files" : " ";
  return files ? fmt::format("{{compadd -- {}; _files}}", fmt::join(words, " "))
               : fmt::format("({})", fmt::join(words, " "));
}

std::string zsh() {
  std::string list;
  std::string cases;
  for (const Command* command : visible()) {
    list += fmt::format("    '{}:{}'\n", command->name, described(command->summary));
    cases += fmt::format("        {})\n          _arguments", command->name);
    for (const Flag& flag : flags_of(*command)) {
      const auto names = split(flag.names);
      const std::string exclude = flag.repeatable ? "" : fmt::format("({})", fmt::join(names, " "));
      const std::string value =
          flag.value.empty() ? ""
                             : fmt::format(":{}:{}", flag.value, zsh_values(words_of(flag), takes_files(flag.value)));
      for (const std::string& name : names)
        cases += fmt::format(" \\\n            '{}{}{}[{}]{}'", flag.repeatable ? "*" : exclude, name,
                             flag.value.empty() || !name.starts_with("--") ? "" : "=", described(flag.help), value);
    }
    if (!command->positional.empty()) {
      const auto words = command->candidates != nullptr ? command->candidates() : std::vector<std::string>();
      cases += fmt::format(" \\\n            '*: :{}'", zsh_values(words, takes_files(command->positional)));
    }
    cases += "\n          ;;\n";
  }
  return fmt::format(R"(#compdef steelyard
_steelyard() {{
  local context state line
  local -a commands
  commands=(
{}  )
  _arguments -C '(-h --help)'{{-h,--help}}'[help]' '(-V --version)'{{-V,--version}}'[print the version]' '1: :->command' '*:: :->rest'
  case $state in
    command) _describe command commands ;;
    rest)
      case $words[1] in
{}      esac
      ;;
  esac
}}
if [[ $funcstack[1] == _steelyard ]]; then _steelyard "$@"; else compdef _steelyard steelyard; fi
)",
                     list, cases);
}

std::string fish() {
  std::string out = "# fish completion for steelyard\ncomplete -c steelyard -f\n";
  out += "complete -c steelyard -n __fish_use_subcommand -s h -l help -d help\n";
  out += "complete -c steelyard -n __fish_use_subcommand -s V -l version -d 'print the version'\n";
  for (const Command* command : visible()) {
    out += fmt::format("complete -c steelyard -n __fish_use_subcommand -a {} -d '{}'\n", command->name,
                       quoted(command->summary));
    const std::string within = fmt::format("complete -c steelyard -n '__fish_seen_subcommand_from {}'", command->name);
    for (const Flag& flag : flags_of(*command)) {
      out += within;
      for (const std::string& name : split(flag.names))
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      if (!flag.value.empty()) {
        out += takes_files(flag.value) ? " -r -F" : " -x";
        if (const auto words = words_of(flag); !words.empty()) out += fmt::format(" -a '{}'", fmt::join(words, " "));
      }
      out += fmt::format(" -d '{}'\n", quoted(flag.help));
    }
    if (command->candidates != nullptr)
      out += fmt::format("{} -a '{}'\n", within, fmt::join(command->candidates(), " "));
    if (takes_files(command->positional)) out += within + " -F\n";
  }
  return out;
}

int run(Session& session) {
  const std::string& shell = session.arguments().positional.front();
  if (shell == "bash") {
    fmt::print("{}", bash());
  } else if (shell == "zsh") {
    fmt::print("{}", zsh());
  } else if (shell == "fish") {
    fmt::print("{}", fish());
  } else {
    return session.failed({ErrorCode::usage, "expected bash, zsh or fish"});
  }
  return kClean;
}

}  // namespace

extern const Command completion_command;
const Command completion_command{.name = "completion",
                                 .summary = "a completion script for bash, zsh or fish",
                                 .positional = "SHELL",
                                 .details =
                                     "make install puts them where the shells look. By hand:\n"
                                     "  bash: source <(steelyard completion bash)\n"
                                     "  zsh:  source <(steelyard completion zsh)     after compinit\n"
                                     "  fish: steelyard completion fish | source",
                                 .flags = {},
                                 .run = run,
                                 .candidates = shells};

}  // namespace steelyard::cli
