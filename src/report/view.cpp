#include "report/view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "base/text.hpp"
#include "policy/requirements.hpp"
#include "rules/catalog.hpp"

namespace steelyard::report {
namespace {

constexpr std::string_view kPrefix = "ev1:";

struct Citation {
  std::string_view id;
  std::string_view section;
  std::size_t index = 0;
};

std::optional<Citation> split(std::string_view text) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  Citation out{text.substr(0, text.find('#')), {}, 0};
  if (out.id.size() == text.size()) return out;
  const std::string_view item = text.substr(out.id.size() + 1);
  const std::size_t slash = item.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  out.section = item.substr(0, slash);
  const std::string_view number = item.substr(slash + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out.index);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return out;
}

std::size_t section_size(const Examination& found, std::string_view section) {
  if (section == "findings") return found.findings.size();
  if (section == "facts") return found.facts.size();
  if (section == "measurements") return found.measurements.size();
  if (section == "coverage") return found.coverage.size();
  if (section == "artifacts") return found.artifacts.size();
  return 0;
}

int rank(const policy::Ruling& ruling) {
  if (ruling.state == policy::State::undetermined) return 1;
  if (ruling.state == policy::State::met) return 3;
  return ruling.turned ? 2 : 0;
}

// Several targets are named in one text, a record each; `host` needs none.
std::string targets(const Report& report) {
  if (report.target.empty() || report.command == "host") return {};
  std::string out;
  std::size_t words = 0;
  for (std::string_view rest = report.target; !rest.empty(); ++words) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    out += " " + shell_word(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return words > 1 && report.verdicts.empty() && words == report.records.size() ? out : " " + shell_word(report.target);
}

u64 add(u64 a, u64 b) {
  u64 sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

}  // namespace

std::string shown(std::string_view text, std::size_t most) { return text::display(text, most); }

std::string value_text(const json::Value& value, std::size_t most) {
  if (value.is_null()) return "none";
  if (value.is_string()) return shown(value.string(), most);
  if (value["escaped"].is_string()) return shown(value["escaped"].string(), most);
  std::string out;
  const auto add_item = [&](std::string_view name, const json::Value& item) {
    if (out.size() > 8 * most) return;
    out += fmt::format("{}{}{}{}", out.empty() ? "" : ", ", name, name.empty() ? "" : " ",
                       item.is_string() ? item.string() : json::compact(item));
  };
  for (const auto& item : value.array()) add_item({}, item);
  for (const auto& [name, item] : value.object()) add_item(name, item);
  return shown(out.empty() ? json::compact(value) : out, most);
}

std::string offsets(const Range& range) {
  return range.end > range.begin + 1 ? fmt::format("0x{:x}..0x{:x}", range.begin, range.end)
                                     : fmt::format("0x{:x}", range.begin);
}

std::string shell_word(std::string_view word) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./:@%+=,").find(c) != std::string_view::npos;
  };
  std::string out;
  if (word.size() > 1 && word.front() == '-') out = "./";
  if (!word.empty() && std::ranges::all_of(word, plain)) return out += word;
  out = "'" + out;
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

Evidence::Evidence(const Report& report) : report_(&report) {
  for (const auto& record : report.records) ids_.push_back(evidence::id(record));
  std::vector<std::string> sorted = ids_;
  std::ranges::sort(sorted);
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i] == sorted[i - 1]) continue;
    const auto differs = std::ranges::mismatch(sorted[i], sorted[i - 1]).in1 - sorted[i].begin();
    digits_ = std::max(digits_, static_cast<std::size_t>(differs) + 1 - kPrefix.size());
  }
  for (const auto& one : report.accepted) accepted_.emplace(one.finding, &one);
}

const accept::Accepted* Evidence::accepted(std::size_t record, std::size_t finding) const {
  if (accepted_.empty()) return nullptr;
  const auto found = accepted_.find(fmt::format("{}#findings/{}", ids_[record], finding));
  return found == accepted_.end() ? nullptr : found->second;
}

std::optional<Cited> Evidence::find(std::string_view citation) const {
  const auto parts = split(citation);
  if (!parts || parts->id.size() < kPrefix.size() + 4) return std::nullopt;
  std::optional<std::size_t> match;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    if (!ids_[i].starts_with(parts->id)) continue;
    if (match && ids_[*match] != ids_[i]) return std::nullopt;
    if (!match) match = i;
  }
  if (!match) return std::nullopt;
  if (!parts->section.empty() && parts->index >= section_size(report_->records[*match].found, parts->section)) {
    return std::nullopt;
  }
  return Cited{*match, std::string(parts->section), parts->index};
}

