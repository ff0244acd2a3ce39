#include "recipe/opcodes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

#include "base/bytes.hpp"

namespace steelyard::recipe {
namespace {

// What stands behind an opcode: nothing, little-endian numbers by their size, a big-endian double, a text behind its
// length by the length's size, a line, two lines, a number behind its length.
enum class Argument { none, number1, number2, number4, number8, real, text1, text4, text8, line, lines, long1, long4 };
struct Opcode {
  std::string_view name;
  unsigned char code;
  Argument argument;
};

constexpr auto kOpcodes = std::to_array<Opcode>({
    {"PROTO", 0x80, Argument::number1},
    {"FRAME", 0x95, Argument::number8},
    {"STOP", '.', Argument::none},
    {"MARK", '(', Argument::none},
    {"POP", '0', Argument::none},
    {"POP_MARK", '1', Argument::none},
    {"DUP", '2', Argument::none},
    {"NONE", 'N', Argument::none},
    {"NEWTRUE", 0x88, Argument::none},
    {"NEWFALSE", 0x89, Argument::none},
    {"INT", 'I', Argument::line},
    {"LONG", 'L', Argument::line},
    {"FLOAT", 'F', Argument::line},
    {"STRING", 'S', Argument::line},
    {"UNICODE", 'V', Argument::line},
    {"PERSID", 'P', Argument::line},
    {"GET", 'g', Argument::line},
    {"PUT", 'p', Argument::line},
    {"GLOBAL", 'c', Argument::lines},
    {"INST", 'i', Argument::lines},
    {"BININT", 'J', Argument::number4},
    {"BININT1", 'K', Argument::number1},
    {"BININT2", 'M', Argument::number2},
    {"LONG1", 0x8a, Argument::long1},
    {"LONG4", 0x8b, Argument::long4},
    {"BINFLOAT", 'G', Argument::real},
    {"SHORT_BINSTRING", 'U', Argument::text1},
    {"BINSTRING", 'T', Argument::text4},
    {"SHORT_BINBYTES", 'C', Argument::text1},
    {"BINBYTES", 'B', Argument::text4},
    {"BINBYTES8", 0x8e, Argument::text8},
    {"BYTEARRAY8", 0x96, Argument::text8},
    {"SHORT_BINUNICODE", 0x8c, Argument::text1},
    {"BINUNICODE", 'X', Argument::text4},
    {"BINUNICODE8", 0x8d, Argument::text8},
    {"NEXT_BUFFER", 0x97, Argument::none},
    {"READONLY_BUFFER", 0x98, Argument::none},
    {"EMPTY_TUPLE", ')', Argument::none},
    {"TUPLE", 't', Argument::none},
    {"TUPLE1", 0x85, Argument::none},
    {"TUPLE2", 0x86, Argument::none},
    {"TUPLE3", 0x87, Argument::none},
    {"EMPTY_LIST", ']', Argument::none},
    {"LIST", 'l', Argument::none},
    {"APPEND", 'a', Argument::none},
    {"APPENDS", 'e', Argument::none},
    {"EMPTY_DICT", '}', Argument::none},
    {"DICT", 'd', Argument::none},
    {"SETITEM", 's', Argument::none},
    {"SETITEMS", 'u', Argument::none},
    {"EMPTY_SET", 0x8f, Argument::none},
    {"ADDITEMS", 0x90, Argument::none},
    {"FROZENSET", 0x91, Argument::none},
    {"BINGET", 'h', Argument::number1},
    {"LONG_BINGET", 'j', Argument::number4},
    {"BINPUT", 'q', Argument::number1},
    {"LONG_BINPUT", 'r', Argument::number4},
    {"MEMOIZE", 0x94, Argument::none},
    {"STACK_GLOBAL", 0x93, Argument::none},
    {"REDUCE", 'R', Argument::none},
    {"BUILD", 'b', Argument::none},
    {"OBJ", 'o', Argument::none},
    {"NEWOBJ", 0x81, Argument::none},
    {"NEWOBJ_EX", 0x92, Argument::none},
    {"BINPERSID", 'Q', Argument::none},
    {"EXT1", 0x82, Argument::number1},
    {"EXT2", 0x83, Argument::number2},
    {"EXT4", 0x84, Argument::number4},
});

const Opcode* find(std::string_view name) {
  const auto found = std::ranges::find(kOpcodes, name, &Opcode::name);
  return found == kOpcodes.end() ? nullptr : &*found;
}

void put(std::vector<std::byte>& out, u64 value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void put(std::vector<std::byte>& out, Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

u64 number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const int base = text.starts_with("0x") ? 16 : 10;
  if (base == 16) text.remove_prefix(2);
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty())
    throw fmt::format("expected a number, found \"{}\"", text);
  return negative ? ~value + 1 : value;
}

std::size_t length_bytes(Argument argument) {
  return argument == Argument::text1 ? 1 : argument == Argument::text4 ? 4 : 8;
}

}  // namespace

bool is_opcode(std::string_view name) { return find(name) != nullptr; }

void opcode(std::string_view name, std::span<const std::string> arguments, std::vector<std::byte>& out) {
  const Opcode& op = *find(name);
  const auto wanted = op.argument == Argument::none ? 0U : op.argument == Argument::lines ? 2U : 1U;
  if (arguments.size() != wanted) throw fmt::format("{} takes {} argument(s), not {}", name, wanted, arguments.size());
  out.push_back(static_cast<std::byte>(op.code));
  switch (op.argument) {
    case Argument::none:
      break;
    case Argument::number1:
      return put(out, number(arguments[0]), 1);
    case Argument::number2:
      return put(out, number(arguments[0]), 2);
    case Argument::number4:
      return put(out, number(arguments[0]), 4);
    case Argument::number8:
      return put(out, number(arguments[0]), 8);
    case Argument::real:
      return put(out, __builtin_bswap64(std::bit_cast<u64>(std::strtod(arguments[0].c_str(), nullptr))), 8);
    case Argument::text1:
    case Argument::text4:
    case Argument::text8:
      put(out, arguments[0].size(), length_bytes(op.argument));
      return put(out, as_bytes(arguments[0]));
    case Argument::line:
    case Argument::lines:
      for (const std::string& line : arguments) {
        put(out, as_bytes(line));
        out.push_back(std::byte{'\n'});
      }
      break;
    case Argument::long1:
    case Argument::long4:
      put(out, 8, op.argument == Argument::long1 ? 1 : 4);
      return put(out, number(arguments[0]), 8);
  }
}

void opcode(std::string_view name, Bytes content, std::vector<std::byte>& out) {
  const Opcode& op = *find(name);
  const bool sized = op.argument == Argument::text1 || op.argument == Argument::text4 ||
                     op.argument == Argument::text8 || op.argument == Argument::number8;
  if (!sized) throw fmt::format("{} has no length", name);
  out.push_back(static_cast<std::byte>(op.code));
  put(out, content.size(), length_bytes(op.argument));
  put(out, content);
}

}  // namespace steelyard::recipe
