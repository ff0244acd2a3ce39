#include "stack/source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "io/tree.hpp"
#include "rules/catalog.hpp"
#include "wire/tar.hpp"
#include "wire/unpack.hpp"

namespace steelyard::stack {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFindings = 20;  // of one rule

void add(Examination& found, const std::string& rule, json::Value data) {
  const auto same = std::ranges::count(found.findings, rule, &Finding::rule);
  if (static_cast<std::size_t>(same) >= kMostFindings) return;
  const rules::Rule* known = rules::find(rule);
  found.findings.push_back(
      {rule, known != nullptr ? known->severity : Severity::high, std::nullopt, std::nullopt, std::move(data)});
}

void differs(Examination& found, std::string_view path, std::string_view how) {
  add(found, "STK002", json::Value().set("path", text::to_value(path)).set("how", how));
}

void not_proved(Examination& found, std::string why) { add(found, "STK003", json::Value().set("why", std::move(why))); }

// The part of `path` below `folder`, or nothing.
std::optional<std::string_view> below(std::string_view path, std::string_view folder) {
  if (path.size() <= folder.size() + 1 || !path.starts_with(folder) || path[folder.size()] != '/') return std::nullopt;
  return path.substr(folder.size() + 1);
}

// One member to a new file; its git name is returned, empty when not all bytes came.
Result<std::string> write_member(const Source& archive, const wire::tar::Member& member, const fs::path& path,
                                 bool executable) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, executable ? 0755 : 0644);
  if (fd < 0) return fail(ErrorCode::io, fmt::format("{} can't be written", path.string()));
  GitBlob name(member.size);
  std::vector<std::byte> window(256 * 1024);
  u64 at = member.data.begin;
  bool good = !member.cut && !member.sparse;
  while (good && at < member.data.end) {
    const auto part = std::span(window).first(std::min<u64>(window.size(), member.data.end - at));
    const std::size_t count = archive.read(at, part);
    good = count == part.size();
    name.update(part.first(count));
    if (::write(fd, part.data(), count) != static_cast<ssize_t>(count)) {
      ::close(fd);
      return fail(ErrorCode::io, fmt::format("{} can't be written: is the disk full?", path.string()));
    }
    at += count;
  }
  // Always the same time: what was compiled from it before is newer.
  constexpr std::array<timespec, 2> kTimes = {timespec{315'532'800, 0}, timespec{315'532'800, 0}};
  if (::futimens(fd, kTimes.data()) != 0 || ::close(fd) != 0)
    return fail(ErrorCode::io, fmt::format("{} can't be written", path.string()));
  return good ? name.finish() : std::string();
}

// The only names that git's object folder has: they are used as paths.
bool object_name(std::string_view name) {
  if (const auto pack = below(name, "pack")) {
    return pack->starts_with("pack-") && pack->find('/') == std::string_view::npos && !pack->starts_with('.');
  }
  return name.size() == 41 && name[2] == '/' &&
         std::ranges::all_of(name,
                             [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '/'; }) &&
         std::ranges::count(name, '/') == 1;
}

// What lies in the place of a link to be made, or of a file: gone first, so that nothing is followed.
void clear(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
}

}  // namespace

bool refused(const Examination& found) {
  return std::ranges::any_of(found.findings, [](const Finding& f) { return f.severity >= Severity::high; });
}