std::string Evidence::brief(std::string_view citation) const {
  const std::size_t hash = std::min(citation.find('#'), citation.size());
  return shown(
      std::string(citation.substr(0, std::min(hash, kPrefix.size() + digits_))) + std::string(citation.substr(hash)),
      80);
}

const Finding* Evidence::finding(const Cited& cited) const {
  if (cited.section != "findings") return nullptr;
  return &report_->records[cited.record].found.findings[cited.index];
}

std::string Evidence::describe(std::string_view citation) const {
  const auto cited = find(citation);
  if (!cited) return {};
  const evidence::Record& record = report_->records[cited->record];
  const Examination& found = record.found;
  const auto join = [](std::string text, const std::string& place) {
    return place.empty() ? text : std::move(text) + ", " + place;
  };
  if (const Finding* f = finding(*cited)) {
    return join(shown(f->rule, 40) + " " + shown(rules::message(*f)), where(record, f->artifact, f->at));
  }
  if (cited->section == "facts") {
    const Fact& f = found.facts[cited->index];
    return join(fmt::format("{} = {} ({})", shown(f.key, 80), value_text(f.value, 120), to_string(f.assurance)),
                where(record, f.artifact, f.at));
  }
  if (cited->section == "coverage") {
    const Coverage& c = found.coverage[cited->index];
    return join(fmt::format("{} of {} examined", percent(c.examined, c.bytes), text::human_bytes(c.bytes)),
                where(record, c.artifact, std::nullopt));
  }
  if (cited->section == "measurements") {
    const Measurement& m = found.measurements[cited->index];
    return words(m);
  }
  return fmt::format("{} record of {}", shown(record.kind, 40),
                     record.subjects.empty() ? "nothing" : shown(record.subjects.front().path));
}

namespace {

// A number to four digits, bytes as people read them; what is no number as it is.
std::string figure(const std::string& value, const std::string& unit) {
  double number = 0;
  const char* end = value.data() + value.size();
  if (const auto [at, error] = std::from_chars(value.data(), end, number); error != std::errc() || at != end)
    return shown(value, 40);
  if (unit == "byte" && number >= 1024 && number < 1e18) return text::human_bytes(static_cast<u64>(number));
  return std::abs(number) >= 1000 && std::abs(number) < 1e15 ? fmt::format("{:.0f}", number)
                                                             : fmt::format("{:.4g}", number);
}

}  // namespace

std::string words(const Measurement& m) {
  std::string out = shown(m.metric, 80);
  for (const auto& [key, value] : m.slice.object()) {
    if (value.is_string() && value.string().size() == 64) continue;  // a digest tells a reader nothing
    out += fmt::format(" {} {}", shown(key, 40), shown(value.is_string() ? value.string() : json::compact(value), 80));
  }
  const std::string value = figure(m.value, m.unit);
  out += " = " + value;
  if (m.unit != "1" && !(m.unit == "byte" && value.ends_with("iB"))) out += " " + shown(m.unit, 20);
  if (m.interval.size() == 2 && m.interval[0] != m.interval[1])
    out += fmt::format(" ({} to {})", figure(m.interval[0], m.unit), figure(m.interval[1], m.unit));
  return out + fmt::format(", n {}", m.n);
}

std::string where(const evidence::Record& record, const std::optional<u32>& artifact, const std::optional<Range>& at) {
  std::string out;
  if (artifact && *artifact < record.found.artifacts.size()) out = shown(record.found.artifacts[*artifact].path, 120);
  if (at) out += (out.empty() ? "@" : " @") + offsets(*at);
  return out;
}

std::optional<Range> in_file(const evidence::Record& record, const std::optional<u32>& artifact,
                             const std::optional<Range>& at) {
  const auto& artifacts = record.found.artifacts;
  if (!artifact || *artifact >= artifacts.size()) return at;
  const Artifact* place = &artifacts[*artifact];
  std::optional<Range> out = at;
  // A parent comes before its children, so this ends.
  for (; place->parent && *place->parent < artifacts.size(); place = &artifacts[*place->parent]) {
    if (!out || !place->encoding.empty()) {
      out = place->range;
    } else {
      out = Range{add(place->range.begin, out->begin), add(place->range.begin, out->end)};
    }
  }
  return out;
}

std::string acceptance(const accept::Accepted& accepted) {
  return fmt::format("(accepted{}{}: {})", accepted.by == "baseline" ? " by the baseline" : "",
                     accepted.until.empty() ? "" : " until " + accepted.until, shown(accepted.reason));
}

