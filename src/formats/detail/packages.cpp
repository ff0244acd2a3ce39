#include "formats/detail/packages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <stdexcept>

#include "base/embedded.hpp"
#include "base/text.hpp"
#include "formats/detail/references.hpp"
#include "wire/toml.hpp"

namespace steelyard::formats {
namespace {

struct Hosts {
  std::vector<std::string> installers;
  std::set<std::string, std::less<>> indexes;
  std::set<std::string, std::less<>> forges;
  std::vector<std::string> packages;
};

// A broken table is a bug of this build: every test that touches it fails.
Hosts load() {
  constexpr std::string_view kPath = "code/hosts.toml";
  const auto document = toml::Document::parse(std::string(embedded::find(kPath)), "data/" + std::string(kPath));
  if (!document) throw std::logic_error(document.error().message);
  toml::Table root(**document, (*document)->root(), "hosts");
  (void)root.required_text("schema");
  Hosts hosts;
  const auto names = [&](const char* key) {
    auto list = root.texts(key);
    return std::set<std::string, std::less<>>(list.begin(), list.end());
  };
  hosts.installers = root.texts("installers");
  hosts.indexes = names("indexes");
  hosts.forges = names("forges");
  hosts.packages = root.texts("packages");
  root.finish();
  if (const auto checked = (*document)->check(); !checked) throw std::logic_error(checked.error().message);
  return hosts;
}

const Hosts& hosts() {
  static const Hosts loaded = load();
  return loaded;
}

// Letters, digits and dots of a name of PEP 503: lower case, runs of -_. as one dash.
std::string normal_name(std::string_view name) {
  std::string out;
  for (const char c : text::lower(name)) {
    if (c == '_' || c == '-' || c == '.') {
      if (!out.empty() && out.back() != '-') out += '-';
    } else {
      out += c;
    }
  }
  return out;
}

bool name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// One insertion, deletion, replacement or swap of neighbours apart.
bool one_slip(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > 1 || a == b) return false;
  std::size_t i = 0;
  while (i < a.size() && a[i] == b[i]) ++i;
  if (a.size() < b.size()) return a.substr(i) == b.substr(i + 1);
  if (a.substr(i + 1) == b.substr(i + 1)) return true;
  return i + 1 < a.size() && a[i] == b[i + 1] && a[i + 1] == b[i] && a.substr(i + 2) == b.substr(i + 2);
}

bool address(std::string_view host) {
  return !host.empty() && (host.find_first_not_of("0123456789.") == std::string_view::npos || host.starts_with('['));
}

void judge_index(std::string_view url, std::vector<PackageNote>& out) {
  const std::string host = host_of(url);
  if (host.empty() || host == "127.0.0.1") return;
  const bool plain = text::lower(url.substr(0, 7)) == "http://";
  if (hosts().indexes.contains(host) && !plain) return;
  out.push_back({"PKG001", std::string(url.substr(0, 200)),
                 plain ? "an index over plain HTTP" : "an index that no known project runs"});
}

void judge_source(std::string_view name, std::string_view url, std::vector<PackageNote>& out) {
  if (url.starts_with("git+")) url.remove_prefix(4);
  const std::string low = text::lower(url);
  const std::string host = host_of(url);
  if (host.empty()) return;
  const std::string shown = std::string(name.empty() ? url.substr(0, 200) : name);
  const bool secure = low.starts_with("https://") || low.starts_with("ssh://") || low.starts_with("git@");
  const bool known = hosts().forges.contains(host) || hosts().indexes.contains(host);
  if (!secure || address(host) || !known) {
    out.push_back({"PKG001", shown,
                   fmt::format("fetched from {}{}", host,
                               secure ? ", a stranger's host" : " over a channel that anybody on the way can change")});
    return;
  }
  const std::size_t at = url.rfind('@');
  const bool pinned = at != std::string_view::npos && commit_name(url.substr(at + 1, 40));
  const bool digest = low.contains("#sha256=");
  if (!pinned && !digest) out.push_back({"PKG002", shown, fmt::format("source code of {} without a commit", host)});
}

}  // namespace

std::string host_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  std::string_view rest;
  if (scheme != std::string_view::npos) {
    rest = url.substr(scheme + 3);
  } else if (const std::size_t at = url.find('@'); url.starts_with("git@") && at != std::string_view::npos) {
    rest = url.substr(at + 1);
    rest = rest.substr(0, rest.find(':'));
  }
  rest = rest.substr(0, rest.find_first_of("/?#"));
  if (const std::size_t user = rest.rfind('@'); user != std::string_view::npos) rest.remove_prefix(user + 1);
  if (!rest.starts_with('[')) rest = rest.substr(0, rest.find(':'));
  return text::lower(rest);
}

