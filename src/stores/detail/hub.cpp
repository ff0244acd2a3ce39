// The layout that huggingface_hub, llama.cpp and others share:
// models--org--name/{blobs/<hash>, refs/<name>, snapshots/<commit>/<file> -> ../../blobs/<hash>}.
// A blob is named by the SHA-256 of its content, or, when git keeps it, by git's SHA-1 of a blob.
// https://github.com/huggingface/hub-docs/blob/main/docs/hub/local-cache.md

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"
#include "stores/detail/layout.hpp"

namespace steelyard::stores {
namespace {

constexpr std::string_view kPrefix = "models--";
constexpr std::size_t kCommit = 40;
constexpr std::size_t kShort = 12;
constexpr u64 kLargestRef = 256;

// "models--org--name" -> "org/name"
std::string repository(std::string_view folder) {
  std::string name(folder.substr(kPrefix.size()));
  for (std::size_t at = name.find("--"); at != std::string::npos; at = name.find("--", at + 1))
    name.replace(at, 2, "/");
  return name;
}

class Repository {
 public:
  Repository(io::Tree& tree, const std::string& folder, Listing& out)
      : tree_(tree), folder_(folder), name_(repository(folder)), out_(out) {}

  void list() {
    const auto snapshots = tree_.list(folder_ + "/snapshots");
    if (!snapshots) {
      const auto found = tree_.find(folder_ + "/snapshots");
      // A repository of which only the answers to a query were kept has none.
      if (found.kind == io::Tree::Kind::missing) return;
      if (found.kind == io::Tree::Kind::outside) {
        add_file(tree_, broken_, "snapshots", folder_ + "/snapshots", "");
      } else {
        add_lost(broken_, "snapshots", "LIM004", snapshots.error().message);
      }
    } else {
      references();
      blobs();
      std::size_t folders = 0;
      for (const auto& entry : *snapshots) folders += entry.kind == io::Tree::Kind::folder ? 1 : 0;
      for (const auto& entry : *snapshots) {
        if (entry.kind == io::Tree::Kind::folder) {
          snapshot(entry.name, folders == 1);
        } else {
          add_file(tree_, broken_, "snapshots/" + entry.name, folder_ + "/snapshots/" + entry.name, "");
        }
      }
      if (!unused_.empty())
        out_.notes.push_back(fmt::format("{}: {} of no revision, not examined",
                                         text::display(tree_.absolute(folder_ + "/blobs").string()),
                                         counted(unused_.size(), "blob")));
    }
    if (broken_.files.empty()) return;
    broken_.names = {name_ + "@unreadable"};
    add_fact(broken_, "source.model", text::to_value(name_));
    out_.models.push_back(std::move(broken_));
  }

 private:
  void references() {
    const auto entries = tree_.walk(folder_ + "/refs", [](const std::string&, const std::string&) {});
    if (!entries) return;
    for (const auto& entry : *entries) {
      auto commit = tree_.read(folder_ + "/refs/" + entry.name, kLargestRef);
      if (commit) commit->erase(std::min(commit->find_last_not_of(" \r\n") + 1, commit->size()));
      if (commit && is_hex(*commit, kCommit)) {
        references_[*commit].push_back(entry.name);
      } else {
        bad_reference_ = entry.name;
      }
    }
  }

  void blobs() {
    const auto entries = tree_.list(folder_ + "/blobs");
    if (!entries) return;
    for (const auto& entry : *entries) {
      if (entry.name.ends_with(".incomplete")) {
        ++incomplete_;
      } else {
        unused_.insert(folder_ + "/blobs/" + entry.name);
      }
    }
  }

  // By where the file really is, whatever links lead there.
  static std::string digest_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string_view parent = std::string_view(path).substr(0, slash == std::string::npos ? 0 : slash);
    if (parent != "blobs" && !parent.ends_with("/blobs")) return {};
    const std::string name = path.substr(slash + 1);
    if (is_hex(name, 64)) return "sha256:" + name;
    return is_hex(name, kCommit) ? "git-sha1:" + name : "";
  }

  void snapshot(const std::string& revision, bool alone) {
    Model model;
    const std::string folder = folder_ + "/snapshots/" + revision;
    const auto entries = tree_.walk(
        folder, [&](std::string path, const std::string& why) { add_lost(model, std::move(path), "LIM004", why); });
    if (!entries) {
      add_lost(broken_, "snapshots/" + revision, "LIM004", entries.error().message);
      return;
    }
    for (const auto& entry : *entries) {
      const auto found = tree_.find(folder + "/" + entry.name);
      unused_.erase(found.path);
      std::string digest = found.kind == io::Tree::Kind::file ? digest_of(found.path) : "";
      add_found(tree_, model, entry.name, found, std::move(digest));
    }
    if (model.files.empty()) return;
    note_unheld(model);
    const auto& references = references_[revision];
    const bool main = std::ranges::find(references, "main") != references.end();
    if (main || alone) model.names.push_back(name_);
    for (const std::string& reference : references) model.names.push_back(name_ + "@" + reference);
    if (model.names.empty()) model.names.push_back(name_ + "@" + revision.substr(0, kShort));
    model.names.push_back(name_ + "@" + revision);
    if (!bad_reference_.empty()) add_misplaced(model, "a reference that is no commit", bad_reference_);
    if (incomplete_ > 0) add_finding(model, "STO005", json::Value().set("count", incomplete_));
    add_fact(model, "source.model", text::to_value(name_));
    add_fact(model, "source.revision", text::to_value(revision));
    if (!references.empty()) add_fact(model, "source.reference", text::to_value(main ? "main" : references.front()));
    out_.models.push_back(std::move(model));
  }

  io::Tree& tree_;
  const std::string folder_;
  const std::string name_;
  Listing& out_;
  std::map<std::string, std::vector<std::string>> references_;  // by commit
  std::string bad_reference_;
  Model broken_;                  // what can't be listed
  std::set<std::string> unused_;  // blobs
  u64 incomplete_ = 0;
};

}  // namespace

Result<bool> list_hub(io::Tree& tree, Listing& out) {
  SY_TRY(const std::vector<io::Tree::Entry> entries, tree.list(""));
  for (const auto& entry : entries) {
    if (entry.name.starts_with(kPrefix) && entry.name.size() > kPrefix.size()) Repository(tree, entry.name, out).list();
  }
  return true;
}

}  // namespace steelyard::stores
