// archive: zip and tar for recipes, right unless told otherwise.
//
// Options are pairs of words behind the name; tools/recipe/README.md lists them. A mistake is thrown as
// a std::string, which the recipe's builder puts its line to.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::recipe {

class Options {
 public:
  // KEY VALUE…; every key must be one of `known`.
  Options(std::span<const std::string> words, std::span<const std::string_view> known);
  u64 number(std::string_view key, u64 otherwise) const;
  std::string text(std::string_view key, std::string otherwise) const;
  std::string hex(std::string_view key) const;
  bool has(std::string_view key) const { return values_.contains(std::string(key)); }

 private:
  std::map<std::string, std::string> values_;
};

using Buffer = std::vector<std::byte>;

class ZipWriter {
 public:
  // NAME METHOD, options.
  void member(std::span<const std::string> words, Bytes content, Buffer& out);
  // Directory and end record.
  void finish(std::span<const std::string> words, Buffer& out) const;

 private:
  Buffer directory_;
  u64 members_ = 0;
};

// NAME, options: one header and its padded content.
void tar_entry(std::span<const std::string> words, Bytes content, Buffer& out);
// KEY VALUE…: the records of a pax header.
void pax_header(std::span<const std::string> words, char type, Buffer& out);

}  // namespace steelyard::recipe
