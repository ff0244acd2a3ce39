#include "formats/detail/references.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace steelyard::formats {
namespace {

constexpr std::size_t kMostReferences = 512;
constexpr std::size_t kMostTarget = 512;
constexpr std::array<std::string_view, 6> kNames = {"file", "module", "repository", "url", "package", "import"};

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

PathKind path_kind(std::string_view text) {
  const std::string low = text::lower(text);
  if (low.starts_with("\\\\") || low.starts_with("//") || low.starts_with("file:") || low.starts_with("smb:"))
    return PathKind::share;
  for (const std::string_view scheme : {"https://", "hf://", "s3://", "gs://", "git+https://", "az://"}) {
    if (low.starts_with(scheme)) return PathKind::url;
  }
  if (low.contains("://")) return PathKind::insecure_url;
  const bool drive = low.size() >= 2 && letter(low[0]) && low[1] == ':';
  if (low.starts_with('/') || low.starts_with('\\') || low.starts_with('~') || drive) return PathKind::absolute;
  int depth = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find_first_of("/\\"), rest.size());
    const std::string_view part = rest.substr(0, end);
    if (part == "..") {
      if (--depth < 0) return PathKind::upward;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
    rest.remove_prefix(std::min(rest.size(), end + 1));
  }
  return PathKind::plain;
}

bool repository_name(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto part = [](std::string_view name) {
    return !name.empty() && name.size() <= 96 && name.front() != '.' && name.front() != '-' &&
           std::ranges::all_of(
               name, [](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'; });
  };
  return slash != std::string_view::npos && part(text.substr(0, slash)) && part(text.substr(slash + 1));
}

bool commit_name(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void References::add(std::string_view field, std::string_view target, Kind kind, Range at, bool pinned) {
  if (list_.array().size() >= kMostReferences) {
    ++left_out_;
    return;
  }
  if (list_.array().empty()) at_ = at;
  json::Value entry = json::Value()
                          .set("field", text::prefix(text::display(field), 256))
                          .set("target", text::to_value(target.substr(0, kMostTarget)))
                          .set("kind", kNames[static_cast<std::size_t>(kind)]);
  if (kind == Kind::repository || kind == Kind::url || kind == Kind::package) entry.set("pinned", pinned);
  if (std::ranges::find(list_.array(), entry) == list_.array().end()) list_.push(std::move(entry));
}

void References::report(Reporter& report) {
  if (!list_.array().empty()) report.fact("repo.references", std::move(list_), at_, Assurance::verified);
  if (left_out_ > 0)
    report.add("LIM006", std::nullopt,
               json::Value().set("budget", "number of references").set("name", "a part of the file"));
}

}  // namespace steelyard::formats
