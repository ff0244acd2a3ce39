// The flags that commands share, and names that are derived from a flag's own.

#include <fmt/format.h>

#include <algorithm>

#include "cli/command.hpp"
#include "context/context.hpp"
#include "report/renderer.hpp"

namespace steelyard::cli {
namespace {

std::string listed(std::string_view report::Renderer::* name, std::string_view separator) {
  std::vector<std::string_view> names;
  for (const report::Renderer* renderer : report::all()) names.push_back(renderer->*name);
  return fmt::format("{}", fmt::join(names, separator));
}

}  // namespace

std::span<const Flag> report_flags() {
  static const std::string formats = listed(&report::Renderer::id, ",");
  static const std::string endings =
      fmt::format("also write a report; its ending says which ({})", listed(&report::Renderer::extension, ", "));
  static const Flag kFlags[] = {
      {"-f,--format", "FORMAT", "the report on standard output (default: text)", formats, false, true},
      {"-o,--output", "FILE", endings, "", true},
      {"--show-suppressed", "", "also the findings that an [[ignore]] or the baseline accepts", "", false, true},
      {"--color", "WHEN", "auto, always or never (NO_COLOR and CLICOLOR_FORCE are honoured)", "auto,always,never",
       false, true},
      {"-q,--quiet", "", "no report on standard output, no progress; twice: errors only", "", true},
      {"-v,--verbose", "", "everything that was found, not only what decides", "", false, true},
      {"--config", "FILE", "the settings file (default: the nearest steelyard.toml upward, then the user's own)", ""},
      {"--isolated", "", "no settings file", ""},
      {"--show-settings", "", "print what this run would go by, and from where, and stop", ""},
  };
  return kFlags;
}

std::vector<Flag> flags_of(const Command& command) {
  std::vector<Flag> out(command.flags.begin(), command.flags.end());
  if (!command.reports) return out;
  for (const Flag& flag : report_flags()) {
    // A command may have more formats than reports have.
    if (std::ranges::find(command.flags, flag.names, &Flag::names) == command.flags.end()) out.push_back(flag);
  }
  return out;
}

const Command* find_command(std::string_view name) {
  const auto found = std::ranges::find(commands(), name, &Command::name);
  return found == commands().end() ? nullptr : *found;
}

std::string long_name(const Flag& flag) { return std::string(flag.names.substr(flag.names.rfind("--") + 2)); }

std::string variable_of(const Flag& flag) {
  std::string out = "STEELYARD_" + long_name(flag);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '-') c = '_';
  }
  return out;
}

std::vector<std::string> words_of(const Flag& flag) {
  return flag.value == "CONTEXT" ? context::preset_names() : split(flag.choices);
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    out.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return out;
}

std::string Arguments::value(std::string_view flag, std::string_view fallback) const {
  const auto found = values.find(flag);
  return found == values.end() || found->second.empty() ? std::string(fallback) : found->second.back();
}

std::vector<std::string> Arguments::all(std::string_view flag) const {
  const auto found = values.find(flag);
  return found == values.end() ? std::vector<std::string>() : found->second;
}

}  // namespace steelyard::cli
