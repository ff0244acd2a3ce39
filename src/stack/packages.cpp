#include "stack/packages.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "base/sha256.hpp"
#include "io/file.hpp"

namespace steelyard::stack {
namespace {

namespace fs = std::filesystem;

constexpr u64 kMostBytes = u64{256} << 20;

template <class Line>
void each_line(std::string_view text, const Line& line) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// "/lib/x" and "/usr/lib/x" are one file where /lib is a link: packages have either.
std::string merged(std::string_view path) {
  if (path.starts_with("usr/")) path.remove_prefix(4);
  return std::string(path);
}

struct Owner {
  std::string package;  // "libc6:amd64"
  std::string md5;
};

std::map<std::string, std::string> versions(const fs::path& root, const std::set<std::string>& packages) {
  std::map<std::string, std::string> out;
  const auto status = io::read_text(root / "var/lib/dpkg/status", kMostBytes);
  if (!status) return out;
  std::string name, architecture, version;
  const auto keep = [&] {
    for (const std::string& key : {name, name + ":" + architecture}) {
      if (packages.contains(key)) out[key] = version;
    }
    name.clear();
  };
  each_line(*status, [&](std::string_view line) {
    if (line.empty()) keep();
    if (line.starts_with("Package: ")) name = line.substr(9);
    if (line.starts_with("Architecture: ")) architecture = line.substr(14);
    if (line.starts_with("Version: ")) version = line.substr(9);
  });
  keep();
  return out;
}

}  // namespace

std::string_view to_string(Packaged::State state) {
  switch (state) {
    case Packaged::State::matches:
      return "matches";
    case Packaged::State::differs:
      return "differs";
    case Packaged::State::unpackaged:
      return "unpackaged";
    case Packaged::State::unknown:
      break;
  }
  return "unknown";
}

std::vector<Packaged> look_up(const fs::path& root, const std::vector<std::string>& paths) {
  std::vector<Packaged> out;
  std::map<std::string, std::optional<Owner>> owners;  // by merged path
  for (const std::string& path : paths) {
    std::error_code error;
    const fs::path real = fs::canonical(root / fs::path(path).relative_path(), error);
    Packaged one;
    one.path = error ? path : "/" + real.lexically_relative(fs::canonical(root)).string();
    owners[merged(one.path.substr(1))];
    out.push_back(std::move(one));
  }
  bool any = false;
  std::error_code error;
  for (fs::directory_iterator it(root / "var/lib/dpkg/info", error), end; !error && it != end; it.increment(error)) {
    const std::string file = it->path().filename().string();
    if (!file.ends_with(".md5sums")) continue;
    const auto sums = io::read_text(it->path(), kMostBytes);
    if (!sums) continue;
    any = true;
    each_line(*sums, [&](std::string_view line) {
      if (line.size() < 35 || line[32] != ' ') return;
      const auto owner = owners.find(merged(line.substr(34)));
      if (owner != owners.end())
        owner->second = Owner{file.substr(0, file.size() - 8), std::string(line.substr(0, 32))};
    });
  }
  std::set<std::string> diverted;
  if (const auto diversions = io::read_text(root / "var/lib/dpkg/diversions", kMostBytes)) {
    each_line(*diversions, [&](std::string_view line) {
      if (line.starts_with('/')) diverted.insert(merged(line.substr(1)));
    });
  }
  std::set<std::string> packages;
  for (const auto& [path, owner] : owners) {
    if (owner) packages.insert(owner->package);
  }
  const auto known_versions = versions(root, packages);
  for (Packaged& one : out) {
    const std::string key = merged(one.path.substr(1));
    const auto file = io::File::open(fs::canonical(root, error) / fs::path(one.path).relative_path());
    if (!file) continue;
    one.sha256 = io::hash(*file);
    const auto& owner = owners[key];
    if (owner) {
      one.package = owner->package.substr(0, owner->package.find(':'));
      if (const auto version = known_versions.find(owner->package); version != known_versions.end())
        one.version = version->second;
    }
    if (!any || diverted.contains(key)) continue;
    one.state = !owner                         ? Packaged::State::unpackaged
                : io::md5(*file) == owner->md5 ? Packaged::State::matches
                                               : Packaged::State::differs;
  }
  return out;
}

}  // namespace steelyard::stack
