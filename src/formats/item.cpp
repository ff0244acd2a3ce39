#include "formats/item.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "formats/detail/gadgets.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr u32 kDeepest = 8;
constexpr u32 kMostChildren = 2048;
constexpr u64 kUnpackedFloor = u64{256} << 20;
constexpr u64 kUnpackedFactor = 64;
constexpr std::size_t kMostName = 512;  // bytes of a member's name that its path keeps
constexpr std::size_t kHead = 4096;

void nothing_known(Item& item) {
  item.coverage().gaps.push_back(
      {{0, item.size()}, item.size() == 0 ? "the file is empty" : "no parser for this content"});
}

std::string_view last_part(std::string_view name) {
  const std::size_t slash = name.find_last_of("/\\");
  return name.substr(slash == std::string_view::npos ? 0 : slash + 1);
}

}  // namespace

Fuel Fuel::for_file(u64 bytes) {
  const u64 scaled = checked_mul(bytes, kUnpackedFactor).value_or(UINT64_MAX - kUnpackedFloor);
  return {{.fuel = checked_add(kUnpackedFloor, scaled).value_or(UINT64_MAX)}, kMostChildren};
}

namespace {

// A worker's answer with a text that isn't UTF-8 is refused as a whole: whoever quotes a file's bytes must not
// have to think of it.
json::Value in_utf8(json::Value value) {
  if (value.is_string()) return text::valid_utf8(value.string()) ? value : text::to_value(value.string());
  if (value.is_array()) {
    json::Value out = json::Array{};
    for (const json::Value& item : value.array()) out.push(in_utf8(item));
    return out;
  }
  if (value.is_object()) {
    json::Value out = json::Object{};
    for (const auto& [key, item] : value.object()) out.set(key, in_utf8(item));
    return out;
  }
  return value;
}

}  // namespace

void Reporter::add(std::string_view rule, std::optional<Range> at, json::Value data) {
  auto entry = std::ranges::find(counts_, rule, &std::pair<std::string, std::size_t>::first);
  if (entry == counts_.end()) entry = counts_.insert(counts_.end(), {std::string(rule), 0});
  if (++entry->second <= kMostPerRule)
    out_.findings.push_back({std::string(rule), Severity::info, artifact_, at, in_utf8(std::move(data))});
}

void Reporter::fact(std::string key, json::Value value, std::optional<Range> at, Assurance assurance) {
  out_.facts.push_back({std::move(key), in_utf8(std::move(value)), artifact_, at, assurance});
}

void Reporter::finish() {
  for (const auto& [rule, count] : counts_) {
    if (count > kMostPerRule)
      out_.findings.push_back({"LIM001", Severity::info, artifact_, std::nullopt,
                               json::Value().set("rule", rule).set("more", u64{count - kMostPerRule})});
  }
}

void run(std::span<const Format* const> formats, Item& item) {
  const std::size_t at = item.out_.coverage.size();
  static constexpr Format kUnknown{"unknown", "", "", "", nullptr, nothing_known};
  (formats.empty() ? kUnknown : *formats[0]).parse(item);
  // Content that lies in a member as it is makes the whole no other file.
  const auto inside = [&](const Format& other) {
    return std::ranges::any_of(item.out_.artifacts, [&](const Artifact& artifact) {
      if (artifact.parent != item.artifact_ || !artifact.encoding.empty()) return false;
      const auto format = std::ranges::find(all(), artifact.format, &Format::id);
      return format != all().end() && (*format)->family == other.family;
    });
  };
  for (std::size_t i = 1; i < formats.size(); ++i) {
    if (inside(*formats[i])) continue;
    item.report_.add("ARC017", std::nullopt,
                     json::Value().set("one", formats[0]->title).set("other", formats[i]->title));
    (void)item.child(item.source_,
                     {.name = fmt::format("as {}", formats[i]->id),
                      .range = {0, item.size()},
                      .encoding = {},
                      .loader = item.loader_},
                     formats.subspan(i, 1));
  }
  item.report_.finish();
  // Children have added theirs; an artifact's own stands before them.
  item.out_.coverage.insert(item.out_.coverage.begin() + static_cast<std::ptrdiff_t>(at), std::move(item.coverage_));
}

