#include "wire/toml.hpp"

#include <fmt/format.h>
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "base/text.hpp"

namespace steelyard::toml {
namespace {

template <class T>
std::string written(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

Node convert(const ::toml::node& from) {
  Node node;
  node.line = from.source().begin.line;
  node.column = from.source().begin.column;
  switch (from.type()) {
    case ::toml::node_type::string:
      node.kind = Node::Kind::string;
      node.text = from.as_string()->get();
      break;
    case ::toml::node_type::integer:
      node.kind = Node::Kind::integer;
      node.number = from.as_integer()->get();
      break;
    case ::toml::node_type::boolean:
      node.kind = Node::Kind::boolean;
      node.number = from.as_boolean()->get() ? 1 : 0;
      break;
    case ::toml::node_type::floating_point:
      node.kind = Node::Kind::decimal;
      node.text = written(from.as_floating_point()->get());
      break;
    case ::toml::node_type::date:
      node.kind = Node::Kind::date;
      node.text = written(from.as_date()->get());
      break;
    case ::toml::node_type::time:
      node.kind = Node::Kind::date;
      node.text = written(from.as_time()->get());
      break;
    case ::toml::node_type::date_time:
      node.kind = Node::Kind::date;
      node.text = written(from.as_date_time()->get());
      break;
    case ::toml::node_type::array:
      node.kind = Node::Kind::array;
      for (const auto& item : *from.as_array()) node.items.push_back(convert(item));
      break;
    default:
      node.kind = Node::Kind::table;
      for (const auto& [key, value] : *from.as_table()) {
        Node member = convert(value);
        // A caret belongs under the key: that is where a misspelt or unknown one stands.
        if (member.kind != Node::Kind::table && key.source().begin.line != 0) {
          member.line = key.source().begin.line;
          member.column = key.source().begin.column;
        }
        node.members.push_back({std::string(key.str()), std::move(member)});
      }
  }
  return node;
}

std::string pointed(const std::string& text, const std::string& name, u32 line, u32 column,
                    const std::string& message) {
  std::string out = fmt::format("{}:{}:{}: {}", name, line, column, message);
  std::istringstream lines(text);
  std::string content;
  for (u32 i = 0; i < line && std::getline(lines, content); ++i) {
  }
  if (line == 0 || content.empty()) return out;
  const std::string shown = text::display(content, 100);
  out += fmt::format("\n  {:>4} | {}\n       | {}^", line, shown,
                     std::string(std::min<u32>(column > 0 ? column - 1 : 0, 99), ' '));
  return out;
}

// Where a character beyond ASCII stands outside texts and comments. TOML 1.0 has no place for one there, and
// toml++ 3.3 runs into undefined behaviour on some of them (found by fuzz/context.cpp).
std::optional<std::size_t> stray_character(std::string_view text) {
  std::string_view quote;  // that ends the text we are in
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (quote.empty()) {
      if (static_cast<unsigned char>(rest[0]) >= 0x80) return i;
      if (rest[0] == '#') i += std::min(rest.find('\n'), rest.size() - 1);
      for (const std::string_view open : {"\"\"\"", "'''", "\"", "'"}) {
        if (!rest.starts_with(open)) continue;
        quote = open;
        i += open.size() - 1;
        break;
      }
    } else if (rest[0] == '\\' && quote[0] == '"') {
      ++i;
    } else if (rest.starts_with(quote)) {
      i += quote.size() - 1;
      quote = {};
    } else if (rest[0] == '\n' && quote.size() == 1) {
      quote = {};  // a text that isn't closed on its line: the parser will say so
    }
  }
  return std::nullopt;
}

std::string_view kind_name(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::string:
      return "text";
    case Node::Kind::integer:
      return "a whole number";
    case Node::Kind::boolean:
      return "true or false";
    case Node::Kind::decimal:
      return "a decimal number";
    case Node::Kind::date:
      return "a date";
    case Node::Kind::array:
      return "a list";
    case Node::Kind::table:
      return "a table";
  }
  return "something else";
}

const Node* member(const Node& table, const std::string& key) {
  const auto found = std::ranges::find(table.members, key, &Member::key);
  return found == table.members.end() ? nullptr : &found->value;
}

}  // namespace

::steelyard::Result<std::shared_ptr<Document>> Document::parse(std::string text, std::string name) {
  if (!text::valid_utf8(text)) return fail(ErrorCode::usage, fmt::format("{}: the file is not UTF-8", name));
  if (const auto stray = stray_character(text)) {
    const std::string_view before = std::string_view(text).substr(0, *stray);
    const auto line = static_cast<u32>(std::ranges::count(before, '\n') + 1);
    const auto column = static_cast<u32>(before.size() - (before.rfind('\n') + 1) + 1);
    return fail(ErrorCode::usage,
                pointed(text, name, line, column, "keys outside quotes may hold ASCII characters only"));
  }
  const ::toml::parse_result parsed = ::toml::parse(std::string_view(text), std::string_view(name));
  if (!parsed) {
    const auto& at = parsed.error().source().begin;
    return fail(ErrorCode::usage, pointed(text, name, at.line, at.column, std::string(parsed.error().description())));
  }
  auto document = std::make_shared<Document>();
  document->root_ = convert(parsed.table());
  document->text_ = std::move(text);
  document->name_ = std::move(name);
  return document;
}

