#include "report/html_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "rules/catalog.hpp"

namespace steelyard::report {
namespace {

constexpr std::size_t kMostRows = 150;
constexpr std::size_t kMostPlaces = 20;  // of one rule

struct Place {
  std::size_t record;
  std::size_t index;
};

void put_references(html::Writer& w, const rules::Rule& rule) {
  std::vector<std::string> labels = rule.owasp;
  labels.insert(labels.end(), rule.cwe.begin(), rule.cwe.end());
  if (labels.empty() && rule.references.empty()) return;
  auto p = w.open("p", {{"class", "muted"}});
  w.text(shown(fmt::format("{}", fmt::join(labels, " · "))));
  for (const auto& reference : rule.references) {
    w.text(" ");
    if (reference.starts_with("https://")) {
      w.put("a", shown(reference), {{"href", shown(reference)}, {"rel", "noreferrer noopener"}});
    } else {
      w.text(shown(reference));
    }
  }
}

void put_rule(html::Writer& w, const Report& report, const Evidence& evidence, const std::string& id,
              const std::vector<Place>& places) {
  const auto at = [&](const Place& place) -> const Finding& {
    return report.records[place.record].found.findings[place.index];
  };
  const Severity severity = at(places.front()).severity;
  const rules::Rule* rule = rules::find(id);
  auto article = w.open("article", {{"class", "finding " + std::string(to_string(severity))}});
  {
    auto heading = w.open("h3");
    w.put("span", to_string(severity), {{"class", "severity " + std::string(to_string(severity))}});
    w.text(" ");
    w.put("code", shown(id, 20));
    w.text(" " + (rule != nullptr ? shown(rule->name, 80) : std::string()));
    if (places.size() > 1) w.put("span", fmt::format(" in {} places", places.size()), {{"class", "muted"}});
  }
  {
    auto list = w.open("ul", {{"class", "places"}});
    fitting(w, report, "li", places, kFindingsMark, kMostPlaces, [&](const Place& place) {
      const Finding& f = at(place);
      auto item = w.open("li");
      w.text(shown(rules::message(f)));
      w.text(" ");
      if (const std::string spot = where(report.records[place.record], f.artifact, f.at); !spot.empty()) {
        w.put("code", spot, {{"class", "where"}});
        w.text(" ");
      }
      put_citation(w, evidence, fmt::format("{}#findings/{}", evidence.ids()[place.record], place.index));
      if (const json::Value* excerpt = f.data.find("excerpt")) w.put("pre", value_text(*excerpt, 160));
    });
  }
  if (rule == nullptr) return;
  auto fold = w.open("details");
  w.put("summary", "Why it matters, and what to do");
  w.put("p", shown(rule->why, 1000));
  if (!rule->fix.empty()) {
    auto p = w.open("p");
    w.put("strong", "Fix: ");
    w.text(shown(rule->fix, 1000));
  }
  put_references(w, *rule);
}

void put_accepted(html::Writer& w, const Report& report, const Evidence& evidence, const std::vector<Place>& places) {
  if (places.empty()) return;
  auto scroll = scrolling(w, "Accepted findings");
  auto table = w.open("table", {{"class", "accepted"}});
  w.put("caption", "Findings that somebody accepted; they stay in the records");
  {
    auto head = w.open("thead");
    auto row = w.open("tr");
    for (const std::string_view title : {"Rule", "Severity", "What", "Reason", "Until"})
      w.put("th", title, {{"scope", "col"}});
  }
  auto body = w.open("tbody");
  fitting(
      w, report, "tr", places, kFindingsMark, kMostRows,
      [&](const Place& place) {
        const Finding& f = report.records[place.record].found.findings[place.index];
        const accept::Accepted& why = *evidence.accepted(place.record, place.index);
        auto row = w.open("tr");
        w.put("th", shown(f.rule, 20), {{"scope", "row"}});
        w.put("td", to_string(f.severity));
        {
          auto cell = w.open("td");
          w.text(shown(rules::message(f)) + " ");
          put_citation(w, evidence, fmt::format("{}#findings/{}", evidence.ids()[place.record], place.index));
        }
        w.put("td", shown(why.reason) + (why.by == "baseline" ? " (baseline)" : ""));
        w.put("td", why.until.empty() ? "for good" : why.until);
      },
      5);
}

}  // namespace

html::Writer::Element scrolling(html::Writer& w, std::string label) {
  return w.open("div", {{"class", "scroll"}, {"role", "group"}, {"tabindex", "0"}, {"aria-label", std::move(label)}});
}

void put_citation(html::Writer& w, const Evidence& evidence, std::string_view citation) {
  const auto cited = evidence.find(citation);
  if (!cited) {
    w.put("code", evidence.brief(citation), {{"class", "cite"}});
    return;
  }
  auto link = w.open("a", {{"class", "cite"}, {"href", fmt::format("#ev-{}", cited->record)}});
  w.put("code", evidence.brief(citation));
}

void put_identity(html::Writer& w, const Report& report, const Evidence& evidence) {
  std::vector<Place> facts;
  for (std::size_t r = 0; r < report.records.size(); ++r) {
    if (report.records[r].kind == "comparison") continue;  // comparison.hpp draws it
    for (std::size_t i = 0; i < report.records[r].found.facts.size(); ++i) facts.push_back({r, i});
  }
  if (facts.empty()) return;
  // Who made it and what it is come before the many facts of the format.
  const auto order = [&](const Place& place) {
    const std::string& key = report.records[place.record].found.facts[place.index].key;
    return key.starts_with("identity.") ? 0 : key.starts_with("model.") ? 1 : 2;
  };
  std::ranges::stable_sort(facts, {}, order);
  auto section = w.open("section", {{"id", "identity"}});
  w.put("h2", "Identity and facts");
  draw_types(w, report);
  auto scroll = scrolling(w, "Identity and facts");
  auto table = w.open("table", {{"class", "facts"}});
  w.put("caption",
        "What is known, and who says so: verified means computed from the bytes; claimed means somebody says so");
  {
    auto head = w.open("thead");
    auto row = w.open("tr");
    for (const std::string_view title : {"Fact", "Value", "Assurance", "Evidence"})
      w.put("th", title, {{"scope", "col"}});
  }
  auto body = w.open("tbody");
  fitting(
      w, report, "tr", facts, kFactsMark, kMostRows,
      [&](const Place& place) {
        const Fact& f = report.records[place.record].found.facts[place.index];
        auto row = w.open("tr");
        w.put("th", shown(f.key, 80), {{"scope", "row"}});
        w.put("td", value_text(f.value));
        {
          auto cell = w.open("td");
          w.put("span", to_string(f.assurance), {{"class", "badge " + std::string(to_string(f.assurance))}});
        }
        auto cell = w.open("td");
        put_citation(w, evidence, fmt::format("{}#facts/{}", evidence.ids()[place.record], place.index));
      },
      4);
}

void put_measurements(html::Writer& w, const Report& report, const Evidence& evidence) {
  std::vector<Place> all;
  for (std::size_t r = 0; r < report.records.size(); ++r) {
    for (std::size_t i = 0; i < report.records[r].found.measurements.size(); ++i) all.push_back({r, i});
  }
  if (all.empty()) return;
  auto section = w.open("section", {{"id", "measurements"}});
  w.put("h2", "Measurements");
  auto scroll = scrolling(w, "Measurements");
  auto table = w.open("table");
  w.put("caption", "With the interval, and the number of runs or items behind it");
  {
    auto head = w.open("thead");
    auto row = w.open("tr");
    for (const std::string_view title : {"Of", "Measured", "Evidence"}) w.put("th", title, {{"scope", "col"}});
  }
  auto body = w.open("tbody");
  fitting(
      w, report, "tr", all, kFactsMark, kMostRows,
      [&](const Place& place) {
        const evidence::Record& record = report.records[place.record];
        auto row = w.open("tr");
        w.put("th", record.subjects.empty() ? "" : shown(record.subjects.front().path, 60), {{"scope", "row"}});
        w.put("td", words(record.found.measurements[place.index]));
        auto cell = w.open("td");
        put_citation(w, evidence, fmt::format("{}#measurements/{}", evidence.ids()[place.record], place.index));
      },
      3);
}

void put_findings(html::Writer& w, const Report& report, const Evidence& evidence) {
  std::vector<std::pair<std::string, std::vector<Place>>> rules;
  std::map<std::string, std::size_t> index;
  std::size_t total = 0;
  std::size_t not_selected = 0;
  std::vector<Place> accepted;
  for (std::size_t r = 0; r < report.records.size(); ++r) {
    const auto& findings = report.records[r].found.findings;
    for (std::size_t i = 0; i < findings.size(); ++i) {
      if (!report.selection.wants(findings[i])) {
        ++not_selected;
        continue;
      }
      if (evidence.accepted(r, i) != nullptr) {
        accepted.push_back({r, i});
        continue;
      }
      ++total;
      const std::string key = std::string(to_string(findings[i].severity)) + findings[i].rule;
      const auto [found, fresh] = index.emplace(key, rules.size());
      if (fresh) rules.emplace_back(findings[i].rule, std::vector<Place>());
      rules[found->second].second.push_back({r, i});
    }
  }
  auto section = w.open("section", {{"id", "findings"}});
  w.put("h2", "Findings");
  if (not_selected > 0)
    w.put("p", fmt::format("{} not selected in this run.", count(not_selected, "finding was", "findings were")));
  if (total == 0) {
    w.put("p", accepted.empty() ? "No rule fired in what was examined. That isn't a proof: see the coverage below."
                                : "Every finding was accepted, see below.");
    put_accepted(w, report, evidence, accepted);
    return;
  }
  std::ranges::stable_sort(rules, std::ranges::greater(), [&](const auto& entry) {
    const Place& first = entry.second.front();
    return report.records[first.record].found.findings[first.index].severity;
  });
  w.put("p", fmt::format("{} of {}, most severe first.", count(total, "finding", "findings"),
                         count(rules.size(), "rule", "rules")));
  fitting(w, report, "p", rules, kFindingsMark, kMostRows,
          [&](const auto& entry) { put_rule(w, report, evidence, entry.first, entry.second); });
  put_accepted(w, report, evidence, accepted);
}

void put_coverage(html::Writer& w, const Report& report, const Evidence& evidence) {
  std::vector<Examined> files = examined(report, evidence);
  std::erase_if(files, [](const Examined& item) { return item.bytes == 0 && item.gaps.empty(); });
  if (files.empty()) return;
  auto section = w.open("section", {{"id", "coverage"}});
  w.put("h2", "Coverage");
  auto scroll = scrolling(w, "Coverage");
  auto table = w.open("table");
  w.put("caption", "What was examined. Bytes that nothing examined are unknown, not clean");
  {
    auto head = w.open("thead");
    auto row = w.open("tr");
    for (const std::string_view title : {"File", "Format", "Size", "Examined", "Gaps"})
      w.put("th", title, {{"scope", "col"}});
  }
  auto body = w.open("tbody");
  fitting(
      w, report, "tr", files, kCoverageMark, kMostRows,
      [&](const Examined& item) {
        auto row = w.open("tr");
        w.put("th", shown(item.path, 120), {{"scope", "row"}});
        w.put("td", shown(item.format, 40));
        w.put("td", text::human_bytes(item.bytes), {{"class", "number"}});
        w.put("td", percent(item.examined, item.bytes), {{"class", "number"}});
        std::string gaps;
        for (std::size_t i = 0; i < std::min<std::size_t>(item.gaps.size(), 3); ++i) {
          gaps += fmt::format("{}@{}: {}", i == 0 ? "" : "; ", offsets(item.gaps[i].second->range),
                              shown(item.gaps[i].second->why, 100));
        }
        if (item.gaps.size() > 3) gaps += fmt::format("; and {} more", item.gaps.size() - 3);
        w.put("td", gaps.empty() ? "none" : gaps);
      },
      5);
}

void put_records(html::Writer& w, const Report& report, const Evidence& evidence) {
  if (report.records.empty()) return;
  auto section = w.open("section", {{"id", "evidence"}});
  w.put("h2", "Evidence");
  auto scroll = scrolling(w, "Records");
  auto table = w.open("table", {{"class", "records"}});
  w.put("caption", "The records behind every sentence above. An id is the SHA-256 of the record's statement");
  {
    auto head = w.open("thead");
    auto row = w.open("tr");
    for (const std::string_view title : {"Kind", "Record and subjects", "When", "Sandbox", "Status"}) {
      w.put("th", title, {{"scope", "col"}});
    }
  }
  auto body = w.open("tbody");
  std::vector<std::size_t> numbers(report.records.size());
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  fitting(
      w, report, "tr", numbers, kRecordsMark, kMostRows,
      [&](std::size_t number) {
        const evidence::Record& record = report.records[number];
        auto row = w.open("tr", {{"id", fmt::format("ev-{}", number)}});
        w.put("th", shown(record.kind, 40), {{"scope", "row"}});
        {
          auto cell = w.open("td");
          w.put("code", evidence.ids()[number], {{"class", "digest"}});
          auto list = w.open("ul", {{"class", "subjects"}});
          fitting(w, report, "li", record.subjects, kRecordsMark, 20, [&](const evidence::Subject& subject) {
            auto item = w.open("li");
            w.text(fmt::format("{} ({})", shown(subject.path, 120), text::human_bytes(subject.bytes)));
            w.text(" ");
            w.put("code", subject.sha256.empty() ? "not hashed" : "sha256:" + shown(subject.sha256, 64),
                  {{"class", "digest"}});
          });
        }
        w.put("td", shown(record.run.at, 40));
        w.put("td",
              record.run.sandbox.empty() ? "none" : shown(fmt::format("{}", fmt::join(record.run.sandbox, ", "))));
        w.put("td", evidence::to_string(record.status));
      },
      5);
}

void draw_types(html::Writer& w, const Report& report) {
  std::vector<std::pair<std::string, u64>> types;
  for (const auto& record : report.records) {
    for (const auto& f : record.found.facts) {
      if (!f.key.ends_with("types") || !f.value.is_object() || !types.empty()) continue;
      for (const auto& [name, number] : f.value.object()) {
        const auto value = number.unsigned_integer();
        if (!value) {
          types.clear();
          break;
        }
        types.emplace_back(shown(name, 12), *value);
      }
    }
  }
  if (types.empty()) return;
  std::ranges::stable_sort(types, std::ranges::greater(), &std::pair<std::string, u64>::second);
  if (types.size() > 8) types.resize(8);
  const u64 most = std::max<u64>(types.front().second, 1);
  auto figure = w.open("figure");
  {
    auto svg = w.open("svg", {{"viewBox", fmt::format("0 0 480 {}", types.size() * 24)},
                              {"role", "img"},
                              {"aria-labelledby", "types-title types-desc"},
                              {"class", "bars"}});
    w.put("title", "Tensor types", {{"id", "types-title"}});
    std::string words;
    for (const auto& [name, number] : types) words += fmt::format("{}{}: {}", words.empty() ? "" : ", ", name, number);
    w.put("desc", words, {{"id", "types-desc"}});
    for (std::size_t i = 0; i < types.size(); ++i) {
      const double share = static_cast<double>(types[i].second) / static_cast<double>(most);
      const std::size_t y = i * 24;
      w.put("text", types[i].first, {{"x", "84"}, {"y", fmt::format("{}", y + 16)}, {"text-anchor", "end"}});
      w.put("rect", "",
            {{"x", "96"},
             {"y", fmt::format("{}", y + 4)},
             {"width", fmt::format("{:.1f}", 2 + share * 300)},
             {"height", "16"},
             {"rx", "3"}});
      w.put("text", fmt::format("{}", types[i].second),
            {{"x", fmt::format("{:.1f}", 106 + share * 300)}, {"y", fmt::format("{}", y + 16)}});
    }
  }
  w.put("figcaption", "Tensors by type");
}

void draw_paths(html::Writer& w, const policy::Verdict& verdict, std::size_t number) {
  // The ends of a path are the ends of its id: "inbox>send_mail".
  std::vector<std::string> sources;
  std::vector<std::string> tools;
  struct Path {
    std::size_t from, to;
    bool broken;
  };
  std::vector<Path> paths;
  const auto place = [](std::vector<std::string>& names, std::string name) {
    const auto found = std::ranges::find(names, name);
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    names.push_back(std::move(name));
    return names.size() - 1;
  };
  for (const auto& ruling : verdict.rulings) {
    for (const auto& scenario : ruling.scenarios) {
      const std::size_t first = scenario.id.find('>');
      if (first == std::string::npos) continue;
      const bool broken = std::ranges::any_of(verdict.conditions, [&](const policy::Mitigation& condition) {
        return std::ranges::find(scenario.cuts, condition.id) != scenario.cuts.end();
      });
      const std::size_t from = place(sources, shown(std::string_view(scenario.id).substr(0, first), 22));
      const std::size_t to = place(tools, shown(std::string_view(scenario.id).substr(scenario.id.rfind('>') + 1), 22));
      paths.push_back({from, to, broken});
    }
  }
  if (paths.empty() || sources.size() > 7 || tools.size() > 7) return;
  const std::size_t rows = std::max(sources.size(), tools.size());
  const std::size_t height = rows * 40 + 8;
  const auto y = [&](std::size_t i, std::size_t of) { return height / 2 + i * 40 + 20 - of * 20; };  // middle of a box
  auto figure = w.open("figure");
  {
    auto svg = w.open("svg", {{"viewBox", fmt::format("0 0 640 {}", height)},
                              {"role", "img"},
                              {"class", "paths"},
                              {"aria-labelledby", fmt::format("paths-{0}-title paths-{0}-desc", number)}});
    w.put("title", "Paths through " + shown(verdict.context, 60), {{"id", fmt::format("paths-{}-title", number)}});
    std::string words;
    for (const Path& path : paths) {
      if (words.size() > 600) break;
      words += fmt::format("{}{} to the model to {}{}", words.empty() ? "" : "; ", sources[path.from], tools[path.to],
                           path.broken ? ", broken by a condition" : "");
    }
    w.put("desc", words, {{"id", fmt::format("paths-{}-desc", number)}});
    const auto edge = [&](std::size_t x1, std::size_t y1, std::size_t x2, std::size_t y2, bool broken) {
      w.put("path", "",
            {{"d", fmt::format("M{} {}C{} {} {} {} {} {}", x1, y1, (x1 + x2) / 2, y1, (x1 + x2) / 2, y2, x2, y2)},
             {"class", broken ? "edge broken" : "edge"}});
    };
    for (std::size_t i = 0; i < sources.size(); ++i) edge(184, y(i, sources.size()), 268, height / 2, false);
    for (std::size_t i = 0; i < tools.size(); ++i) {
      const bool broken = std::ranges::all_of(paths, [&](const Path& p) { return p.to != i || p.broken; });
      edge(372, height / 2, 456, y(i, tools.size()), broken);
    }
    const auto box = [&](std::size_t x, std::size_t middle, std::size_t wide, const std::string& label,
                         std::string kind) {
      w.put("rect", "",
            {{"x", fmt::format("{}", x)},
             {"y", fmt::format("{}", middle - 14)},
             {"width", fmt::format("{}", wide)},
             {"height", "28"},
             {"rx", "6"},
             {"class", std::move(kind)}});
      w.put("text", label,
            {{"x", fmt::format("{}", x + wide / 2)}, {"y", fmt::format("{}", middle + 5)}, {"text-anchor", "middle"}});
    };
    for (std::size_t i = 0; i < sources.size(); ++i) box(4, y(i, sources.size()), 180, sources[i], "source");
    box(268, height / 2, 104, "model", "model");
    for (std::size_t i = 0; i < tools.size(); ++i) box(456, y(i, tools.size()), 180, tools[i], "tool");
  }
  w.put("figcaption",
        "Untrusted text on the left reaches what is on the right. A dashed line is broken by a condition.");
}

}  // namespace steelyard::report
