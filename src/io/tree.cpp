#include "io/tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "base/text.hpp"

namespace steelyard::io {
namespace {

constexpr int kMostLinks = 40;  // as many as Linux follows
constexpr std::size_t kLongestPath = 4096;

std::string reason(int error) { return std::generic_category().message(error); }

Tree::Kind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return Tree::Kind::file;
  if (S_ISDIR(mode)) return Tree::Kind::folder;
  if (S_ISLNK(mode)) return Tree::Kind::link;
  return Tree::Kind::special;
}

std::optional<Tree::Kind> kind_of_type(unsigned char type) {
  switch (type) {
    case DT_REG:
      return Tree::Kind::file;
    case DT_DIR:
      return Tree::Kind::folder;
    case DT_LNK:
      return Tree::Kind::link;
    case DT_UNKNOWN:
      return std::nullopt;
    default:
      return Tree::Kind::special;
  }
}

// What is left of `path` below `root`, or nothing.
std::optional<std::string_view> below(std::string_view path, std::string_view root) {
  while (root.ends_with('/')) root.remove_suffix(1);
  if (!path.starts_with(root)) return std::nullopt;
  path.remove_prefix(root.size());
  if (path.empty() || path.front() == '/') return path;
  return std::nullopt;
}

const char* or_dot(const std::string& path) { return path.empty() ? "." : path.c_str(); }

}  // namespace

std::string_view describe(Tree::Kind kind) {
  switch (kind) {
    case Tree::Kind::file:
      return "a regular file";
    case Tree::Kind::folder:
      return "a folder";
    case Tree::Kind::link:
      return "a link";
    case Tree::Kind::missing:
      return "not there";
    case Tree::Kind::outside:
      return "a link that leads out";
    case Tree::Kind::loop:
      return "a loop of links";
    case Tree::Kind::special:
      return "a FIFO, socket or device";
    case Tree::Kind::unreadable:
      return "unreadable";
  }
  return "unknown";
}

