#include "scan/target.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/shard.hpp"
#include "base/text.hpp"
#include "io/tree.hpp"

namespace steelyard::scan {
namespace {

namespace fs = std::filesystem;

std::string_view describe(fs::file_type type) {
  switch (type) {
    case fs::file_type::fifo:
      return "a FIFO";
    case fs::file_type::socket:
      return "a socket";
    case fs::file_type::block:
    case fs::file_type::character:
      return "a device";
    case fs::file_type::directory:
      return "a directory";
    case fs::file_type::not_found:
      return "a link to nothing";
    default:
      return "not a regular file";
  }
}

TargetFile entry(const fs::path& path, std::string name) {
  std::error_code error;
  fs::path resolved = fs::canonical(path, error);
  if (error) return {path, std::move(name), error.message()};
  const auto type = fs::status(resolved, error).type();
  if (type != fs::file_type::regular)
    return {resolved, std::move(name), std::string(describe(type)) + ", not a regular file"};
  return {std::move(resolved), std::move(name), {}};
}

// Only links need more than a name: what is a regular file is checked again when it is opened.
Result<bool> walk(const fs::path& folder, std::vector<TargetFile>& files) {
  auto tree = io::Tree::open(folder);
  if (!tree) {
    files.push_back({folder, ".", tree.error().message});
    return true;
  }
  const auto lost = [&](std::string path, std::string why) {
    fs::path full = tree->absolute(path);
    files.push_back({std::move(full), std::move(path), std::move(why)});
  };
  auto entries = tree->walk("", lost);
  if (!entries && entries.error().code != ErrorCode::resource) {
    files.push_back({folder, ".", std::move(entries.error().message)});
    return true;
  }
  if (!entries || entries->size() > kMostFiles)
    return fail(ErrorCode::usage, fmt::format("{}: more than {} files; name a smaller folder",
                                              text::display(folder.string()), kMostFiles));
  for (io::Tree::Entry& found : *entries) {
    if (found.name.starts_with(".git/") || found.name.find("/.git/") != std::string::npos) continue;
    fs::path path = tree->absolute(found.name);
    if (found.kind == io::Tree::Kind::file) {
      files.push_back({std::move(path), std::move(found.name), {}});
    } else {
      files.push_back(entry(path, std::move(found.name)));
    }
  }
  return true;
}

void add_siblings(const fs::path& path, Target& target) {
  const std::string file = path.filename().string();
  const auto set = ShardName::of(file);
  if (!set) return;
  const std::string stem = set->before.substr(0, set->before.size() - 1);
  const std::string index = stem + ".safetensors.index.json";
  std::error_code error;
  for (const auto& sibling : fs::directory_iterator(path.parent_path(), error)) {
    const std::string name = sibling.path().filename().string();
    if (name != file && (set->holds(name) || name == index)) target.files.push_back(entry(sibling.path(), name));
  }
}

}  // namespace

Result<Target> resolve(const std::string& name) {
  Target target{name, {}};
  std::error_code error;
  const fs::path resolved = fs::canonical(name, error);
  if (error) return fail(ErrorCode::io, fmt::format("{}: {}", text::display(name), error.message()));
  const auto type = fs::status(resolved, error).type();
  if (type == fs::file_type::directory) {
    SY_CHECK(walk(resolved, target.files));
  } else if (type == fs::file_type::regular) {
    target.files.push_back({resolved, fs::path(name).filename().string(), {}});
    add_siblings(fs::absolute(name, error), target);
  } else {
    return fail(ErrorCode::io, fmt::format("{}: expected a regular file or a directory, found {}", text::display(name),
                                           describe(type)));
  }
  for (TargetFile& file : target.files) {
    // Records are JSON, so a name of other bytes is kept in its escaped form.
    if (!text::valid_utf8(file.name)) file.name = text::to_value(file.name)["escaped"].string();
  }
  std::ranges::sort(target.files, {}, &TargetFile::name);
  return target;
}

}  // namespace steelyard::scan
