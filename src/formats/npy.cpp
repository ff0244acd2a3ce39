// NumPy .npy: a header in Python's syntax, then numbers, or a pickle if the array holds objects.
//
// Spec: numpy/lib/format.py (versions 1.0 to 3.0). Attacks resisted: headers that are expressions
// (parsed as literals, never evaluated), dtypes that hide an object field, pickles behind numbers, sizes
// that don't fit. Several arrays may follow each other. Tested by data/rules/NPY/,
// tests/unit/npy_test.cpp and, against numpy, tests/oracle/numpy_test.py; fuzzed.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/checked.hpp"
#include "base/cursor.hpp"
#include "base/text.hpp"
#include "formats/detail/members.hpp"
#include "formats/format.hpp"
#include "wire/python_literal.hpp"

namespace steelyard::formats {
namespace {

using wire::PythonLiteral;
using Kind = PythonLiteral::Kind;

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr u64 kMostHeader = 1 << 20;
constexpr std::size_t kMostArrays = 1024;

struct Dtype {
  u64 bytes = 0;        // of an element
  bool object = false;  // numpy.load unpickles the data
  bool known = false;
};

// "[ns]", "[25s]".
bool time_unit(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) return false;
  text = text.substr(1, text.size() - 2);
  text.remove_prefix(std::min(text.find_first_not_of("0123456789"), text.size()));
  constexpr std::array<std::string_view, 13> kUnits{"Y",  "M",  "W",  "D",  "h",  "m", "s",
                                                    "ms", "us", "ns", "ps", "fs", "as"};
  return std::ranges::find(kUnits, text) != kUnits.end();
}

// "<f8", "|O", "<U12", "<M8[ns]".
Dtype plain_dtype(std::string_view text) {
  Dtype out;
  if (!text.empty() && std::string_view("<>|=").find(text[0]) != std::string_view::npos) text.remove_prefix(1);
  if (text.empty()) return out;
  const char kind = text[0];
  text.remove_prefix(1);
  u64 size = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && digits < 10 && text[digits] >= '0' && text[digits] <= '9'; ++digits)
    size = size * 10 + static_cast<u64>(text[digits] - '0');
  const std::string_view unit = text.substr(digits);
  out.object = kind == 'O';
  if (out.object) {
    out.known = unit.empty();
    out.bytes = 8;
    return out;
  }
  if (kind == 'M' || kind == 'm') {
    out.known = size == 8 && (unit.empty() || time_unit(unit));
  } else if (std::string_view("biufcSUVa").find(kind) != std::string_view::npos) {
    out.known = unit.empty() && digits > 0;
  }
  out.bytes = kind == 'U' ? size * 4 : size;
  return out;
}

// A text, a list of fields (name, dtype[, shape]), or (dtype, shape).
Dtype dtype(const PythonLiteral& descr) {
  if (descr.kind == Kind::text) return plain_dtype(descr.text);
  const auto repeated = [](Dtype element, const PythonLiteral& shape) {
    u64 count = 1;
    for (const PythonLiteral& dimension : shape.items)
      count = checked_mul(count, dimension.integer).value_or(UINT64_MAX);
    if (shape.kind == Kind::integer) count = shape.integer;
    element.bytes = checked_mul(element.bytes, count).value_or(UINT64_MAX);
    element.known = element.known && (shape.kind == Kind::tuple || shape.kind == Kind::integer);
    return element;
  };
  if (descr.kind == Kind::tuple && descr.items.size() == 2) return repeated(dtype(descr.items[0]), descr.items[1]);
  Dtype out;
  if (descr.kind != Kind::list) return out;
  out.known = true;
  for (const PythonLiteral& field : descr.items) {
    if (field.kind != Kind::tuple || field.items.size() < 2 || field.items.size() > 3) return {};
    Dtype one = dtype(field.items[1]);
    if (field.items.size() == 3) one = repeated(one, field.items[2]);
    out.bytes = checked_add(out.bytes, one.bytes).value_or(UINT64_MAX);
    out.object = out.object || one.object;
    out.known = out.known && one.known;
  }
  return out;
}

class Parser {
 public:
  explicit Parser(Item& item) : item_(item), in_(item.source()) {}

