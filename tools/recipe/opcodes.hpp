// Opcodes of pickles, by the names of Lib/pickletools.py, as bytes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steelyard::recipe {

// Whether `name` is an opcode.
bool is_opcode(std::string_view name);

// The opcode with its arguments. Throws a std::string that says what is missing.
void opcode(std::string_view name, std::span<const std::string> arguments, std::vector<std::byte>& out);

// An opcode with a length (FRAME, BINBYTES, …) in front of `content`.
void opcode(std::string_view name, std::span<const std::byte> content, std::vector<std::byte>& out);

}  // namespace steelyard::recipe