void preload() { gadgets::preload(); }

std::vector<const Format*> detect(const Source& source, std::string_view name) {
  constexpr int kSure = 40;  // of another family
  std::array<std::byte, kHead> head{};
  const std::size_t length = source.read(0, std::span(head).first(std::min<u64>(head.size(), source.size())));
  const Sniff sniff{source, Bytes(head).first(length), name};
  std::vector<std::pair<int, const Format*>> sure;
  for (const Format* format : all()) {
    if (const int confidence = format->sniff(sniff); confidence > 0) sure.emplace_back(confidence, format);
  }
  std::ranges::stable_sort(sure, std::ranges::greater(), &std::pair<int, const Format*>::first);
  std::vector<const Format*> out;
  for (const auto& [confidence, format] : sure) {
    const auto same = [&](const Format* other) { return other->family == format->family; };
    if (out.empty() || (!format->family.empty() && confidence >= kSure && std::ranges::none_of(out, same)))
      out.push_back(format);
  }
  return out;
}

std::optional<u32> Item::child(const Source& content, const Child& child) {
  return this->child(content, child, detect(content, last_part(child.name)));
}

std::optional<u32> Item::child(const Source& content, const Child& child, std::span<const Format* const> formats) {
  const char* spent = depth_ >= kDeepest ? "depth" : fuel_.artifacts == 0 ? "number of members" : nullptr;
  if (spent != nullptr) {
    report_.add("LIM006", child.range,
                json::Value().set("budget", spent).set("name", text::to_value(child.name.substr(0, kMostName))));
    coverage_.gaps.push_back({child.range, fmt::format("the {} that are read is limited", spent)});
    return std::nullopt;
  }
  --fuel_.artifacts;
  const auto index = static_cast<u32>(out_.artifacts.size());
  std::string name = text::prefix(text::display(child.name, kMostName), kMostName);
  const std::string_view last = last_part(child.name);
  const std::string& parent = out_.artifacts[artifact_].path;
  out_.artifacts.push_back({.parent = artifact_,
                            .subject = 0,
                            .path = parent.empty() ? name : parent + "!" + name,
                            .format = formats.empty() ? "unknown" : std::string(formats[0]->id),
                            .range = child.range,
                            .encoding = std::string(child.encoding),
                            .bytes = content.size()});
  Item inner(out_, fuel_, content, last, index, depth_ + 1, child.loader);
  run(formats, inner);
  return index;
}

namespace {

// Some formats have this ending ("json", "tokenizer.json"), and the content is in none of them.
bool named_otherwise(std::string_view name, std::span<const Format* const> formats) {
  const std::string lower = text::lower(name);
  if (!lower.contains('.')) return false;
  const auto has_ending = [&](const Format* format) {
    for (std::string_view rest = format->extensions; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view ending = rest.substr(0, comma);
      if (lower == ending || lower.ends_with(fmt::format(".{}", ending))) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    return false;
  };
  return std::ranges::any_of(all(), has_ending) && std::ranges::none_of(formats, has_ending);
}

Examination examine_as(std::span<const Format* const> formats, const Source& source, std::string_view name) {
  Examination found;
  found.artifacts.push_back({.parent = std::nullopt,
                             .subject = 0,
                             .path = "",
                             .format = formats.empty() ? "unknown" : std::string(formats[0]->id),
                             .range = {0, source.size()},
                             .encoding = {},
                             .bytes = source.size()});
  Fuel fuel = Fuel::for_file(source.size());
  Item item(found, fuel, source, name, 0, 0, {});
  run(formats, item);
  return found;
}

}  // namespace

Examination examine_as(const Format& format, const Source& source, std::string_view name) {
  const Format* const one = &format;
  return examine_as(std::span(&one, 1), source, name);
}

Examination examine(const Source& source, std::string_view name) {
  const auto formats = detect(source, name);
  Examination found = examine_as(formats, source, name);
  if (!formats.empty() && named_otherwise(name, formats)) {
    found.findings.push_back({"ARC018", Severity::info, 0, std::nullopt,
                              json::Value().set("name", text::to_value(name)).set("format", formats[0]->title)});
  }
  return found;
}

}  // namespace steelyard::formats
