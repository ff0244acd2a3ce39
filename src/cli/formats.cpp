#include <fmt/format.h>

#include <algorithm>

#include "cli/gather.hpp"
#include "formats/format.hpp"
#include "report/terminal.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kListFormat};

int run(Session& session) {
  if (session.arguments().value("format", "text") == "json") {
    json::Value models = json::Array{};
    for (const formats::Format* format : formats::all()) {
      json::Value endings = json::Array{};
      for (std::string& ending : split(format->extensions)) endings.push(std::move(ending));
      models.push(json::Value()
                      .set("id", format->id)
                      .set("title", format->title)
                      .set("extensions", std::move(endings))
                      .set("spec", format->spec));
    }
    json::Value reports = json::Array{};
    for (const report::Renderer* renderer : report::all())
      reports.push(
          json::Value().set("id", renderer->id).set("title", renderer->title).set("extension", renderer->extension));
    fmt::print("{}\n", json::pretty(json::Value().set("models", std::move(models)).set("reports", std::move(reports))));
    return kClean;
  }
  std::size_t widest = 0;
  for (const formats::Format* format : formats::all()) widest = std::max(widest, format->id.size());
  report::Screen screen(session.style());
  screen.line("Files that are examined; content decides, not the name");
  for (const formats::Format* format : formats::all()) {
    const std::string endings =
        format->extensions.empty() ? "" : fmt::format(" ({})", fmt::join(split(format->extensions), ", "));
    screen.block("  " + report::pad(format->id, widest + 2), widest + 4, std::string(format->title) + endings);
  }
  screen.line();
  screen.line("Reports, by --format or by the ending of --output");
  for (const report::Renderer* renderer : report::all())
    screen.block("  " + report::pad(renderer->id, widest + 2), widest + 4,
                 fmt::format("{} ({})", renderer->title, renderer->extension));
  fmt::print("{}", screen.take());
  return kClean;
}

}  // namespace

extern const Command formats_command;
const Command formats_command{.name = "formats",
                              .summary = "which files are examined, and which reports there are",
                              .positional = "",
                              .details = "Examples:\n  steelyard formats\n  steelyard formats --format json",
                              .flags = kFlags,
                              .run = run};

}  // namespace steelyard::cli
