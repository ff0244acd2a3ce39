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
  bool is_switch = false;
  i64 times = 0;  // of a switch
};

void add_flag(CLI::App& app, const Flag& flag, std::list<Slot>& slots) {
  Slot& slot = slots.emplace_back();
  slot.name = long_name(flag);
  slot.is_switch = flag.value.empty();
  if (slot.is_switch) {
    slot.option = app.add_flag(std::string(flag.names), slot.times, std::string(flag.help));
    return;
  }
  slot.option = app.add_option(std::string(flag.names), slot.values, std::string(flag.help));
  slot.option->type_name(std::string(flag.value))->allow_extra_args(false);
  if (!flag.repeatable) slot.option->expected(1);
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const std::string near = text::closest(word, known);
  return near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near);
}

// What CLI11 says, and the flag that was probably meant.
int usage_error(const Command* command, const CLI::ParseError& error, int argc, const char* const* argv) {
  if (command == nullptr) {
    std::vector<std::string> names;
    for (const Command* one : commands()) {
      if (!one->hidden) names.emplace_back(one->name);
    }
    const std::string near = argv[1][0] == '-' ? std::string() : suggestion(argv[1], names);
    const std::string_view what = argv[1][0] == '-' ? "flag" : "command";
    fmt::print(stderr, "steelyard: unknown {} \"{}\"{}\n", what, text::display(argv[1], 64),
               near.empty() ? "; see steelyard --help" : near);
    return kError;
  }
  std::string near;
  std::vector<std::string> known;
  for (const Flag& flag : flags_of(*command)) known.push_back("--" + long_name(flag));
  for (int i = 2; i < argc && near.empty(); ++i) {
    std::string_view word = argv[i];
    word = word.substr(0, word.find('='));
    if (word.starts_with("--") && std::ranges::find(known, word) == known.end()) near = suggestion(word, known);
  }
  fmt::print(stderr, "steelyard {0}: {1}{2}\nsee steelyard {0} --help\n", command->name, text::display(error.what()),
             near);
  return kError;
}

}  // namespace

extern const Command overview;

Parsed parse(int argc, const char* const* argv) {
  if (argc < 2) return {.command = &overview};
  if (argc == 2 && (std::string_view(argv[1]) == "--version" || std::string_view(argv[1]) == "-V")) {
    fmt::print("steelyard {}\n", STEELYARD_VERSION);
    return {};
  }
  CLI::App app("", "steelyard");
  app.require_subcommand(1);
  bool version = false;
  app.add_flag("-V,--version", version, "print the version");

  // Only the command that is named gets its flags: a few hundred options take their time.
  const Command* chosen = argc > 1 ? find_command(argv[1]) : nullptr;
  std::list<Slot> slots;
  Parsed parsed;
  for (const Command* command : commands()) {
    CLI::App* sub = app.add_subcommand(std::string(command->name), std::string(command->summary));
    if (command != chosen) continue;
    if (!command->positional.empty()) {
      CLI::Option* option =
          sub->add_option("targets", parsed.arguments.positional, "")->type_name(std::string(command->positional));
      if (!command->positional.starts_with("[")) option->required();
      option->expected(1, command->positional.find("…") == std::string_view::npos ? 1 : 100'000);
    }
    for (const Flag& flag : flags_of(*command)) add_flag(*sub, flag, slots);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", chosen == nullptr ? cli::help() : cli::help(*chosen));
    return {};
  } catch (const CLI::ParseError& error) {
    return {.exit = usage_error(chosen, error, argc, argv)};
  }
  parsed.command = chosen;
  for (Slot& slot : slots) {
    if (slot.option->count() == 0) continue;
    if (slot.is_switch) slot.values.assign(slot.option->count(), "true");
    parsed.arguments.values[slot.name] = std::move(slot.values);
  }
  return parsed;
}

}  // namespace steelyard::cli
