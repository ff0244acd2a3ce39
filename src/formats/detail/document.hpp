// Document: the members of a JSON or YAML file that somebody asked for, wherever they stand in it.
//
// One pass with bounded memory, whatever the size of the file: the values of keys that are wanted are
// kept as small trees, everything else is only walked. A wanted key inside a kept tree is a field of its
// own too. Attack resisted: padding that pushes a field beyond what a parser keeps, equal keys of which
// two readers take different ones, nesting. Not thread-safe. Tested by tests/unit/document_test.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "formats/item.hpp"

namespace steelyard::formats {

struct Field {
  std::string path;    // "text_config.auto_map", cut to 256 bytes
  std::string key;     // its last part
  std::string parent;  // the key of the object around it, or ""
  json::Value value;   // numbers beyond 2^53 and decimals as texts
  Range at;
};

struct Document {
  std::vector<Field> fields;
  std::vector<std::string> top;                           // the first keys of the outermost object
  std::vector<std::pair<std::string, Range>> duplicates;  // keys that stand twice in one object
  std::vector<std::pair<std::string, Range>> tags;        // of YAML: those beyond the core schema
  bool unfolds = false;                                   // of YAML: aliases multiply beyond any use
  bool object = false;                                    // the outermost value is an object
  std::string fault;                                      // not empty: why it could not be read to its end
  u64 read = 0;                                           // bytes up to there
  bool cut = false;                                       // fields were left out, or their values

  const Field* find(std::string_view path) const;
};

struct DocumentReader {
  std::function<bool(std::string_view key)> wanted;
  // Every text and key outside of wanted values as well.
  std::function<void(std::string_view key, std::string_view text, Range at)> text = {};

  Document json(const Source& source) const;
  // Bytes [begin, end) of `source`.
  Document yaml(const Source& source, u64 begin, u64 end) const;
};

}  // namespace steelyard::formats