std::vector<Decisive> decisive(std::span<const policy::Verdict> verdicts) {
  std::vector<Decisive> out;
  for (const auto& verdict : verdicts) {
    for (const auto& ruling : verdict.rulings) {
      if (ruling.state == policy::State::met && verdict.decision != policy::Decision::fit) continue;
      const auto same = std::ranges::find_if(out, [&](const Decisive& d) {
        return rank(*d.ruling) == rank(ruling) && d.ruling->because.text == ruling.because.text;
      });
      if (same == out.end()) {
        out.push_back({&ruling, {verdict.context}});
      } else if (same->contexts.back() != verdict.context) {
        same->contexts.push_back(verdict.context);
      }
    }
  }
  std::ranges::stable_sort(out, {}, [](const Decisive& d) { return rank(*d.ruling); });
  // Next to a context that isn't simply fit, what is met elsewhere decides nothing.
  if (!out.empty() && rank(*out.front().ruling) < 3) {
    std::erase_if(out, [](const Decisive& d) { return rank(*d.ruling) == 3; });
  }
  return out;
}

std::string_view word(const policy::Ruling& ruling) {
  return ruling.turned ? std::string_view("met with conditions") : policy::to_string(ruling.state);
}

std::string reason(const policy::Verdict& verdict) {
  if (verdict.decision == policy::Decision::fit_with_conditions && !verdict.conditions.empty()) {
    const std::size_t number = verdict.conditions.size();
    std::string out = number == 1 ? "" : count(number, "condition", "conditions") + ": ";
    for (const auto& condition : verdict.conditions) {
      std::string text = shown(condition.text);
      // The sentence goes on inside a list, unless its second letter says that it opens with a name.
      if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a') text[0] += 'a' - 'A';
      out += (&condition == &verdict.conditions.front() ? "" : "; ") + text;
    }
    return out;
  }
  const int wanted = verdict.decision == policy::Decision::unfit          ? 0
                     : verdict.decision == policy::Decision::undetermined ? 1
                                                                          : 3;
  if (wanted < 3) {
    for (const auto& ruling : verdict.rulings) {
      if (rank(ruling) == wanted) return shown(ruling.because.text);
    }
  }
  for (auto line = verdict.layers.rbegin(); line != verdict.layers.rend(); ++line) {
    if (line->assessed) return shown(line->because.text);
  }
  return "no requirement was asked for";
}

std::vector<LayerView> layers(std::span<const policy::Verdict> verdicts) {
  std::vector<LayerView> out;
  for (const Layer layer : {Layer::model, Layer::infrastructure, Layer::integration}) {
    LayerView view;
    for (const auto& verdict : verdicts) {
      for (const auto& line : verdict.layers) {
        if (line.layer != layer) continue;
        ++view.of;
        const bool worse = view.line == nullptr || line.assessed > view.line->assessed ||
                           (line.assessed == view.line->assessed && line.decision > view.line->decision);
        const bool same = view.line != nullptr && line.assessed == view.line->assessed &&
                          line.decision == view.line->decision && line.because.text == view.line->because.text;
        if (same) ++view.same;
        if (worse) {
          view.line = &line;
          view.same = 1;
        }
      }
    }
    if (view.line != nullptr) out.push_back(view);
  }
  return out;
}

