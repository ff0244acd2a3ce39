#include "evidence/history.hpp"

#include <algorithm>

#include "base/sha256.hpp"
#include "io/file.hpp"

namespace steelyard::evidence {
namespace {

constexpr std::size_t kMostShown = 10'000;

// Empty when a file of the model has no digest.
std::string key_of(const json::Value& document) {
  json::Value files = json::Array{};
  for (const json::Value& record : document["inputs"]["records"].array()) {
    const json::Value& statement = record["statement"];
    if (statement["kind"].string() != "scan") continue;
    for (const json::Value& subject : statement["subjects"].array()) {
      if (!subject["sha256"].is_string() || subject["sha256"].string().empty()) return {};
      files.push(json::Value().set("path", subject["path"]).set("sha256", subject["sha256"]));
    }
  }
  if (files.array().empty()) return {};
  return sha256(json::canonical(json::Value()
                                    .set("files", std::move(files))
                                    .set("context", document["verdict"]["context"])
                                    .set("profile", document["verdict"]["profile"])));
}

}  // namespace

Result<bool> History::put(const json::Value& document) const {
  const std::string key = key_of(document);
  if (key.empty()) return false;
  return io::write_atomically(folder_ / (key + ".json"), json::compact(document) + "\n", 0600);
}

std::vector<json::Value> History::all() const { return newest(kMostShown); }

std::vector<json::Value> History::newest(std::size_t most) const {
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code unreadable;
    if (entry->path().extension() == ".json") files.emplace_back(entry->last_write_time(unreadable), entry->path());
  }
  std::ranges::sort(files, std::ranges::greater{});
  files.resize(std::min(files.size(), most));
  std::vector<json::Value> documents;
  for (const auto& [time, path] : files) {
    const auto text = io::read_text(path);
    auto document = text ? json::parse(*text) : std::unexpected(text.error());
    if (document && (*document)["schema"].string() == "steelyard/verdict/1" &&
        (*document)["inputs"]["now"].is_integer())
      documents.push_back(std::move(*document));
  }
  std::ranges::stable_sort(documents, std::ranges::greater{},
                           [](const json::Value& document) { return document["inputs"]["now"].integer(); });
  return documents;
}

}  // namespace steelyard::evidence
