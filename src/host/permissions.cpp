#include "host/permissions.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <filesystem>

namespace steelyard::host {
namespace {

namespace fs = std::filesystem;

// Group write counts unless the group is root's or the user's own private one (same number as the owner).
std::string weakness(const struct stat& s, u32 uid, bool folder) {
  if (s.st_uid != 0 && s.st_uid != uid) return fmt::format("belongs to another user (uid {})", s.st_uid);
  const bool sticky = folder && (s.st_mode & S_ISVTX) != 0;  // others may add entries, not replace this one
  if ((s.st_mode & S_IWOTH) != 0 && !sticky) return "is writable by everybody";
  if ((s.st_mode & S_IWGRP) != 0 && !sticky && s.st_gid != 0 && s.st_gid != s.st_uid)
    return fmt::format("is writable by group {}", s.st_gid);
  return {};
}

}  // namespace

std::vector<Weakness> weaknesses(const std::string& root, const std::string& path, u32 uid) {
  std::vector<Weakness> found;
  bool folder = false;
  for (fs::path part = path; !part.empty(); part = part.parent_path(), folder = true) {
    const std::string shown = part.string();
    const std::string real = root == "/" ? shown : root + shown;
    struct stat s{};
    if (::lstat(real.c_str(), &s) != 0) {
      found.push_back({shown, "could not be examined", true});
    } else if (S_ISLNK(s.st_mode)) {
      found.push_back({shown, "is a link, whose target may change", true});
    } else {
      if (const std::string why = weakness(s, uid, folder); !why.empty()) found.push_back({shown, why});
      if (::lgetxattr(real.c_str(), "system.posix_acl_access", nullptr, 0) > 0)
        found.push_back({shown, "has an access control list, which was not read", true});
    }
    if (part == part.root_path()) break;
  }
  return found;
}

}  // namespace steelyard::host
