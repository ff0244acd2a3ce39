// The command line: CLI11, fed from the tables of commands and flags.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <list>

#include "base/text.hpp"
#include "cli/command.hpp"

namespace steelyard::cli {
namespace {

struct Slot {
  std::string name;
  CLI::Option* option = nullptr;
  std::vector<std::string> values;
  bool on = false;
};

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    out.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return out;
}

std::string long_name(std::string_view names) { return std::string(names.substr(names.rfind("--") + 2)); }

void add_flag(CLI::App& app, const Flag& flag, std::list<Slot>& slots) {
  Slot& slot = slots.emplace_back();
  slot.name = long_name(flag.names);
  if (flag.value.empty()) {
    slot.option = app.add_flag(std::string(flag.names), slot.on, std::string(flag.help));
    return;
  }
  slot.option = app.add_option(std::string(flag.names), slot.values, std::string(flag.help));
  slot.option->type_name(std::string(flag.value))->allow_extra_args(false);
  if (!flag.repeatable) slot.option->expected(1);
  if (!flag.choices.empty()) slot.option->check(CLI::IsMember(split(flag.choices)));
}

int usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, const char* const* argv) {
  std::string hint;
  if (argc > 1 && argv[1][0] != '-') {
    std::vector<std::string> names;
    for (const Command* command : commands()) names.emplace_back(command->name);
    if (std::ranges::find(names, argv[1]) == names.end()) {
      const std::string near = text::closest(argv[1], names);
      fmt::print(stderr, "steelyard: unknown command \"{}\"{}\n", text::display(argv[1], 64),
                 near.empty() ? std::string("; see steelyard --help") : fmt::format("; did you mean \"{}\"?", near));
      return kError;
    }
    hint = std::string(" ") + argv[1];
  }
  (void)app;
  fmt::print(stderr, "steelyard{}: {}\nsee steelyard{} --help\n", hint, text::display(error.what()), hint);
  return kError;
}

}  // namespace

std::span<const Flag> common_flags() {
  static constexpr Flag kFlags[] = {
      {"-f,--format", "FORMAT", "report on standard output: text, json or html (default: text)", "text,json,html"},
      {"-o,--output", "FILE", "also write a report; its ending (.txt, .json, .html) says which; repeatable", "", true},
      {"--color", "WHEN", "auto, always or never (NO_COLOR is honoured)", "auto,always,never"},
      {"-q,--quiet", "", "no report on standard output, no progress", ""},
      {"-v,--verbose", "", "everything that was found, not only what decides", ""},
      {"--sandbox", "MODE", "strict: refuse to run when a layer is missing; best: use what there is (default)",
       "strict,best,off"},
      {"--no-cache", "", "neither read nor write remembered digests, evidence and verdicts", ""},
  };
  return kFlags;
}

std::string Arguments::value(std::string_view flag, std::string_view fallback) const {
  const auto found = values.find(flag);
  return found == values.end() || found->second.empty() ? std::string(fallback) : found->second.back();
}

std::vector<std::string> Arguments::all(std::string_view flag) const {
  const auto found = values.find(flag);
  return found == values.end() ? std::vector<std::string>() : found->second;
}

extern const Command overview;

Parsed parse(int argc, const char* const* argv) {
  if (argc < 2) return {.command = &overview};
  if (argc == 2 && (std::string_view(argv[1]) == "--version" || std::string_view(argv[1]) == "-V")) {
    fmt::print("steelyard {}\n", STEELYARD_VERSION);
    return {};
  }
  CLI::App app("Is this open-weight model safe to use, here? One evidence-backed verdict for one model in one use.",
               "steelyard");
  app.require_subcommand(1);
  app.footer("Exit codes: 0 clean or fit · 1 findings or unfit · 2 error · 3 undetermined · 4 fit with conditions");
  bool version = false;
  app.add_flag("-V,--version", version, "print the version");

  std::map<const Command*, std::list<Slot>> slots;
  std::map<const Command*, std::vector<std::string>> positional;
  std::map<const Command*, CLI::App*> apps;
  for (const Command* command : commands()) {
    CLI::App* sub = app.add_subcommand(std::string(command->name), std::string(command->summary));
    apps[command] = sub;
    sub->footer(std::string(command->details));
    if (!command->positional.empty()) {
      CLI::Option* option =
          sub->add_option("targets", positional[command], "")->type_name(std::string(command->positional));
      if (!command->positional.starts_with("[")) option->required();
      option->expected(1, command->positional.find("…") == std::string_view::npos ? 1 : 100'000);
    }
    for (const Flag& flag : command->flags) add_flag(*sub, flag, slots[command]);
    for (const Flag& flag : common_flags()) add_flag(*sub, flag, slots[command]);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    const auto chosen = app.get_subcommands();
    fmt::print("{}", chosen.empty() ? app.help() : chosen.front()->help());
    return {};
  } catch (const CLI::ParseError& error) {
    return {.exit = usage_error(app, error, argc, argv)};
  }
  Parsed parsed;
  for (const Command* command : commands()) {
    if (!apps[command]->parsed()) continue;
    parsed.command = command;
    parsed.arguments.positional = positional[command];
    for (Slot& slot : slots[command]) {
      if (slot.option->count() > 0) parsed.arguments.values[slot.name] = std::move(slot.values);
    }
  }
  return parsed;
}

}  // namespace steelyard::cli
