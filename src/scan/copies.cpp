#include "scan/copies.hpp"

#include <algorithm>

namespace steelyard::scan {
namespace {

// Some texts are what they are by their own name.
std::string own_name(const std::string& name) { return name.substr(name.rfind('/') + 1); }

bool sound(const stores::Model& model) {
  return !model.files.empty() && model.findings.empty() &&
         std::ranges::all_of(model.files, [](const stores::File& file) { return file.rule.empty(); });
}

// The format of each subject as a whole.
std::vector<std::string> formats(const evidence::Record& record) {
  std::vector<std::string> out(record.subjects.size());
  for (const Artifact& artifact : record.found.artifacts) {
    if (!artifact.parent && artifact.subject < out.size()) out[artifact.subject] = artifact.format;
  }
  return out;
}

}  // namespace

std::string Copies::of(const stores::Model& model) const {
  if (!sound(model)) return {};
  const auto holds = [](const Kept& kept, const stores::File& file) {
    const auto found = kept.inodes.find({file.stat.device, file.stat.inode});
    if (found == kept.inodes.end()) return false;
    return std::ranges::any_of(found->second, [&](const auto& known) {
      return known.first == own_name(file.name) && (file.digest.empty() || file.digest == known.second);
    });
  };
  for (const Kept& kept : kept_) {
    if (std::ranges::all_of(model.files, [&](const stores::File& file) { return holds(kept, file); })) return kept.name;
  }
  return {};
}

std::string Copies::of(const evidence::Record& record) const {
  if (record.status != evidence::Status::complete || record.subjects.empty() ||
      std::ranges::any_of(record.found.findings,
                          [](const Finding& finding) { return finding.rule.starts_with("STO"); }))
    return {};
  const auto kinds = formats(record);
  const auto holds = [&](const Kept& kept, std::size_t i) {
    const auto found = kept.formats.find(record.subjects[i].sha256);
    return found != kept.formats.end() && found->second.contains(kinds[i]);
  };
  for (const Kept& kept : kept_) {
    bool all = true;
    for (std::size_t i = 0; all && i < record.subjects.size(); ++i) all = holds(kept, i);
    if (all) return kept.name;
  }
  return {};
}

void Copies::keep(const stores::Model& model, const evidence::Record& record) {
  if (record.status != evidence::Status::complete) return;
  Kept& kept = kept_.emplace_back();
  kept.name = model.target();
  for (const stores::File& file : model.files)
    kept.inodes[{file.stat.device, file.stat.inode}].insert({own_name(file.name), file.digest});
  const auto kinds = formats(record);
  for (std::size_t i = 0; i < record.subjects.size(); ++i) {
    if (!record.subjects[i].sha256.empty()) kept.formats[record.subjects[i].sha256].insert(kinds[i]);
  }
}

}  // namespace steelyard::scan
