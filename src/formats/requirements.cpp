// Lists of Python packages: requirements*.txt and constraints.txt, and the sources that pyproject.toml, Pipfile,
// setup.cfg and pip.conf name.
//
// Spec: pip's requirements file format, PEP 508. Attack resisted: an index of the attacker's, packages from
// bare addresses, names nearly those of known packages. Tested by data/rules/PKG/; fuzzed.

#include <algorithm>

#include "base/text.hpp"
#include "formats/detail/packages.hpp"
#include "formats/detail/references.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"
#include "wire/toml.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kLargest = u64{1} << 20;

// A string of pyproject.toml, Pipfile or setup.cfg that names a source: "x @ https://…", url = "https://…" of an index.
std::string_view source_in(std::string_view line, bool index) {
  const std::size_t scheme = line.find("://");
  if (scheme == std::string_view::npos) return {};
  std::size_t begin = line.find_last_of("\"'", scheme);
  begin = begin == std::string_view::npos ? std::min(line.find_first_not_of(" \t"), line.size()) : begin + 1;
  const std::string_view text = line.substr(begin, line.find_first_of("\"'", scheme) - begin);
  const bool direct =
      text.contains("@ ") || text.starts_with("git+") || text.contains("@git+") || text.contains("@http");
  const bool git = line.contains("git =") || line.contains("git=");
  return direct || git || index ? text : std::string_view();
}

void sources(Item& item, std::string_view text) {
  bool index = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with('[')) index = line.contains("index") || line.contains("source");
    const bool option = line.contains("index-url") || line.contains("index_url") || line.contains("dependency_links") ||
                        line.contains("find-links");
    if (const std::string_view source = source_in(line, index || option); !source.empty() && !line.starts_with('#')) {
      const bool place = index || option;
      for (const PackageNote& note :
           place ? judge_pip({"--index-url", std::string(source)}) : judge_requirement(source))
        item.report().add(note.rule, Range{at, end},
                          json::Value()
                              .set("call", text::display(note.what, 120))
                              .set("text", text::display(note.what, 120))
                              .set("says", note.says));
    }
    at = end + 1;
  }
}

const toml::Node* member(const toml::Node* table, std::string_view key) {
  if (table == nullptr) return nullptr;
  const auto found = std::ranges::find(table->members, key, &toml::Member::key);
  return found == table->members.end() ? nullptr : &found->value;
}

// PEP 517: with a backend-path, pip imports the backend from the project itself.
void build_system(Item& item, const std::string& text) {
  const auto document = toml::Document::parse(text, "pyproject.toml");
  if (!document) return;  // for pip, too
  const toml::Node* system = member(&(*document)->root(), "build-system");
  const toml::Node* backend = member(system, "build-backend");
  const toml::Node* paths = member(system, "backend-path");
  if (backend == nullptr || paths == nullptr || backend->text.empty() || paths->items.empty()) return;
  const Range at{0, item.size()};
  References references;
  for (const toml::Node& path : paths->items) {
    if (path_kind(path.text) == PathKind::plain) {
      references.add("backend-path", path.text, References::Kind::file, at);
    } else {
      item.report().add("CFG007", at,
                        json::Value().set("field", "backend-path").set("target", text::display(path.text, 80)));
    }
  }
  references.add("build-backend", backend->text.substr(0, backend->text.find(':')), References::Kind::import, at);
  references.report(item.report());
}

bool project_file(std::string_view name) {
  return name == "pyproject.toml" || name == "pipfile" || name == "setup.cfg" || name == "pip.conf" ||
         name == "pip.ini" || name == "uv.toml";
}

void parse(Item& item) {
  Reporter& report = item.report();
  const std::string text = checked_text(item, kLargest);
  if (project_file(text::lower(item.name()))) {
    sources(item, text);
    if (text::lower(item.name()) == "pyproject.toml") build_system(item, text);
    return;
  }
  References references;
  u64 loose = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    const Range place{at, end};
    for (const PackageNote& note : judge_requirement(line))
      report.add(note.rule, place,
                 json::Value()
                     .set("call", text::display(note.what, 120))
                     .set("text", text::display(note.what, 120))
                     .set("says", note.says));
    const Requirement requirement = requirement_of(line);
    if (!requirement.name.empty() && line.find_first_not_of(" \t") != std::string_view::npos &&
        line[line.find_first_not_of(" \t")] != '-') {
      references.add("requirements", requirement.name, References::Kind::package, place, !requirement.version.empty());
      loose += requirement.version.empty() ? u64{1} : 0;
    }
    at = end + 1;
  }
  if (loose > 0) report.add("PKG004", Range{0, item.coverage().examined}, json::Value().set("count", loose));
  references.report(report);
}

int sniff(const Sniff& sniff) {
  const std::string name = text::lower(sniff.name);
  const bool named = name.ends_with(".txt") &&
                     (name.contains("requirements") || name.starts_with("constraints") || name == "packages.txt");
  return (named || project_file(name)) && looks_like_text(as_text(sniff.head)) ? 44 : 0;
}

}  // namespace

extern const Format requirements_format;
const Format requirements_format{
    "requirements", "list of Python packages", "requirements.txt", "pip requirements file format; PEP 508", sniff,
    parse};

}  // namespace steelyard::formats
