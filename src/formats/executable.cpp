// Programs and libraries of a processor or virtual machine, bytecode of Python, and shortcuts: what a model
// has no use for.
//
// Told by their first bytes, whatever the name; what they do is not examined. Attack resisted: T12, a
// second stage beside clean weights. Tested by data/rules/REP/; fuzzed.

#include <array>

#include "base/text.hpp"
#include "formats/detail/report_code.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

struct Found {
  std::string_view rule;
  std::string_view what;
  int sure = 0;
};

u32 little(std::string_view head, std::size_t at) {
  u32 value = 0;
  for (std::size_t i = 0; i < 4 && at + i < head.size(); ++i)
    value |= static_cast<u32>(static_cast<unsigned char>(head[at + i])) << (8 * i);
  return value;
}

Found recognise(std::string_view head, std::string_view name) {
  const std::string low = text::lower(name);
  if (head.starts_with("\x7F"
                       "ELF"))
    return {"REP010", "a program or library for Linux (ELF)", 95};
  if (head.starts_with("MZ")) {
    const std::size_t at = little(head, 0x3C);
    if (at + 4 <= head.size() && head.substr(at, 4) == std::string_view("PE\0\0", 4))
      return {"REP010", "a program or library for Windows (PE)", 95};
    return {"REP010", "a program for Windows or DOS", 30};
  }
  const u32 magic = little(head, 0);
  if (magic == 0xFEEDFACE || magic == 0xFEEDFACF || magic == 0xCEFAEDFE || magic == 0xCFFAEDFE)
    return {"REP010", "a program or library for macOS (Mach-O)", 90};
  if (magic == 0xBEBAFECA && head.size() > 8) return {"REP010", "a class of Java or a program for macOS", 85};
  if (head.starts_with(std::string_view("\0asm", 4))) return {"REP010", "a module of WebAssembly", 90};
  if (head.starts_with("dex\n0")) return {"REP010", "a program for Android", 90};
  if (head.starts_with("!<arch>\n")) return {"REP010", "a library of object files", 90};
  // CPython's magic number: a version between 3.0 and 3.15, then "\r\n", flags and a date or digest.
  const u32 version = magic & 0xFFFF;
  if (head.size() > 16 && (magic >> 16) == 0x0A0D && version >= 3000 && version < 3800)
    return {"REP012", "bytecode of Python", low.ends_with(".pyc") ? 95 : 60};
  if (low.ends_with(".pyc") || low.ends_with(".pyo")) return {"REP012", "bytecode of Python", 40};
  if (head.starts_with(std::string_view("L\0\0\0\x01\x14\x02\0", 8))) return {"REP013", "a shortcut of Windows", 95};
  if (looks_like_text(head)) {
    const std::string lower_head = text::lower(head.substr(0, 2048));
    if (lower_head.contains("[desktop entry]") && lower_head.contains("exec="))
      return {"REP013", "a launcher of a Linux desktop", 60};
    if (lower_head.contains("[internetshortcut]")) return {"REP013", "a shortcut to an address", 60};
    if (lower_head.contains("[autorun]")) return {"REP013", "a file that starts programs from a disk", 60};
  }
  return {};
}

void parse(Item& item) {
  const std::string head = read_text(item.source(), 4096);
  Found found = recognise(head, item.name());
  if (found.sure == 0) found = {"REP010", "a program", 1};
  item.report().add(found.rule, Range{0, item.size()},
                    json::Value().set("what", found.what).set("name", text::display(item.name(), 80)));
  if (found.rule == "REP013" && looks_like_text(head)) {
    item.coverage().examined = item.size();
  } else {
    item.coverage().gaps.push_back({{0, item.size()}, "what a program does is not examined"});
  }
}

int sniff(const Sniff& sniff) { return recognise(as_text(sniff.head), sniff.name).sure; }

}  // namespace

extern const Format executable_format;
const Format executable_format{"executable",
                               "program, library, bytecode or shortcut",
                               "so,dll,exe,dylib,pyc,lnk,desktop",
                               "ELF, PE, Mach-O, JVM, CPython",
                               sniff,
                               parse};

}  // namespace steelyard::formats