Result<Tree> Tree::open(const std::filesystem::path& root) {
  std::error_code error;
  auto resolved = std::filesystem::canonical(root, error);
  if (error) return fail(ErrorCode::io, error.message());
  const int fd = ::open(resolved.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return fail(ErrorCode::io, reason(errno));
  return Tree(fd, std::move(resolved), std::filesystem::absolute(root, error).lexically_normal());
}

Tree::~Tree() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Tree::Tree(Tree&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      root_(std::move(other.root_)),
      spelled_(std::move(other.spelled_)),
      folders_(std::move(other.folders_)),
      entries_(other.entries_) {}

Tree::Found Tree::find(std::string_view path) {
  std::string real;  // what was walked so far: no link in it
  std::string rest(path);
  std::string via(path);  // the last link's own text
  int links = 0;
  while (true) {
    rest.erase(0, rest.find_first_not_of('/'));
    if (rest.empty()) break;
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string name = rest.substr(0, end);
    rest.erase(0, end);
    if (name == ".") continue;
    if (name == "..") {
      if (real.empty()) return {Kind::outside, std::move(via), {}};
      const std::size_t slash = real.rfind('/');
      real.erase(slash == std::string::npos ? 0 : slash);
      continue;
    }
    std::string next = real;
    if (!next.empty()) next += '/';
    next += name;
    if (next.size() > kLongestPath || next.find('\0') != std::string::npos) return {Kind::missing, {}, {}};
    if (folders_.contains(next)) {
      real = std::move(next);
      continue;
    }
    struct stat s{};
    if (::fstatat(descriptor_, next.c_str(), &s, AT_SYMLINK_NOFOLLOW) != 0) {
      const bool absent = errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
      return {absent ? Kind::missing : Kind::unreadable, std::move(next), {}};
    }
    const Kind kind = kind_of(s.st_mode);
    if (kind == Kind::folder) {
      folders_.insert(next);
      real = std::move(next);
      continue;
    }
    if (kind == Kind::link) {
      if (++links > kMostLinks) return {Kind::loop, std::move(next), {}};
      std::array<char, kLongestPath> target{};
      const ssize_t length = ::readlinkat(descriptor_, next.c_str(), target.data(), target.size());
      if (length < 0) return {Kind::unreadable, std::move(next), {}};
      via.assign(target.data(), static_cast<std::size_t>(length));
      const std::string_view to = via;
      if (to.size() + rest.size() > 2 * kLongestPath) return {Kind::loop, std::move(next), {}};
      if (!to.starts_with('/')) {
        rest.insert(0, to);
        continue;
      }
      auto inside = below(to, root_.native());
      if (!inside) inside = below(to, spelled_.native());
      if (!inside) return {Kind::outside, std::move(via), {}};
      real.clear();
      rest.insert(0, *inside);
      continue;
    }
    if (rest.find_first_not_of('/') != std::string::npos) return {Kind::missing, std::move(next), {}};
    if (kind == Kind::special) return {Kind::special, std::move(next), {}};
    return {Kind::file, std::move(next), stat_of(s)};
  }
  return {Kind::folder, std::move(real), {}};
}

Result<std::vector<Tree::Entry>> Tree::list(const std::string& folder) {
  const Found at = find(folder);
  if (at.kind != Kind::folder) return fail(ErrorCode::io, std::string(describe(at.kind)));
  const int fd = ::openat(descriptor_, or_dot(at.path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return fail(ErrorCode::io, reason(errno));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(fd), &::closedir);
  if (!stream) {
    const int error = errno;
    ::close(fd);
    return fail(ErrorCode::io, reason(error));
  }
  std::vector<Entry> entries;
  while (true) {
    errno = 0;
    const dirent* found = ::readdir(stream.get());
    if (found == nullptr) break;
    const std::string_view name = &found->d_name[0];
    if (name == "." || name == "..") continue;
    if (++entries_ > kMostEntries) return fail(ErrorCode::resource, fmt::format("more than {} entries", kMostEntries));
    auto kind = kind_of_type(found->d_type);
    if (!kind) {
      struct stat s{};
      kind = ::fstatat(fd, &found->d_name[0], &s, AT_SYMLINK_NOFOLLOW) == 0 ? kind_of(s.st_mode) : Kind::special;
    }
    entries.push_back({std::string(name), *kind});
  }
  if (errno != 0) return fail(ErrorCode::io, reason(errno));
  std::ranges::sort(entries, {}, &Entry::name);
  return entries;
}

Result<std::vector<Tree::Entry>> Tree::walk(const std::string& folder,
                                            const std::function<void(std::string, std::string)>& lost) {
  struct Place {
    std::string path;  // relative to `folder`, empty or ending with a slash
    int depth;
  };
  SY_TRY(const std::vector<Entry> first, list(folder));
  std::vector<Entry> files;
  std::vector<Place> open;
  const auto take = [&](const std::vector<Entry>& entries, const Place& at) {
    for (const Entry& entry : entries) {
      std::string path = at.path + entry.name;
      if (entry.kind != Kind::folder) {
        files.push_back({std::move(path), entry.kind});
      } else if (at.depth == kDeepest) {
        lost(std::move(path), fmt::format("nested deeper than {} folders", kDeepest));
      } else {
        open.push_back({std::move(path) + "/", at.depth + 1});
      }
    }
  };
  take(first, {"", 1});
  while (!open.empty()) {
    const Place at = std::move(open.back());
    open.pop_back();
    auto entries = list((folder.empty() ? "" : folder + "/") + at.path);
    if (entries) {
      take(*entries, at);
    } else if (entries.error().code == ErrorCode::resource) {
      return std::unexpected(std::move(entries.error()));
    } else {
      lost(at.path.substr(0, at.path.size() - 1), std::move(entries.error().message));
    }
  }
  std::ranges::sort(files, {}, &Entry::name);
  return files;
}

Result<std::string> Tree::read(const std::string& path, u64 most) {
  const Found at = find(path);
  if (at.kind != Kind::file) return fail(ErrorCode::io, std::string(describe(at.kind)));
  SY_TRY(const File file, File::open(absolute(at.path)));
  if (file.size() > most)
    return fail(ErrorCode::resource, fmt::format("{} bytes, at most {} are read", file.size(), most));
  std::string content(file.size(), '\0');
  content.resize(file.read(0, std::as_writable_bytes(std::span(content))));
  return content;
}

}  // namespace steelyard::io
