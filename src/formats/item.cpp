#include "formats/item.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/checked.hpp"
#include "base/text.hpp"
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

}  // namespace

Fuel Fuel::for_file(u64 bytes) {
  const u64 scaled = checked_mul(bytes, kUnpackedFactor).value_or(UINT64_MAX - kUnpackedFloor);
  return {{.fuel = checked_add(kUnpackedFloor, scaled).value_or(UINT64_MAX)}, kMostChildren};
}

void Reporter::add(std::string_view rule, std::optional<Range> at, json::Value data) {
  auto entry = std::ranges::find(counts_, rule, &std::pair<std::string, std::size_t>::first);
  if (entry == counts_.end()) entry = counts_.insert(counts_.end(), {std::string(rule), 0});
  if (++entry->second <= kMostPerRule)
    out_.findings.push_back({std::string(rule), Severity::info, artifact_, at, std::move(data)});
}

void Reporter::fact(std::string key, json::Value value, std::optional<Range> at, Assurance assurance) {
  out_.facts.push_back({std::move(key), std::move(value), artifact_, at, assurance});
}

void Reporter::finish() {
  for (const auto& [rule, count] : counts_) {
    if (count > kMostPerRule)
      out_.findings.push_back({"LIM001", Severity::info, artifact_, std::nullopt,
                               json::Value().set("rule", rule).set("more", u64{count - kMostPerRule})});
  }
}

void run(const Format& format, Item& item) {
  const std::size_t at = item.out_.coverage.size();
  format.parse(item);
  item.report_.finish();
  // Children have added theirs; an artifact's own stands before them.
  item.out_.coverage.insert(item.out_.coverage.begin() + static_cast<std::ptrdiff_t>(at), std::move(item.coverage_));
}

const Format* detect(const Source& source, std::string_view name) {
  std::array<std::byte, kHead> head{};
  const std::size_t length = source.read(0, std::span(head).first(std::min<u64>(head.size(), source.size())));
  const Sniff sniff{source, Bytes(head).first(length), name};
  const Format* best = nullptr;
  int confidence = 0;
  for (const Format* format : all()) {
    if (const int sure = format->sniff(sniff); sure > confidence) {
      confidence = sure;
      best = format;
    }
  }
  return best;
}

std::optional<u32> Item::child(const Source& content, const Child& child) {
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
  const std::size_t slash = child.name.find_last_of("/\\");
  const std::string_view last = std::string_view(child.name).substr(slash == std::string::npos ? 0 : slash + 1);
  const Format* format = detect(content, last);
  const std::string& parent = out_.artifacts[artifact_].path;
  out_.artifacts.push_back({.parent = artifact_,
                            .subject = 0,
                            .path = parent.empty() ? name : parent + "!" + name,
                            .format = format ? std::string(format->id) : "unknown",
                            .range = child.range,
                            .encoding = std::string(child.encoding),
                            .bytes = content.size()});
  static constexpr Format kUnknown{"unknown", "", "", "", nullptr, nothing_known};
  Item inner(out_, fuel_, content, last, index, depth_ + 1, child.loader);
  run(format != nullptr ? *format : kUnknown, inner);
  return index;
}

Examination examine_as(const Format& format, const Source& source, std::string_view name) {
  Examination found;
  found.artifacts.push_back({.parent = std::nullopt,
                             .subject = 0,
                             .path = "",
                             .format = std::string(format.id),
                             .range = {0, source.size()},
                             .encoding = {},
                             .bytes = source.size()});
  Fuel fuel = Fuel::for_file(source.size());
  Item item(found, fuel, source, name, 0, 0, {});
  run(format, item);
  return found;
}

Examination examine(const Source& source, std::string_view name) {
  static constexpr Format kUnknown{"unknown", "", "", "", nullptr, nothing_known};
  const Format* format = detect(source, name);
  return examine_as(format != nullptr ? *format : kUnknown, source, name);
}

}  // namespace steelyard::formats
