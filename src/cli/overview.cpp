// `steelyard` without arguments: one screen of what is here, the last verdicts, and what to type next.

#include <fmt/format.h>

#include <algorithm>

#include "cli/models.hpp"

namespace steelyard::cli {
namespace {

constexpr std::size_t kMostModels = 8;
constexpr std::size_t kMostShown = 5;       // verdicts
constexpr std::size_t kMostVerdicts = 100;  // looked through

int run(Session& session) {
  const Models here = models(session, kMostVerdicts);
  report::Screen screen(session.style());
  screen.line(screen.paint(report::Paint::strong, "Models on this machine"));
  table(screen, here.rows, kMostModels);
  if (here.rows.size() > kMostModels)
    screen.line(fmt::format("  and {} more: steelyard ls", here.rows.size() - kMostModels));
  screen.line();
  footer(screen, here.listing);
  if (!here.verdicts.empty()) {
    screen.heading("Last verdicts");
    for (const Remembered& verdict : std::span(here.verdicts).first(std::min(kMostShown, here.verdicts.size()))) {
      std::string line = fmt::format("  {}  {}  ", verdict.day, report::shown(verdict.model, 60));
      for (const auto& [decision, contexts] : verdict.contexts)
        line += fmt::format("{}{}: {}", line.ends_with("  ") ? "" : " · ", report::upper(policy::to_string(decision)),
                            report::shown(fmt::format("{}", fmt::join(contexts, ", "))));
      screen.line(report::cut(line, screen.columns()));
    }
  }
  screen.heading("Next");
  const auto open = std::ranges::find_if(here.rows, [](const Row& row) { return row.verdicts.empty(); });
  const Row* next = open != here.rows.end() ? &*open : here.rows.empty() ? nullptr : &here.rows.front();
  const std::string vet =
      "steelyard vet " + (next != nullptr ? report::shell_word(next->model->target()) : std::string("model.gguf"));
  const std::string scan = next != nullptr ? "steelyard scan" : "steelyard scan FOLDER";
  const std::size_t columns = std::max(report::width(report::shown(vet)), scan.size()) + 2;
  for (const auto& [command, what] :
       {std::pair(vet, "is it safe to use, here?"),
        std::pair(scan, next != nullptr ? "what is in all of them" : "what is in its files"),
        std::pair(std::string("steelyard --help"), "every command")})
    screen.line("  " + report::pad(report::shown(command), columns) + what);
  fmt::print("{}", screen.take());
  return here.rows.empty() ? kUndetermined : kClean;
}

}  // namespace

extern const Command overview;
const Command overview{"", "", "", "", {}, run};

}  // namespace steelyard::cli