std::vector<Examined> examined(const Report& report, const Evidence& evidence) {
  std::vector<Examined> out;
  for (std::size_t number = 0; number < report.records.size(); ++number) {
    const evidence::Record& record = report.records[number];
    if (record.kind == "comparison") continue;  // of files that other records are about; comparison.hpp shows it
    const Examination& found = record.found;
    const Fact* source = report.records.size() > 1 ? found.fact("source.target") : nullptr;
    const std::size_t first = out.size();
    for (std::size_t s = 0; s < std::max<std::size_t>(record.subjects.size(), 1); ++s) {
      Examined& item = out.emplace_back();
      item.record = &record;
      item.number = number;
      item.first = s == 0;
      item.subject = s < record.subjects.size() ? &record.subjects[s] : nullptr;
      item.path = item.subject != nullptr ? item.subject->path : record.kind;
      if (source != nullptr) item.path = source->value.string() + ":" + item.path;
    }
    // What belongs to no artifact belongs to the record, and is shown with its first subject.
    const auto owner = [&](const std::optional<u32>& artifact) -> Examined& {
      const std::size_t subject =
          artifact && *artifact < found.artifacts.size() ? found.artifacts[*artifact].subject : 0;
      return out[first + std::min(subject, out.size() - first - 1)];
    };
    for (const Artifact& artifact : found.artifacts) {
      Examined& item = out[first + std::min<std::size_t>(artifact.subject, out.size() - first - 1)];
      if (item.format.empty()) item.format = artifact.format;
      ++item.artifacts;
    }
    for (std::size_t i = 0; i < found.findings.size(); ++i) {
      Examined& item = owner(found.findings[i].artifact);
      if (!report.selection.wants(found.findings[i])) {
        ++item.not_selected;
      } else {
        (evidence.accepted(number, i) != nullptr ? item.accepted : item.findings).push_back(i);
      }
    }
    for (std::size_t i = 0; i < found.facts.size(); ++i) owner(found.facts[i].artifact).facts.push_back(i);
    for (const Coverage& coverage : found.coverage) {
      Examined& item = owner(coverage.artifact);
      item.bytes = add(item.bytes, coverage.bytes);
      item.examined = add(item.examined, coverage.examined);
      const Artifact* artifact =
          coverage.artifact < found.artifacts.size() ? &found.artifacts[coverage.artifact] : nullptr;
      for (const Gap& gap : coverage.gaps) item.gaps.emplace_back(artifact, &gap);
    }
    for (std::size_t i = first; i < out.size(); ++i) {
      std::ranges::stable_sort(out[i].findings, [&](std::size_t a, std::size_t b) {
        const Finding& x = found.findings[a];
        const Finding& y = found.findings[b];
        if (x.severity != y.severity) return x.severity > y.severity;
        return x.at.value_or(Range{}).begin < y.at.value_or(Range{}).begin;
      });
    }
  }
  return out;
}

std::string summary(const Report& report) {
  std::string format;
  u64 largest = 0;
  u64 bytes = 0;
  std::size_t files = 0;
  std::size_t models = 0;
  std::map<std::string, u64> seen;  // a file that two records examined counts once
  // What was measured on a model is no second one.
  const bool scanned = std::ranges::any_of(report.records, [](const auto& one) { return one.kind == "scan"; });
  for (const auto& record : report.records) {
    if (record.kind == "host" || record.kind == "context" || record.kind == "comparison") continue;
    if (scanned && record.kind != "scan") continue;
    ++models;
    for (const auto& subject : record.subjects) {
      if (!seen.emplace(subject.path + subject.sha256, subject.bytes).second) continue;
      bytes = add(bytes, subject.bytes);
      ++files;
    }
    for (const auto& artifact : record.found.artifacts) {
      if (artifact.parent || artifact.format == "unknown" || artifact.subject >= record.subjects.size()) continue;
      const u64 size = record.subjects[artifact.subject].bytes;  // the weights are the largest file
      if (!format.empty() && size <= largest) continue;
      format = artifact.format;
      largest = size;
    }
  }
  std::vector<std::string> parts;
  if (models > 1) {
    parts.push_back(count(models, "model", "models"));
  } else if (!format.empty()) {
    parts.push_back(shown(format, 40));
  }
  if (const Fact* parameters = models > 1 ? nullptr : fact(report, "model.parameters")) {
    if (const auto number = parameters->value.unsigned_integer()) {
      parts.push_back(text::human_count(*number) + " parameters");
    }
  }
  if (files > 0) parts.push_back(text::human_bytes(bytes));
  if (files > 1) parts.push_back(count(files, "file", "files"));
  return fmt::format("{}", fmt::join(parts, " · "));
}

std::string reproduce(const Report& report, std::string_view more) {
  std::string out = "steelyard " + report.command;
  out += targets(report);
  if (!report.matrix) {
    for (const auto& verdict : report.verdicts) out += " --context " + shell_word(verdict.context);
  }
  if (!report.verdicts.empty()) {
    const std::string& profile = report.verdicts.front().profile;
    const auto names = policy::profile_names();
    const bool built_in = std::ranges::find(names, profile) != names.end();
    if (!profile.empty()) out += (built_in ? " --profile " : " --require ") + shell_word(profile);
  }
  if (!more.empty()) out += " " + std::string(more);
  return shown(out, 2 * kMostShown);
}

std::string percent(u64 part, u64 whole) {
  if (part >= whole) return "100 %";
  const u64 scale = whole >> 50 == 0 ? 1 : u64{1} << 14;  // keeps part * 1000 within 64 bits
  const u64 tenths = part / scale * 1000 / (whole / scale + (scale == 1 ? 0 : 1));
  return fmt::format("{}.{} %", tenths / 10, tenths % 10);
}

std::string count(std::size_t number, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", number, number == 1 ? one : many);
}

std::string upper(std::string_view ascii) {
  std::string out(ascii);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

}  // namespace steelyard::report