  void run() {
    for (std::size_t count = 0; in_.remaining() > 0; ++count) {
      const Bytes next = in_.peek(kMagic.size());
      const bool another = as_text(next) == kMagic;
      if (count > 0 && (!another || count >= kMostArrays)) return rest("it is no further array");
      if (!array()) return;
    }
  }

 private:
  // What the header doesn't account for is examined as whatever it is.
  void rest(std::string_view why) {
    const Range range{in_.offset(), item_.size()};
    if (range.begin == range.end) return;
    item_.report().add("NPY004", range, json::Value().set("bytes", range.end - range.begin).set("why", why));
    examine_stored(item_, "data", range, "numpy");
    item_.coverage().examined += range.end - range.begin;
  }

  bool broken(u64 begin, std::string why) {
    item_.report().add("NPY001", Range{begin, in_.offset()}, json::Value().set("why", std::move(why)));
    item_.coverage().examined = in_.offset();
    rest("the header doesn't say what it is");
    return false;
  }

  bool array() {
    const u64 begin = in_.offset();
    in_.skip(kMagic.size(), "magic");
    const auto major = in_.read<u8>("major version");
    const auto minor = in_.read<u8>("minor version");
    if (in_.ok() && (major < 1 || major > 3 || minor != 0))
      return broken(begin, fmt::format("version {}.{} doesn't exist", major, minor));
    const u64 length = major == 1 ? in_.read<u16>("header length") : in_.read<u32>("header length");
    const std::string text = in_.text(length, kMostHeader, "header");
    if (!in_.ok()) return broken(begin, to_string(*in_.fault()));
    std::string why;
    const auto header = PythonLiteral::parse(text, why);
    if (!header) return broken(begin, why);
    const PythonLiteral* descr = header->find("descr");
    const PythonLiteral* shape = header->find("shape");
    const PythonLiteral* order = header->find("fortran_order");
    if (descr == nullptr || shape == nullptr || order == nullptr || header->items.size() != 6)
      return broken(begin, "it needs descr, fortran_order and shape, and nothing else");
    if (shape->kind != Kind::tuple || order->kind != Kind::boolean)
      return broken(begin, "shape or fortran_order has a wrong type");
    const Dtype type = dtype(*descr);
    std::optional<u64> elements = 1;
    for (const PythonLiteral& dimension : shape->items) {
      if (dimension.kind != Kind::integer || dimension.negative)
        return broken(begin, "shape has something else than sizes in it");
      elements = elements ? checked_mul(*elements, dimension.integer) : std::nullopt;
    }
    item_.coverage().examined = in_.offset();
    if (type.object) return objects();
    if (!type.known) return broken(begin, "its dtype is none that NumPy writes");
    const auto bytes = elements ? checked_mul(*elements, type.bytes) : std::nullopt;
    if (!bytes || *bytes > in_.remaining()) {
      const Range range{in_.offset(), item_.size()};
      item_.report().add("NPY003", Range{begin, in_.offset()},
                         json::Value()
                             .set("wanted", bytes ? fmt::format("{} bytes", *bytes) : "more than there can be")
                             .set("found", in_.remaining()));
      item_.coverage().gaps.push_back({range, "an array that is cut short"});
      return false;
    }
    in_.skip(*bytes, "data");
    item_.coverage().examined = in_.offset();
    return true;
  }

  // The pickle goes on to its own end; whether something follows is seen by its parser.
  bool objects() {
    const Range range{in_.offset(), item_.size()};
    item_.report().add("NPY002", range, json::Value().set("bytes", range.end - range.begin));
    examine_stored(item_, "objects", range, "numpy");
    item_.coverage().examined = item_.size();
    return false;
  }

  Item& item_;
  Cursor in_;
};

int sniff(const Sniff& sniff) { return as_text(sniff.head).starts_with(kMagic) ? 95 : 0; }

void parse(Item& item) {
  if (item.artifact() == 0) item.report().fact("model.format", "NumPy", std::nullopt, Assurance::verified);
  Parser(item).run();
}

}  // namespace

extern const Format npy_format;
const Format npy_format{"npy", "NumPy array", "npy", "numpy/lib/format.py, versions 1.0 to 3.0", sniff, parse};

}  // namespace steelyard::formats