void Document::error(const Node& at, const std::string& message) {
  errors_.push_back(pointed(text_, name_, at.line, at.column, message));
}

::steelyard::Result<bool> Document::check() const {
  if (errors_.empty()) return true;
  return fail(ErrorCode::usage, fmt::format("{}", fmt::join(errors_, "\n")));
}

Table::Table(Document& document, const Node& node, std::string what)
    : document_(&document), node_(&node), what_(std::move(what)) {
  if (node.kind != Node::Kind::table)
    document.error(node, fmt::format("{}: expected a table, found {}", what_, kind_name(node.kind)));
}

void Table::finish() {
  for (const auto& [key, value] : node_->members) {
    if (std::ranges::find(asked_, key) != asked_.end()) continue;
    const std::string near = text::closest(key, asked_);
    document_->error(value, fmt::format("{}: unknown key \"{}\"{}", what_, text::display(key, 64),
                                        near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near)));
  }
}

const Node* Table::take(const std::string& key) {
  asked_.push_back(key);
  return member(*node_, key);
}

bool Table::has(const std::string& key) const { return member(*node_, key) != nullptr; }

void Table::error(const std::string& key, std::string message) {
  const Node* at = member(*node_, key);
  document_->error(at ? *at : *node_, fmt::format("{}: {}", what_, message));
}

std::string Table::text(const std::string& key, std::string fallback) {
  const Node* node = take(key);
  if (node == nullptr) return fallback;
  if (node->kind != Node::Kind::string) {
    error(key, fmt::format("{} must be text, found {}", key, kind_name(node->kind)));
    return fallback;
  }
  return node->text;
}

std::string Table::required_text(const std::string& key) {
  if (!has(key)) error(key, fmt::format("{} is required", key));
  std::string value = text(key);
  if (has(key) && member(*node_, key)->kind == Node::Kind::string && value.empty())
    error(key, fmt::format("{} may not be empty", key));
  return value;
}

std::string Table::choice(const std::string& key, const std::vector<std::string>& choices, std::string fallback) {
  std::string value = text(key, fallback);
  if (has(key) && std::ranges::find(choices, value) == choices.end()) {
    const std::string near = text::closest(value, choices);
    error(key,
          fmt::format("{} is \"{}\"; expected one of {}{}", key, text::display(value, 64), fmt::join(choices, ", "),
                      near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near)));
    return fallback;
  }
  return value;
}

bool Table::flag(const std::string& key, bool fallback) {
  const Node* node = take(key);
  if (node == nullptr) return fallback;
  if (node->kind != Node::Kind::boolean) {
    error(key, fmt::format("{} must be true or false, found {}", key, kind_name(node->kind)));
    return fallback;
  }
  return node->number != 0;
}

std::optional<i64> Table::integer(const std::string& key) {
  const Node* node = take(key);
  if (node == nullptr) return std::nullopt;
  if (node->kind != Node::Kind::integer) {
    error(key, fmt::format("{} must be a whole number, found {}", key, kind_name(node->kind)));
    return std::nullopt;
  }
  return node->number;
}

std::vector<std::string> Table::texts(const std::string& key) {
  const Node* node = take(key);
  std::vector<std::string> values;
  if (node == nullptr) return values;
  if (node->kind != Node::Kind::array) {
    error(key, fmt::format("{} must be a list of texts, found {}", key, kind_name(node->kind)));
    return values;
  }
  for (const Node& item : node->items) {
    if (item.kind == Node::Kind::string) {
      values.push_back(item.text);
    } else {
      document_->error(item, fmt::format("{}: {} must hold texts only, found {}", what_, key, kind_name(item.kind)));
    }
  }
  return values;
}

std::vector<Table> Table::tables(const std::string& key) {
  const Node* node = take(key);
  std::vector<Table> found;
  if (node == nullptr) return found;
  if (node->kind != Node::Kind::array) {
    error(key, fmt::format("{} must be written as [[{}]], found {}", key, key, kind_name(node->kind)));
    return found;
  }
  for (const Node& item : node->items) {
    const Node* id = member(item, "id");
    found.emplace_back(*document_, item,
                       fmt::format("[[{}]]{}", key, id ? " " + text::display(id->text, 64) : std::string()));
  }
  return found;
}

std::optional<Table> Table::table(const std::string& key) {
  const Node* node = take(key);
  if (node == nullptr) return std::nullopt;
  return Table(*document_, *node, fmt::format("[{}]", key));
}

json::Value to_json(const Node& node) {
  switch (node.kind) {
    case Node::Kind::integer:
      return node.number;
    case Node::Kind::boolean:
      return node.number != 0;
    case Node::Kind::array: {
      json::Value list = json::Array{};
      for (const Node& item : node.items) list.push(to_json(item));
      return list;
    }
    case Node::Kind::table: {
      json::Value object = json::Object{};
      for (const auto& [key, value] : node.members) object.set(key, to_json(value));
      return object;
    }
    default:
      return node.text;
  }
}

}  // namespace steelyard::toml
