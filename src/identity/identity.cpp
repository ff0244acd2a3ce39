#include "identity/identity.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "base/text.hpp"
#include "identity/repository.hpp"

namespace steelyard::identity {
namespace {

// Who made it, from what, under which terms: the reader is told when nobody says.
constexpr std::array<std::string_view, 5> kExpected = {"identity.maker", "identity.uploader", "identity.quantizer",
                                                       "identity.base", "identity.licence"};
// Claims of which a model has one, whatever the number of files.
constexpr std::array<std::string_view, 4> kSingle = {"identity.maker", "identity.licence", "identity.base",
                                                     "identity.quantizer"};
// Size labels are rounded and leave out embeddings ("2B" of 2.5 billion): only a gross mismatch tells.
constexpr double kLabelTolerance = 0.40;

std::set<std::string> words(std::string_view name) {
  static const std::set<std::string> kNoise = {"the", "license", "licence", "version",   "v",
                                               "of",  "use",     "terms",   "agreement", "community"};
  std::set<std::string> out;
  std::string word;
  const auto flush = [&] {
    if (!word.empty() && !kNoise.contains(word)) out.insert(word);
    word.clear();
  };
  char previous = ' ';
  for (const char c : text::lower(name)) {
    const bool digit = (c >= '0' && c <= '9') || c == '.';
    const bool letter = c >= 'a' && c <= 'z';
    const bool was_digit = (previous >= '0' && previous <= '9') || previous == '.';
    if ((!digit && !letter) || (!word.empty() && digit != was_digit)) flush();
    if (digit || letter) word += c;
    previous = c;
  }
  flush();
  return out;
}

std::vector<Fact*> all(Examination& found, std::string_view key) {
  std::vector<Fact*> facts;
  for (Fact& fact : found.facts) {
    if (fact.key == key) facts.push_back(&fact);
  }
  return facts;
}

void contradict(Examination& found, std::string rule, std::string_view what, Fact& first, Fact& second) {
  first.assurance = second.assurance = Assurance::contradicted;
  const auto shown = [](const json::Value& value) { return value.is_string() ? value.string() : json::compact(value); };
  found.findings.push_back(
      {std::move(rule), Severity::medium, second.artifact, second.at,
       json::Value().set("what", what).set("one", shown(first.value)).set("other", shown(second.value))});
}

// The repositories that a claim about the base names, in lower case: "https://hub/org/name" is org/name.
std::set<std::string> repositories(const json::Value& bases) {
  std::set<std::string> out;
  for (const json::Value& base : bases.array()) {
    std::string name = text::lower(base["repository"].string());
    if (name.empty()) name = text::lower(base["repo_url"].string());
    if (const std::size_t host = name.find("://"); host != std::string::npos) {
      const std::size_t slash = name.find('/', host + 3);
      name = slash == std::string::npos ? std::string() : name.substr(slash + 1);
    }
    if (!name.empty()) out.insert(std::move(name));
  }
  return out;
}

// Whether two claims can both hold. A base without a repository's name can't be held against another.
bool agree(std::string_view key, const json::Value& a, const json::Value& b) {
  if (key == "identity.base") {
    const auto x = repositories(a);
    const auto y = repositories(b);
    return x.empty() || y.empty() || std::ranges::includes(x, y) || std::ranges::includes(y, x);
  }
  if (!a.is_string() || !b.is_string()) return a == b;
  const auto open = [](const json::Value& value) { return value.string() == "other" || value.string() == "unknown"; };
  if (key == "identity.licence" && (open(a) || open(b))) return true;
  return same_licence(a.string(), b.string());
}

void compare_files(Examination& found) {
  for (const std::string_view key : kSingle) {
    const auto facts = all(found, key);
    for (std::size_t i = 1; i < facts.size(); ++i) {
      if (!agree(key, facts[0]->value, facts[i]->value))
        contradict(found, "IDN001", key.substr(key.find('.') + 1), *facts[0], *facts[i]);
    }
  }
}

void compare_licence_name(Examination& found) {
  const auto ids = all(found, "identity.licence");
  const auto names = all(found, "identity.licence_name");
  for (Fact* name : names) {
    for (Fact* id : ids) {
      if (id->artifact != name->artifact || !id->value.is_string() || !name->value.is_string()) continue;
      if (id->value.string() == "other" || same_licence(id->value.string(), name->value.string())) continue;
      contradict(found, "IDN001", "licence", *id, *name);
    }
  }
}

void compare_size_label(Examination& found) {
  u64 parameters = 0;
  for (const Fact* fact : all(found, "model.parameters")) parameters += fact->value.unsigned_integer().value_or(0);
  for (Fact* label : all(found, "identity.size_label")) {
    const auto claimed = labelled_parameters(label->value.string());
    if (!claimed || parameters == 0) continue;
    const double ratio = static_cast<double>(parameters) / static_cast<double>(*claimed);
    if (std::abs(std::log(ratio)) <= std::log1p(kLabelTolerance)) continue;
    label->assurance = Assurance::contradicted;
    found.findings.push_back(
        {"IDN002", Severity::medium, label->artifact, label->at,
         json::Value().set("label", label->value).set("parameters", text::human_count(parameters))});
  }
}

// "MOSTLY_Q4_K_M" names the family Q4_K; what holds most elements must be of that family or, as
// mixtures go, one step of precision away.
void compare_file_type(Examination& found) {
  const auto claims = all(found, "model.file_type");
  const auto computed = all(found, "model.quantization");
  for (Fact* claim : claims) {
    for (const Fact* actual : computed) {
      if (claim->artifact != actual->artifact || !claim->value.is_string() || !actual->value.is_string()) continue;
      const auto bits = [](std::string_view name) -> int {
        for (std::size_t i = 0; i + 1 < name.size(); ++i) {
          const bool boundary = i == 0 || name[i - 1] == '_' || name[i - 1] == 'I' || name[i - 1] == 'B' ||
                                name[i - 1] == 'T' || name[i - 1] == 'P';
          if ((name[i] == 'Q' || name[i] == 'F') && boundary) {
            int value = 0;
            std::from_chars(name.data() + i + 1, name.data() + name.size(), value);
            if (value > 0) return value;
          }
        }
        return 0;
      };
      const int said = bits(claim->value.string());
      const int is = bits(actual->value.string());
      if (said == 0 || is == 0 || std::abs(said - is) <= 2 || (said >= 16 && is >= 16)) continue;
      claim->assurance = Assurance::contradicted;
      found.findings.push_back({"IDN003", Severity::medium, claim->artifact, claim->at,
                                json::Value().set("claimed", claim->value).set("actual", actual->value)});
    }
  }
}

// The shards that an index names lie beside it.
void compare_shards(Examination& found) {
  std::set<std::string> paths;
  for (const Artifact& artifact : found.artifacts) paths.insert(artifact.path);
  for (Fact* fact : all(found, "index.shards")) {
    if (!fact->value.is_array() || !fact->artifact) continue;
    const std::string& index = found.artifacts[*fact->artifact].path;
    const std::string folder = index.substr(0, index.rfind('/') + 1);
    const auto& shards = fact->value.array();
    const auto present = std::ranges::count_if(
        shards, [&](const json::Value& shard) { return shard.is_string() && paths.contains(folder + shard.string()); });
    if (static_cast<std::size_t>(present) == shards.size()) continue;
    found.findings.push_back(
        {"IDN004", Severity::medium, fact->artifact, fact->at,
         json::Value().set("count", u64{shards.size()}).set("present", static_cast<u64>(present))});
  }
}

// A split model loads only when every part is there, so what was examined must be all of it.
void compare_parts(Examination& found) {
  const auto counts = all(found, "split.count");
  std::set<u64> present;
  for (const Fact* part : all(found, "split.index"))
    present.insert(part->value.unsigned_integer().value_or(UINT64_MAX));
  for (Fact* count : counts) {
    const u64 parts = count->value.unsigned_integer().value_or(0);
    if (parts <= 1 || (present.size() == parts && *present.rbegin() == parts - 1)) continue;
    found.findings.push_back({"IDN004", Severity::medium, count->artifact, count->at,
                              json::Value().set("count", parts).set("present", u64{present.size()})});
    return;
  }
}

}  // namespace

bool same_licence(std::string_view a, std::string_view b) {
  // A word that only one of them has makes the terms others.
  static constexpr std::array<std::string_view, 6> kDecisive = {"nc", "nd", "sa", "research", "noncommercial", "clear"};
  const auto x = words(a);
  const auto y = words(b);
  const auto differ = [&](std::string_view word) {
    return x.contains(std::string(word)) != y.contains(std::string(word));
  };
  if (std::ranges::any_of(kDecisive, differ)) return false;
  return std::ranges::includes(x, y) || std::ranges::includes(y, x);
}

std::optional<u64> labelled_parameters(std::string_view label) {
  double product = 1;
  std::string_view rest = label;
  if (const std::size_t times = label.find('x'); times != std::string_view::npos) {
    u64 experts = 0;
    const std::string_view count = label.substr(0, times);
    const auto [end, error] = std::from_chars(count.begin(), count.end(), experts);
    if (error != std::errc{} || end != count.end() || experts == 0 || experts > 4096) return std::nullopt;
    product = static_cast<double>(experts);
    rest.remove_prefix(times + 1);
  }
  double number = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error != std::errc{} || end + 1 != rest.data() + rest.size() || !(number > 0) || number > 1e6)
    return std::nullopt;
  static constexpr std::string_view kUnits = "KMBTQ";
  const std::size_t unit = kUnits.find(*end);
  if (unit == std::string_view::npos) return std::nullopt;
  const double parameters = product * number * std::pow(1000.0, static_cast<double>(unit + 1));
  if (parameters < 1 || parameters > 1e18) return std::nullopt;
  return static_cast<u64>(parameters);
}

void weigh_claims(Examination& found) {
  compare_files(found);
  compare_licence_name(found);
  compare_size_label(found);
  compare_file_type(found);
  compare_parts(found);
  compare_shards(found);
  close_references(found);
  for (const std::string_view key : kExpected) {
    if (found.fact(key) == nullptr)
      found.facts.push_back({std::string(key), nullptr, std::nullopt, std::nullopt, Assurance::missing});
  }
}

}  // namespace steelyard::identity
