// What the requirement kinds share: how evidence is picked, cited and put into words.
//
// Attack resisted: names and claims inside records are the model's own words, so they enter a
// sentence only quoted and cut; records count once however often they are handed in; a record that
// was cut short can condemn, never acquit. Records are read in the order of their ids, so the order
// in which they were gathered changes nothing. Pure. Tested by tests/unit/verdict_test.cpp.
#pragma once

#include "policy/kind.hpp"

namespace steelyard::policy {

struct Item {
  std::string id;
  const evidence::Record* record = nullptr;

  std::string cite(std::string_view section, std::size_t index) const;
};

// The records of one kind (all when empty), by id; of copies of one statement the oldest run.
std::vector<Item> records_of(const Inputs& inputs, std::string_view kind);
std::vector<std::string> ids_of(const std::vector<Item>& items);

struct Statement {
  const Fact* fact = nullptr;
  std::string cite;
};
// What the records say under one key, by how far it can be relied on.
struct Statements {
  std::vector<Statement> stated;
  std::vector<Statement> contradicted;
  std::vector<Statement> missing;
};
Statements statements(const std::vector<Item>& items, std::string_view key);
std::vector<std::string> cites_of(const std::vector<Statement>& statements);

// Why somebody accepted the finding that `cite` names; nullptr when nobody did, when the day has passed, or when
// it is too serious for an acceptance without an end.
const accept::Accepted* accepted(const Inputs& inputs, const Finding& finding, std::string_view cite);

// An artifact, or a whole record, that was not examined as far as `percent` asks.
struct Shortfall {
  bool lasting = false;  // the scan finished: another one sees no more
  bool settled = false;  // and a parser that knows the format left bytes unaccounted for
  std::string text;
  std::string cite;
};
std::vector<Shortfall> shortfalls(const std::vector<Item>& scans, i64 percent);
// The undetermined ruling for what shortfalls leave open; `lead` begins its sentence.
Ruling fell_short(std::string_view lead, const std::vector<Shortfall>& shortfalls);

// A quoted text, or compact JSON; 80 characters at most.
std::string shown(const json::Value& value);
// Sorted, each once, the first three: "a, b, c and 2 more".
std::string listing(std::vector<std::string> items);
std::string listing(const std::vector<Statement>& statements);
// "1 file", "2 files".
std::string counted(std::size_t number, std::string_view noun);
std::vector<std::string> texts(const Requirement& requirement, std::string_view key);
// What all kinds that read claims normalise: ASCII lower case, spaces and underscores as hyphens.
std::string normal(std::string_view text);

Ruling met(std::string text, std::vector<std::string> cites);
Ruling unmet(std::string text, std::vector<std::string> cites);
Ruling undetermined(std::string text, std::vector<std::string> cites, std::string decide);
// Commands name MODEL, not a path: a file's name is the attacker's, and commands get pasted.
inline constexpr std::string_view kScan = "steelyard scan MODEL";
inline constexpr std::string_view kRescan = "steelyard scan MODEL --rehash";
inline constexpr std::string_view kInspect = "steelyard inspect MODEL";
// Without a scan record.
Ruling not_scanned();
// When a scan was cut short, so that what it didn't see stays open.
std::optional<Ruling> cut_short(const std::vector<Item>& items);

}  // namespace steelyard::policy
