#include "evidence/store.hpp"

#include <algorithm>

#include "base/environment.hpp"
#include "base/sha256.hpp"
#include "io/file.hpp"

namespace steelyard::evidence {
namespace {

constexpr std::string_view kPrefix = "ev1:";

bool well_formed(std::string_view id) {
  return id.starts_with(kPrefix) && id.size() == kPrefix.size() + 64 &&
         id.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string_view::npos;
}

}  // namespace

Result<bool> Store::put(const Record& record) const {
  const json::Value document = encode(record);
  const std::string name = document["id"].string().substr(kPrefix.size());
  SY_CHECK(io::write_atomically(folder_ / "records" / (name + ".json"), json::compact(document) + "\n", 0600));
  for (const Subject& subject : record.subjects) {
    if (subject.sha256.empty() || subject.role != "weights") continue;
    SY_CHECK(io::write_atomically(folder_ / "about" / (record.kind + "-" + subject.sha256) / name, "", 0600));
  }
  const std::string key = cache_key(record);
  if (record.status != Status::complete || key.empty()) return true;
  return io::write_atomically(folder_ / "keys" / key, document["id"].string() + "\n", 0600);
}

std::optional<Record> Store::get(const std::string& id) const {
  if (!well_formed(id)) return std::nullopt;
  const auto text = io::read_text(folder_ / "records" / (id.substr(kPrefix.size()) + ".json"));
  if (!text) return std::nullopt;
  const auto document = json::parse(*text);
  if (!document) return std::nullopt;
  auto record = decode(*document);
  if (!record || (*document)["id"].string() != id) return std::nullopt;
  return std::move(*record);
}

std::optional<Record> Store::find(const std::string& cache_key, i64 now, i64 max_age) const {
  if (cache_key.empty()) return std::nullopt;
  auto text = io::read_text(folder_ / "keys" / cache_key, 256);
  if (!text) return std::nullopt;
  while (!text->empty() && text->back() == '\n') text->pop_back();
  auto record = get(*text);
  if (!record || record->status != Status::complete || evidence::cache_key(*record) != cache_key) return std::nullopt;
  const auto made = parse_time(record->run.at);
  if (!made || *made > now || now - *made > max_age) return std::nullopt;
  return record;
}

std::vector<Record> Store::about(std::string_view kind, const std::string& sha256, std::size_t most) const {
  std::vector<Record> out;
  if (!is_sha256(sha256)) return out;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder_ / "about" / (std::string(kind) + "-" + sha256), error)) {
    auto record = get(std::string(kPrefix) + entry.path().filename().string());
    if (record && record->kind == kind &&
        std::ranges::any_of(record->subjects, [&](const Subject& subject) { return subject.sha256 == sha256; }))
      out.push_back(std::move(*record));
  }
  std::ranges::sort(
      out, [](const Record& a, const Record& b) { return a.run.at != b.run.at ? a.run.at > b.run.at : id(a) < id(b); });
  if (out.size() > most) out.resize(most);
  return out;
}

}  // namespace steelyard::evidence
