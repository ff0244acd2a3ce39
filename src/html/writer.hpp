// Writer: HTML that can't be broken by its content.
//
// Escaping is by type: names of elements and attributes are literals of the program (checked at
// compile time), text and attribute values are escaped and sanitised, and raw text exists only as an
// Asset, which is built from a file that was embedded at build time. Follows the HTML standard, §13
// (syntax; void elements). Attack resisted: markup, scripts, bidi overrides and controls in whatever
// a model calls itself. Not thread-safe. Tested by tests/unit/report_test.cpp.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::html {

// The name of an element, an attribute or a class list: a literal.
struct Name {
  consteval Name(const char* literal) : text(literal) {}
  std::string_view text;
};

struct Attribute {
  Name name;
  std::string value;
};

// Text that goes out as it is: the style sheet under data/web/.
struct Asset {
  std::string_view text;
};

class Writer {
 public:
  // Open until it goes out of scope.
  class [[nodiscard]] Element {
   public:
    Element(Writer& writer, Name tag) : writer_(&writer), tag_(tag) {}
    Element(const Element&) = delete;
    Element& operator=(const Element&) = delete;
    ~Element();

   private:
    Writer* writer_;
    Name tag_;
  };

  // "<!doctype html>" first.
  void doctype();
  Element open(Name tag, std::initializer_list<Attribute> attributes = {});
  // An element that holds text only: <td>…</td>.
  void put(Name tag, std::string_view text, std::initializer_list<Attribute> attributes = {});
  // An element without an end: <meta …>, <br>.
  void single(Name tag, std::initializer_list<Attribute> attributes = {});
  void text(std::string_view text);
  void raw(Asset asset);

  std::size_t size() const { return out_.size(); }
  std::string take() { return std::move(out_); }

 private:
  void start(Name tag, std::initializer_list<Attribute> attributes);

  std::string out_;
};

// `text` sanitised (text::display) and with & < > " ' as character references: right as text and
// within a quoted attribute.
std::string escape(std::string_view text);

// "sha256-…" of a style or script for a Content-Security-Policy.
std::string csp_hash(std::string_view content);

}  // namespace steelyard::html
