// Texts and numbers of pickles, read as CPython 3.11 reads them.
//
// Spec: unicodeobject.c (UTF-8 with surrogatepass, raw-unicode-escape), bytesobject.c (escapes),
// longobject.c (PyLong_FromString), pystrtod.c; Modules/_pickle.c for what each opcode uses.
// Pure. Tested against CPython by tests/oracle/pickle_test.py.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace steelyard::wire::pickle {

enum class Encoding : u8 { any, ascii, utf8, utf8_surrogates };

// Whether a text that comes in parts is in an encoding.
class TextCheck {
 public:
  explicit TextCheck(Encoding encoding) : encoding_(encoding) {}
  void add(std::string_view part);
  bool whole() const { return valid_ && missing_ == 0; }

 private:
  Encoding encoding_;
  bool valid_ = true;
  int missing_ = 0;  // continuation bytes
  u8 low_ = 0x80;    // bounds of the next one
  u8 high_ = 0xbf;
};

bool in_encoding(std::string_view text, Encoding encoding);

// The content of a Python 2 string literal; nothing when an escape is broken.
std::optional<std::string> unescape(std::string_view text);
// raw-unicode-escape to UTF-8 (surrogates too); nothing when an escape is broken.
std::optional<std::string> unescape_unicode(std::string_view text);
// Latin-1 to UTF-8, as Python 2's texts are shown.
std::string from_latin1(std::string_view text);

struct Number {
  i64 value = 0;
  bool small = true;     // `value` is the number
  bool boolean = false;  // of INT: 00 or 01
};
// The line of INT, LONG or of GET and PUT; nothing where CPython raises.
std::optional<Number> parse_int(std::string_view line);
std::optional<Number> parse_long(std::string_view line);
std::optional<Number> parse_index(std::string_view line);
// The line of FLOAT.
std::optional<double> parse_float(std::string_view line);

}  // namespace steelyard::wire::pickle