Result<Proof> prove(const io::File& archive, const Lock& lock, const fs::path& folder, const fs::path& objects_folder,
                    Examination& found) {
  Proof proof;
  proof.bytes = archive.size();
  proof.sha256 = io::hash(archive);
  if (proof.sha256 != lock.sha256) {
    add(found, "STK001",
        json::Value()
            .set("file", lock.file)
            .set("found", proof.sha256.empty() ? "unreadable" : proof.sha256)
            .set("wanted", lock.sha256));
    return proof;
  }
  wire::UnpackBudget budget{.fuel = u64{64} << 30};
  const wire::Unpacked plain(archive, 0, archive.size(), wire::Packing::gzip, budget);
  const wire::tar::Archive members = wire::tar::read(plain);
  if (plain.ended() != wire::Unpacked::End::complete || !members.problem.empty() || members.limited) {
    not_proved(found, "the archive can't be read whole");
    return proof;
  }

  clear(objects_folder);
  for (const auto& member : members.members) {
    const auto name = below(member.name, lock.objects);
    if (!name || !member.has_content() || !object_name(*name)) continue;
    SY_CHECK(write_member(plain, member, objects_folder / *name, false));
  }
  std::error_code error;
  fs::create_directories(objects_folder, error);
  SY_TRY(const Objects objects, Objects::open(objects_folder));
  std::string why;
  const auto object = objects.read(lock.commit, why);
  const auto commit = object && object->type == "commit" ? parse_commit(object->content) : std::nullopt;
  if (!commit) {
    not_proved(found, fmt::format("commit {}: {}", lock.commit, object ? "it is no commit" : why));
    return proof;
  }
  proof.commit = *commit;
  proof.signer = issuer_of(commit->signature);
  if (commit->tree != lock.tree) {
    not_proved(found, fmt::format("commit {} has the tree {}, the lock has {}", lock.commit, commit->tree, lock.tree));
    return proof;
  }
  auto files = list_tree(objects, commit->tree, why);
  if (!files) {
    not_proved(found, why);
    return proof;
  }
  proof.files = std::move(*files);

  clear(folder);
  fs::create_directories(folder, error);
  std::set<std::string_view> seen;
  for (const auto& member : members.members) {
    const auto name = below(member.name, lock.folder);
    if (!name || *name == ".git" || member.type == '5') continue;
    const auto leaf = proof.files.find(*name);
    if (leaf == proof.files.end()) {
      differs(found, *name, "is not in the upstream tree");
    } else if (!seen.insert(leaf->first).second) {
      differs(found, *name, "is in the archive twice");
    } else if (leaf->second.kind == Leaf::Kind::link && member.type == '2') {
      fs::create_directories((folder / leaf->first).parent_path(), error);
      fs::create_symlink(member.link, folder / leaf->first, error);
    } else if (member.has_content()) {
      SY_TRY(const std::string id,
             write_member(plain, member, folder / leaf->first, leaf->second.kind == Leaf::Kind::executable));
      if (id != leaf->second.id) differs(found, *name, "differs from the upstream tree");
    } else {
      differs(found, *name, "is another kind of file upstream");
    }
  }
  if (refused(found)) return proof;
  SY_TRY(proof.compared, compare(folder, proof.files, found));
  return proof;
}

Result<u64> compare(const fs::path& folder, const Listing& files, Examination& found) {
  SY_TRY(io::Tree tree, io::Tree::open(folder));
  std::vector<std::pair<std::string, std::string>> lost;
  SY_TRY(const auto entries,
         tree.walk("", [&](std::string path, std::string why) { lost.emplace_back(std::move(path), std::move(why)); }));
  for (const auto& [path, why] : lost) differs(found, path, "can't be listed: " + why);
  std::set<std::string, std::less<>> seen;
  u64 compared = 0;
  for (const auto& entry : entries) {
    const auto leaf = files.find(entry.name);
    if (leaf == files.end()) {
      differs(found, entry.name, "is not in the upstream tree");
      continue;
    }
    seen.insert(entry.name);
    std::string id;
    if (leaf->second.kind == Leaf::Kind::link && entry.kind == io::Tree::Kind::link) {
      std::error_code error;
      const std::string target = fs::read_symlink(tree.absolute(entry.name), error).string();
      GitBlob name(target.size());
      name.update(as_bytes(target));
      id = name.finish();
    } else if (leaf->second.kind != Leaf::Kind::link && entry.kind == io::Tree::Kind::file) {
      const auto file = io::File::open(tree.absolute(entry.name));
      id = file ? io::git_blob(*file) : std::string();
    }
    ++compared;
    if (id != leaf->second.id) differs(found, entry.name, "differs from the upstream tree");
  }
  for (const auto& [path, leaf] : files) {
    if (leaf.kind != Leaf::Kind::submodule && !seen.contains(path)) differs(found, path, "is missing");
  }
  return compared;
}

}  // namespace steelyard::stack
