#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/gather.hpp"
#include "cli/models.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kListFormat, kColor, kNoCache};
constexpr std::size_t kMostVerdicts = 500;

json::Value document(const Models& here) {
  json::Value places = json::Array{};
  for (const stores::Place& place : here.listing.places) {
    places.push(json::Value()
                    .set("store", place.store)
                    .set("path", text::to_value(place.root.string()))
                    .set("models", u64{place.models})
                    .set("problem", place.problem.empty() ? json::Value() : json::Value(place.problem)));
  }
  json::Value models = json::Array{};
  for (const Row& row : here.rows) {
    json::Value files = json::Array{};
    for (const stores::File& file : row.model->files) {
      files.push(json::Value()
                     .set("name", text::to_value(file.name))
                     .set("path", file.path.empty() ? json::Value() : text::to_value(file.path.string()))
                     .set("bytes", file.stat.bytes)
                     .set("digest", file.digest.empty() ? json::Value() : json::Value(file.digest))
                     .set("problem", file.problem.empty() ? json::Value() : json::Value(file.problem)));
    }
    models.push(json::Value()
                    .set("target", text::to_value(row.model->target()))
                    .set("store", row.model->store)
                    .set("bytes", row.model->bytes())
                    .set("format", row.format.empty() ? json::Value() : json::Value(row.format))
                    .set("same_as", row.same_as.empty() ? json::Value() : text::to_value(row.same_as))
                    .set("files", std::move(files)));
  }
  json::Value notes = json::Array{};
  for (const std::string& note : here.listing.notes) notes.push(text::to_value(note));
  return json::Value()
      .set("schema", "steelyard/models/1")
      .set("stores", std::move(places))
      .set("models", std::move(models))
      .set("notes", std::move(notes));
}

int run(Session& session) {
  const std::string format = session.arguments().value("format", "text");
  if ((format != "text" && format != "json") || session.arguments().has("output"))
    return session.failed({ErrorCode::usage, "ls writes text or json, to standard output"});
  const Models here = models(session, kMostVerdicts);
  if (format == "json") {
    fmt::print("{}\n", json::pretty(document(here)));
  } else {
    report::Screen screen(session.style());
    table(screen, here.rows, here.rows.size());
    if (!here.rows.empty()) screen.line();
    footer(screen, here.listing);
    fmt::print("{}", screen.take());
  }
  return here.rows.empty() ? kUndetermined : kClean;
}

}  // namespace

extern const Command ls_command;
const Command ls_command{"ls",
                         "the models in the stores of this machine, by the names that other commands take",
                         "",
                         "Nothing is read but names, sizes and lists of files. Exit code 3: no model is here.\n\n"
                         "Examples:\n  steelyard ls\n  steelyard ls --format json",
                         kFlags,
                         run};

}  // namespace steelyard::cli
