// Strict TOML for the files users and domain experts write: positions, suggestions, carets.
//
// parse() turns a document into a Node tree; a Table reads one table of it: every key that nobody
// asked for is an error with a suggestion, every wrong type is an error, and each error shows the
// line with a caret under the spot. Collects all errors; check() gives them at once.
// toml++ stays inside toml.cpp. Spec: TOML 1.0. Tested by tests/unit/toml_test.cpp.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"

namespace steelyard::toml {

struct Member;

struct Node {
  enum class Kind { string, integer, boolean, decimal, date, array, table };
  Kind kind = Kind::table;
  u32 line = 0;  // 1-based
  u32 column = 0;
  std::string text;  // strings; decimals and dates as written
  i64 number = 0;    // integers and booleans
  std::vector<Node> items;
  std::vector<Member> members;  // sorted by key
};

struct Member {
  std::string key;
  Node value;
};

// One parsed file and the errors found while reading it.
class Document {
 public:
  static Result<std::shared_ptr<Document>> parse(std::string text, std::string name);

  const Node& root() const { return root_; }
  // Adds "name:line:column: message", the line and a caret.
  void error(const Node& at, const std::string& message);
  // All errors, or nothing.
  Result<bool> check() const;

 private:
  std::string text_;
  std::string name_;
  Node root_;
  std::vector<std::string> errors_;
};

class Table {
 public:
  // `node` must be a table of `document`; `what` names it in messages: "[[tool]] send_mail".
  Table(Document& document, const Node& node, std::string what);
  // Reports the keys that nobody asked for.
  void finish();

  // Each reads one key; the fallback stands in for an absent key, and `required` reports it.
  std::string text(const std::string& key, std::string fallback = {});
  std::string required_text(const std::string& key);
  // One of `choices`, which the message lists.
  std::string choice(const std::string& key, const std::vector<std::string>& choices, std::string fallback);
  bool flag(const std::string& key, bool fallback = false);
  std::optional<i64> integer(const std::string& key);
  std::vector<std::string> texts(const std::string& key);
  // [[key]]: one Table per entry.
  std::vector<Table> tables(const std::string& key);
  // [key], or nothing.
  std::optional<Table> table(const std::string& key);
  // The raw node of a key, or nullptr; marks it as asked for.
  const Node* take(const std::string& key);
  bool has(const std::string& key) const;

  const Node& node() const { return *node_; }
  Document& document() { return *document_; }
  void error(const std::string& key, std::string message);

 private:
  Document* document_;
  const Node* node_;
  std::string what_;
  std::vector<std::string> asked_;
};

// The node as JSON (decimals and dates as strings).
json::Value to_json(const Node& node);

}  // namespace steelyard::toml
