#include "report/explain.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/gather.hpp"
#include "policy/kind.hpp"
#include "rules/catalog.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {
    {"--in", "FILE", "the JSON report that a citation such as ev1:ab12cd#findings/3 points into", ""},
    kColor,
};

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto& [id, rule] : rules::catalog()) out.push_back(id);
  for (const policy::Kind* kind : policy::kinds()) out.emplace_back(kind->name);
  return out;
}

int run(Session& session) {
  const Arguments& arguments = session.arguments();
  const std::string& id = arguments.positional.front();
  std::optional<report::Report> within;
  if (arguments.has("in")) {
    const auto content = io::read_text(arguments.value("in"), u64{256} << 20);
    if (!content) return session.failed(content.error());
    auto loaded = report::load(*content);
    if (!loaded) return session.failed(loaded.error());
    within = std::move(*loaded);
  }
  const auto page = report::explain(id, within ? &*within : nullptr, session.style());
  if (!page) {
    std::string near;
    for (const std::string& candidate : report::closest(id)) near += (near.empty() ? "" : ", ") + candidate;
    return session.failed(
        {ErrorCode::usage, fmt::format("nothing is called \"{}\"{}", text::display(id, 80),
                                       near.empty() ? std::string() : fmt::format("; did you mean {}?", near))});
  }
  fmt::print("{}", *page);
  return kClean;
}

}  // namespace

extern const Command explain_command;
const Command explain_command{"explain",
                              "what a rule, a family of rules, a requirement kind or a cited finding means",
                              "ID",
                              "Examples:\n  steelyard explain GGF001\n  steelyard explain no_path\n"
                              "  steelyard explain 'ev1:ab12cd#findings/3' --in report.json",
                              kFlags,
                              run,
                              false,
                              false,
                              names};

}  // namespace steelyard::cli
