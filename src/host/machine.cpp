#include "host/machine.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

#include "host/system.hpp"

namespace steelyard::host {
namespace {

constexpr u32 kMostProcessors = 8192;
constexpr std::size_t kMostGroups = 64;  // above each other

std::optional<u64> number(std::string_view text) {
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::optional<u64> number_in(const fs::path& path) { return number(read(path).text); }

// "MemAvailable:   123 kB" in bytes.
std::optional<u64> kibibytes(std::string_view text, std::string_view name) {
  const auto value = number(status_field(text, name));
  return value && *value < (u64{1} << 52) ? std::optional(*value * 1024) : std::nullopt;
}

// Folders of this process's group of a controller, from its own up to the top; of v2 when `controller` is empty.
std::vector<fs::path> groups(const fs::path& root, std::string_view controller) {
  std::istringstream lines(read(root / "proc/self/cgroup").text);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controller.empty() ? names != ",," : !names.contains(fmt::format(",{},", controller))) continue;
    const fs::path top = root / "sys/fs/cgroup" / controller;
    std::vector<fs::path> out;
    fs::path inner = fs::path(line.substr(second + 1)).relative_path().lexically_normal();
    if (!inner.empty() && *inner.begin() == "..") inner.clear();
    for (; !inner.empty() && inner != "." && out.size() < kMostGroups; inner = inner.parent_path())
      out.push_back(top / inner);
    out.push_back(top);
    return out;
  }
  return {};
}

struct Names {
  std::string_view controller, limit, used, cache;
};
constexpr Names kMemory[] = {{"", "memory.max", "memory.current", "inactive_file"},
                             {"memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}};

// "name 123" of memory.stat.
u64 statistic(std::string_view text, std::string_view name) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ' ')
      return number(std::string_view(line).substr(name.size() + 1)).value_or(0);
  }
  return 0;
}

// Cores' worth of time that a group gives; 0: no limit.
u32 quota(const fs::path& root) {
  u64 least = 0;
  const auto take = [&](std::optional<u64> time, std::optional<u64> period) {
    if (!time || !period || *time == 0 || *period == 0) return;
    const u64 whole = std::max<u64>(1, *time / *period);
    least = least == 0 ? whole : std::min(least, whole);
  };
  for (const fs::path& group : groups(root, "")) {
    const std::string text = read(group / "cpu.max").text;  // "max 100000", "150000 100000"
    const auto space = text.find(' ');
    if (space != std::string::npos) take(number(text), number(std::string_view(text).substr(space + 1)));
  }
  for (const fs::path& group : groups(root, "cpu"))
    take(number_in(group / "cpu.cfs_quota_us"), number_in(group / "cpu.cfs_period_us"));
  return static_cast<u32>(std::min<u64>(least, kMostProcessors));
}

}  // namespace

u32 cores(const Environment& environment) {
  const fs::path root = environment.root();
  std::set<std::string> siblings;  // masks, equal for those that share a core
  for (u32 cpu = 0; cpu < kMostProcessors; ++cpu) {
    const Content one = read(root / fmt::format("sys/devices/system/cpu/cpu{}/topology/thread_siblings", cpu));
    if (one.absent || one.denied) break;
    siblings.insert(one.text);
  }
  u32 count = std::max<u32>(1, static_cast<u32>(siblings.size()));
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    const auto mine = static_cast<u32>(CPU_COUNT(&allowed));
    count = siblings.empty() ? mine : std::min(count, mine);
  }
  if (const u32 most = quota(root); most > 0) count = std::min(count, most);
  return std::max<u32>(1, count);
}

Memory memory(const Environment& environment) {
  const fs::path root = environment.root();
  const std::string text = read(root / "proc/meminfo").text;
  Memory out;
  out.total = kibibytes(text, "MemTotal").value_or(0);
  out.available = kibibytes(text, "MemAvailable").value_or(0);
  for (const Names& names : kMemory) {
    for (const fs::path& group : groups(root, names.controller)) {
      const auto limit = number_in(group / names.limit);
      const auto used = number_in(group / names.used);
      if (!limit || !used || (out.total != 0 && *limit >= out.total)) continue;
      // Pages of files that nobody uses give way.
      const u64 cache = statistic(read(group / "memory.stat").text, names.cache);
      const u64 held = *used - std::min(*used, cache);
      const u64 left = *limit - std::min(*limit, held);
      out.total = *limit;
      if (out.available == 0 || left < out.available) {
        out.available = left;
        out.group = true;
      }
    }
  }
  return out;
}

}  // namespace steelyard::host
