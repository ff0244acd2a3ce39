#include "cli/models.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.hpp"

namespace steelyard::cli {
namespace {

// (name, SHA-256) of every file.
using Contents = std::set<std::pair<std::string, std::string>>;

// Empty when a digest isn't remembered: nothing is read to list models.
Contents contents_of(const stores::Model& model, const io::DigestCache& digests) {
  Contents out;
  for (const stores::File& file : model.files) {
    const auto digest = file.path.empty() ? std::nullopt : digests.find(file.stat);
    if (!digest) return {};
    out.emplace(file.name, *digest);
  }
  return out;
}

Contents contents_of(const json::Value& statement) {
  Contents out;
  for (const json::Value& subject : statement["subjects"].array())
    out.emplace(subject["path"].string(), subject["sha256"].string());
  return out;
}

std::string fact(const json::Value& statement, std::string_view key) {
  for (const json::Value& fact : statement["facts"].array()) {
    if (fact["key"].string() == key) return fact["value"].string();
  }
  return {};
}

policy::Decision decision_of(std::string_view text) {
  for (const auto decision : {policy::Decision::fit, policy::Decision::fit_with_conditions, policy::Decision::unfit}) {
    if (policy::to_string(decision) == text) return decision;
  }
  return policy::Decision::undetermined;
}

std::string name_of(const Row& row) { return report::shown(row.model->target(), 60); }

std::string_view brief(policy::Decision decision) {
  return decision == policy::Decision::fit_with_conditions ? "with conditions" : policy::to_string(decision);
}

void mark_copies(std::vector<Row>& rows) {
  std::map<std::set<std::pair<u64, u64>>, const Row*> first;
  for (Row& row : rows) {
    std::set<std::pair<u64, u64>> inodes;
    for (const stores::File& file : row.model->files) {
      if (!file.path.empty()) inodes.insert({file.stat.device, file.stat.inode});
    }
    if (inodes.empty()) continue;
    const auto [found, fresh] = first.emplace(std::move(inodes), &row);
    if (!fresh) row.same_as = found->second->model->target();
  }
}

}  // namespace

Models models(const Session& session, std::size_t most) {
  Models out;
  out.listing = stores::list(session.environment());
  for (const stores::Model& model : out.listing.models) {
    Row& row = out.rows.emplace_back();
    row.model = &model;
    row.lost = static_cast<std::size_t>(
        std::ranges::count_if(model.files, [](const stores::File& file) { return !file.rule.empty(); }));
  }
  mark_copies(out.rows);

  const auto documents = session.verdicts(most);
  if (documents.empty()) return out;
  const io::DigestCache digests = session.digests();
  std::map<Contents, Row*> known;
  for (Row& row : out.rows) {
    if (Contents contents = contents_of(*row.model, digests); !contents.empty())
      known.emplace(std::move(contents), &row);
  }
  std::map<Row*, std::map<policy::Decision, std::size_t>> counts;
  for (const json::Value& document : documents) {
    for (const json::Value& record : document["inputs"]["records"].array()) {
      const json::Value& statement = record["statement"];
      if (statement["kind"].string() != "scan" || statement["subjects"].array().empty()) continue;
      const auto found = known.find(contents_of(statement));
      Row* row = found == known.end() ? nullptr : found->second;
      std::string model = row != nullptr ? row->model->target() : fact(statement, "source.target");
      if (model.empty()) model = statement["subjects"].array()[0]["path"].string();
      const std::string day = format_time(document["inputs"]["now"].integer()).substr(0, 10);
      const auto decision = decision_of(document["verdict"]["decision"].string());
      auto same = std::ranges::find_if(out.verdicts, [&](const auto& v) { return v.day == day && v.model == model; });
      if (same == out.verdicts.end()) same = out.verdicts.insert(same, Remembered{day, model, {}});
      same->contexts[decision].push_back(document["verdict"]["context"].string());
      if (row == nullptr) continue;
      if (row->format.empty()) row->format = fact(statement, "model.format");
      ++counts[row][decision];
    }
  }
  for (const auto& [row, decisions] : counts) {
    for (const auto& [decision, count] : decisions)
      row->verdicts += fmt::format("{}{} {}", row->verdicts.empty() ? "" : " · ", count, brief(decision));
  }
  for (Remembered& verdict : out.verdicts) {
    for (auto& [decision, contexts] : verdict.contexts) std::ranges::sort(contexts);
  }
  return out;
}

void table(report::Screen& screen, std::span<const Row> rows, std::size_t most) {
  const auto shown = rows.first(std::min(most, rows.size()));
  std::size_t widest = 0;
  for (const Row& row : shown) widest = std::max(widest, report::width(name_of(row)));
  for (const Row& row : shown) {
    std::vector<std::string> notes = {report::count(row.model->files.size(), "file", "files")};
    if (!row.format.empty()) notes.push_back(report::shown(row.format, 20));
    if (!row.verdicts.empty()) notes.push_back(row.verdicts);
    if (row.lost > 0) notes.push_back(report::count(row.lost, "file", "files") + " can't be examined");
    if (!row.same_as.empty()) notes.push_back("same as " + report::shown(row.same_as, 60));
    const std::string line = "  " + report::pad(name_of(row), widest + 2) +
                             fmt::format("{:>10}  {}", text::human_bytes(row.model->bytes()), fmt::join(notes, " · "));
    screen.line(report::cut(line, screen.columns()));
  }
}

void footer(report::Screen& screen, const stores::Listing& listing) {
  std::set<std::string> stores;
  for (const stores::Model& model : listing.models) stores.insert(model.store);
  screen.line(fmt::format("{} in {}", report::count(listing.models.size(), "model", "models"),
                          report::count(stores.size(), "store", "stores")));
  for (const stores::Place& place : listing.places) {
    if (!place.problem.empty())
      screen.block("not listed: ", 12, fmt::format("{}: {}", report::shown(place.root.string()), place.problem),
                   report::Paint::open);
  }
  for (const std::string& note : listing.notes) screen.block("note: ", 6, report::shown(note), report::Paint::dim);
}

}  // namespace steelyard::cli