bool known_installer(std::string_view url) {
  const std::string low = text::lower(url);
  if (!low.starts_with("https://")) return false;
  const std::string host = host_of(url);
  const std::size_t path = low.find('/', 8);
  const std::string place = host + (path == std::string::npos ? "" : low.substr(path));
  return std::ranges::any_of(hosts().installers, [&](const std::string& known) {
    if (!place.starts_with(known)) return false;
    // A whole host or part of a path: "bun.sh/install" is not "bun.sh/installer-of-mine".
    return place.size() == known.size() || known.ends_with('/') ||
           std::string_view("/?#.-").contains(place[known.size()]);
  });
}

Requirement requirement_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::size_t end = static_cast<std::size_t>(std::ranges::find_if_not(line, name_character) - line.begin());
  Requirement out{normal_name(line.substr(0, end)), {}};
  const std::size_t exact = line.find("==");
  if (exact != std::string_view::npos) {
    std::string_view version = line.substr(exact + 2);
    version.remove_prefix(std::min(version.find_first_not_of(" ="), version.size()));
    version = version.substr(0, version.find_first_of(" ;,\t\r\\"));
    if (!version.contains('*')) out.version = std::string(version);
  }
  return out;
}

std::vector<PackageNote> judge_requirement(std::string_view line) {
  std::vector<PackageNote> out;
  line.remove_prefix(std::min(line.find_first_not_of(" \t\""), line.size()));
  // A comment begins after a space; a # inside a URL doesn't.
  if (line.starts_with('#')) return out;
  line = line.substr(0, line.find(" #"));
  while (!line.empty() && std::string_view(" \t\r\\\",").contains(line.back())) line.remove_suffix(1);
  if (line.empty()) return out;
  if (line.starts_with('-')) {
    std::vector<std::string> words;
    for (std::string_view rest = line; !rest.empty();) {
      const std::size_t end = std::min(rest.find_first_of(" \t="), rest.size());
      if (end > 0) words.emplace_back(rest.substr(0, end));
      // Only the first = of an option separates.
      rest.remove_prefix(std::min(rest.size(), end + 1));
      if (!words.empty() && words.back().starts_with("--") && !rest.empty() && words.size() == 1) {
        rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
        words.emplace_back(rest);
        break;
      }
    }
    return judge_pip(words);
  }
  const std::size_t scheme = line.find("://");
  if (scheme != std::string_view::npos) {
    const std::size_t at = line.find('@');
    const bool direct = at != std::string_view::npos && at < scheme;
    std::string_view url = direct ? line.substr(at + 1) : line;
    url.remove_prefix(std::min(url.find_first_not_of(" \t"), url.size()));
    url = url.substr(0, url.find_first_of(" ;\t"));
    judge_source(direct ? requirement_of(line).name : std::string(), url, out);
    return out;
  }
  const Requirement requirement = requirement_of(line);
  if (requirement.name.empty()) return out;
  const auto& known = hosts().packages;
  if (requirement.name.size() >= 5 && std::ranges::find(known, requirement.name) == known.end()) {
    const auto near = std::ranges::find_if(
        known, [&](const std::string& name) { return name.size() >= 5 && one_slip(requirement.name, name); });
    if (near != known.end()) out.push_back({"PKG003", requirement.name, fmt::format("nearly the name of {}", *near)});
  }
  return out;
}

std::vector<PackageNote> judge_pip(const std::vector<std::string>& arguments) {
  std::vector<PackageNote> out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string option = arguments[i];
    std::string value;
    if (const std::size_t equals = option.find('='); option.starts_with("--") && equals != std::string::npos) {
      value = option.substr(equals + 1);
      option.resize(equals);
    }
    const bool index = option == "-i" || option == "--index-url" || option == "--extra-index-url" || option == "-f" ||
                       option == "--find-links" || option == "--pypi-url";
    if (index || option == "--trusted-host") {
      if (value.empty() && i + 1 < arguments.size()) value = arguments[++i];
      if (index) judge_index(value, out);
      if (option == "--trusted-host" && !hosts().indexes.contains(value) && host_of("x://" + value) != "127.0.0.1")
        out.push_back({"PKG001", value.substr(0, 200), "a host whose certificate is not checked"});
    } else if (option.contains("://") || option.starts_with("git+")) {
      const std::size_t at = option.find('@');
      const bool direct = at != std::string::npos && at < option.find("://");
      judge_source({}, direct ? std::string_view(option).substr(at + 1) : option, out);
    }
  }
  return out;
}

}  // namespace steelyard::formats
