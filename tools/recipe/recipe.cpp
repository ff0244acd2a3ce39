#include "recipe/recipe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <deque>
#include <functional>
#include <map>

#include "base/bytes.hpp"
#include "recipe/archive.hpp"
#include "recipe/opcodes.hpp"
#include "recipe/pack.hpp"

namespace steelyard::recipe {
namespace {

constexpr std::array<std::string_view, 9> kPackings = {"deflate", "zlib",     "gzip", "bzip2", "xz",
                                                       "lzma",    "zip-lzma", "lz4",  "zstd"};
constexpr std::size_t kMostBytes = std::size_t{64} << 20;

struct Line {
  std::size_t number;
  std::vector<std::string> words;  // quoted words are unescaped
  std::string raw;
};

struct Mistake {
  std::size_t line;
  std::string message;
};

class Builder {
 public:
  explicit Builder(std::string_view text) {
    std::size_t number = 0;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      raw_.emplace_back(++number, std::string(text.substr(0, end)));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  std::vector<std::byte> build() {
    std::vector<std::byte> out;
    run(0, raw_.size(), {}, out);
    return out;
  }

 private:
  using Out = std::vector<std::byte>;

  [[noreturn]] static void wrong(std::size_t line, std::string message) { throw Mistake{line, std::move(message)}; }

  static std::string unescape(std::string_view text, std::size_t line) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        out += text[i];
        continue;
      }
      if (++i == text.size()) wrong(line, "a backslash at the end of a text");
      const auto hex = [&](std::size_t from, std::size_t digits) {
        u32 value = 0;
        const auto [end, error] =
            std::from_chars(text.data() + from, text.data() + std::min(text.size(), from + digits), value, 16);
        if (error != std::errc{} || end != text.data() + from + digits) wrong(line, "expected hex digits in an escape");
        return value;
      };
      switch (text[i]) {
        case 'n':
          out += '\n';
          break;
        case 'r':
          out += '\r';
          break;
        case 't':
          out += '\t';
          break;
        case '0':
          out += '\0';
          break;
        case '\\':
          out += '\\';
          break;
        case '"':
          out += '"';
          break;
        case 'x':
          out += static_cast<char>(hex(i + 1, 2));
          i += 2;
          break;
        case 'u': {
          const std::size_t close = text.find('}', i);
          if (i + 1 >= text.size() || text[i + 1] != '{' || close == std::string_view::npos)
            wrong(line, "expected \\u{…}");
          append_utf8(out, hex(i + 2, close - i - 2));
          i = close;
          break;
        }
        default:
          wrong(line, fmt::format("unknown escape \\{}", text[i]));
      }
    }
    return out;
  }

  static void append_utf8(std::string& out, u32 code) {
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xC0 | (code >> 6));
      out += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      out += static_cast<char>(0xE0 | (code >> 12));
      out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (code & 0x3F));
    } else {
      out += static_cast<char>(0xF0 | (code >> 18));
      out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
      out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (code & 0x3F));
    }
  }

  Line parse(std::size_t index, const std::string& counter) const {
    Line line{raw_[index].first, {}, raw_[index].second};
    if (!counter.empty()) {
      for (std::size_t at = line.raw.find("$i"); at != std::string::npos; at = line.raw.find("$i", at))
        line.raw.replace(at, 2, counter);
    }
    std::string_view rest = line.raw;
    while (true) {
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r"), rest.size()));
      if (rest.empty() || rest[0] == '#') return line;
      if (rest[0] == '"') {
        std::size_t end = 1;
        while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2U : 1U;
        if (end >= rest.size()) wrong(line.number, "a text without its closing quote");
        line.words.push_back(unescape(rest.substr(1, end - 1), line.number));
        rest.remove_prefix(end + 1);
      } else {
        const std::size_t end = std::min(rest.find_first_of(" \t\r"), rest.size());
        line.words.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end);
      }
    }
  }

  // The line after the '}' that closes the block opened on `open`.
  std::size_t block_end(std::size_t open, std::size_t end) const {
    int depth = 1;
    for (std::size_t i = open + 1; i < end; ++i) {
      const std::string& text = raw_[i].second;
      const std::size_t first = text.find_first_not_of(" \t");
      const std::size_t last = text.find_last_not_of(" \t\r");
      if (first == std::string::npos) continue;
      if (first == last && text[first] == '}' && --depth == 0) return i;
      if (text[last] == '{' && text[first] != '"' && first != last) ++depth;
    }
    wrong(raw_[open].first, "a block without its closing }");
  }

  static u64 number(const Line& line, std::size_t word) {
    if (word >= line.words.size())
      wrong(line.number, fmt::format("{} needs {} more value(s)", line.words[0], word + 1 - line.words.size()));
    std::string_view text = line.words[word];
    const bool negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    const int base = text.starts_with("0x") ? 16 : 10;
    if (base == 16) text.remove_prefix(2);
    u64 value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size())
      wrong(line.number, fmt::format("expected a number, found \"{}\"", line.words[word]));
    return negative ? ~value + 1 : value;
  }

  static const std::string& text(const Line& line, std::size_t word) {
    if (word >= line.words.size()) wrong(line.number, fmt::format("{} needs a text", line.words[0]));
    return line.words[word];
  }

  static void need(const Line& line, const Out& out, u64 more) {
    if (more > kMostBytes || out.size() + more > kMostBytes)
      wrong(line.number, fmt::format("more than {} bytes", kMostBytes));
  }

  void integer(Out& out, u64 value, std::size_t bytes) const {
    for (std::size_t i = 0; i < bytes; ++i)
      out.push_back(static_cast<std::byte>(value >> 8 * (big_ ? bytes - 1 - i : i)));
  }
  static void append(Out& out, std::string_view text) {
    const Bytes bytes = as_bytes(text);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  void str(Out& out, std::string_view text) const {
    integer(out, text.size(), 8);
    append(out, text);
  }
  void key(Out& out, const Line& line, u32 type) const {
    str(out, text(line, 1));
    integer(out, type, 4);
  }

  void run(std::size_t begin, std::size_t end, const std::string& counter, Out& out) {
    for (std::size_t i = begin; i < end; ++i) {
      const Line line = parse(i, counter);
      if (line.words.empty()) continue;
      if (line.words.back() == "{") {
        const std::size_t close = block_end(i, end);
        block(line, i + 1, close, counter, out);
        i = close;
      } else {
        directive(line, out);
      }
      need(line, out, 0);
    }
  }

  void block(const Line& line, std::size_t begin, std::size_t end, const std::string& counter, Out& out) {
    const std::string& name = line.words[0];
    if (name == "repeat") {
      const u64 times = number(line, 1);
      for (u64 i = 0; i < times; ++i) run(begin, end, std::to_string(i), out);
      return;
    }
    if (name == "safetensors") {
      std::string json;
      for (std::size_t i = begin; i < end; ++i) json += (i == begin ? "" : "\n") + raw_[i].second;
      const bool big = std::exchange(big_, false);
      str(out, json);
      big_ = big;
      return;
    }
    if (archive(line, begin, end, counter, out)) return;
    Out inner;
    run(begin, end, counter, inner);
    if (is_opcode(name)) return pickle([&] { opcode(name, inner, out); }, line);
    if (const int level = line.words.size() > 2 ? static_cast<int>(number(line, 1)) : -1;
        std::ranges::find(kPackings, name) != kPackings.end()) {
      inner = pack(name, inner, level);
      out.insert(out.end(), inner.begin(), inner.end());
      return;
    }
    if (name != "len64" && name != "len32") wrong(line.number, fmt::format("no block is called \"{}\"", name));
    integer(out, inner.size(), name == "len64" ? 8 : 4);
    out.insert(out.end(), inner.begin(), inner.end());
  }

  // zip { member … { … } }, tar { file … { … } }
  bool archive(const Line& line, std::size_t begin, std::size_t end, const std::string& counter, Out& out) {
    const std::string& name = line.words[0];
    const std::span words = std::span(line.words).subspan(1, line.words.size() - 2);
    try {
      Out inner;
      if (name == "zip" || name == "tar") {
        zips_.emplace_back();
        run(begin, end, counter, inner);
        if (name == "zip") zips_.back().finish(words, inner);
        if (name == "tar" && (words.empty() || words[0] != "open")) inner.resize(inner.size() + 1024);
        zips_.pop_back();
        out.insert(out.end(), inner.begin(), inner.end());
        return true;
      }
      if (name != "file" && (name != "member" || zips_.empty())) return false;
      run(begin, end, counter, inner);
      if (name == "member")
        zips_.back().member(words, inner, out);
      else
        tar_entry(words, inner, out);
      return true;
    } catch (const std::string& message) {
      wrong(line.number, message);
    }
  }

  void directive(const Line& line, Out& out) {
    const std::string& name = line.words[0];
    static const std::map<std::string, std::size_t> kIntegers = {{"u8", 1},  {"i8", 1},  {"u16", 2}, {"i16", 2},
                                                                 {"u32", 4}, {"i32", 4}, {"u64", 8}, {"i64", 8}};
    if (const auto found = kIntegers.find(name); found != kIntegers.end()) {
      if (line.words.size() < 2) (void)number(line, 1);
      for (std::size_t i = 1; i < line.words.size(); ++i) integer(out, number(line, i), found->second);
    } else if (name == "f32" || name == "f64") {
      for (std::size_t i = 1; i < line.words.size(); ++i) {
        const double value = std::strtod(line.words[i].c_str(), nullptr);
        name == "f32" ? integer(out, std::bit_cast<u32>(static_cast<float>(value)), 4)
                      : integer(out, std::bit_cast<u64>(value), 8);
      }
    } else if (name == "be" || name == "le") {
      big_ = name == "be";
    } else if (name == "text") {
      append(out, text(line, 1));
    } else if (name == "str") {
      str(out, text(line, 1));
    } else if (name == "str32") {
      integer(out, text(line, 1).size(), 4);
      append(out, text(line, 1));
    } else if (name == "hex") {
      hex(line, out);
    } else if (name == "zeros" || name == "fill") {
      const u64 count = number(line, name == "fill" ? 2 : 1);
      need(line, out, count);
      out.insert(out.end(), count, static_cast<std::byte>(name == "fill" ? number(line, 1) : 0));
    } else if (name == "align") {
      const u64 step = number(line, 1);
      if (step == 0 || step > kMostBytes) wrong(line.number, "align needs a step above 0");
      while (out.size() % step != 0) out.push_back(static_cast<std::byte>(line.words.size() > 2 ? number(line, 2) : 0));
    } else if (name == "truncate") {
      if (number(line, 1) > out.size())
        wrong(line.number, fmt::format("truncate {}: only {} bytes are there", number(line, 1), out.size()));
      out.resize(number(line, 1));
    } else if (name == "pax" || name == "gpax") {
      pax_header(std::span(line.words).subspan(1), name == "pax" ? 'x' : 'g', out);
    } else if (name == "put") {
      put(line, out);
    } else if (is_opcode(name)) {
      pickle([&] { opcode(name, std::span(line.words).subspan(1), out); }, line);
    } else {
      gguf(line, out);
    }
  }

  static void pickle(const std::function<void()>& write, const Line& line) {
    try {
      write();
    } catch (const std::string& message) {
      wrong(line.number, message);
    }
  }

  static void hex(const Line& line, Out& out) {
    std::string digits;
    for (std::size_t i = 1; i < line.words.size(); ++i) digits += line.words[i];
    if (digits.size() % 2 != 0) wrong(line.number, "an odd number of hex digits");
    for (std::size_t i = 0; i < digits.size(); i += 2) {
      u32 value = 0;
      const auto [end, error] = std::from_chars(digits.data() + i, digits.data() + i + 2, value, 16);
      if (error != std::errc{} || end != digits.data() + i + 2)
        wrong(line.number, fmt::format("\"{}\" is not hex", digits.substr(i, 2)));
      out.push_back(static_cast<std::byte>(value));
    }
  }

  void put(const Line& line, Out& out) {
    const u64 at = number(line, 1);
    Line rest = line;
    rest.words.erase(rest.words.begin(), rest.words.begin() + 2);
    if (rest.words.empty()) wrong(line.number, "put OFFSET needs a directive");
    Out bytes;
    directive(rest, bytes);
    if (at > out.size() || bytes.size() > out.size() - at)
      wrong(line.number, fmt::format("put {}: {} bytes don't fit into {}", at, bytes.size(), out.size()));
    std::ranges::copy(bytes, out.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void gguf(const Line& line, Out& out) const {
    const std::string& name = line.words[0];
    if (name == "gguf") {
      append(out, "GGUF");
      integer(out, number(line, 1), 4);
      integer(out, number(line, 2), 8);
      integer(out, number(line, 3), 8);
    } else if (name == "kv_str") {
      key(out, line, 8);
      str(out, text(line, 2));
    } else if (name == "kv_u32") {
      key(out, line, 4);
      integer(out, number(line, 2), 4);
    } else if (name == "kv_u64") {
      key(out, line, 10);
      integer(out, number(line, 2), 8);
    } else if (name == "kv_bool") {
      key(out, line, 7);
      integer(out, number(line, 2), 1);
    } else if (name == "kv_f32") {
      key(out, line, 6);
      integer(out, std::bit_cast<u32>(std::strtof(text(line, 2).c_str(), nullptr)), 4);
    } else if (name == "kv_strs") {
      key(out, line, 9);
      integer(out, 8, 4);
      integer(out, line.words.size() - 2, 8);
      for (std::size_t i = 2; i < line.words.size(); ++i) str(out, line.words[i]);
    } else if (name == "tensor") {
      str(out, text(line, 1));
      if (line.words.size() < 4) (void)number(line, 4);
      integer(out, line.words.size() - 4, 4);
      for (std::size_t i = 4; i < line.words.size(); ++i) integer(out, number(line, i), 8);
      integer(out, number(line, 2), 4);
      integer(out, number(line, 3), 8);
    } else {
      wrong(line.number, fmt::format("no directive is called \"{}\"", name));
    }
  }

  std::vector<std::pair<std::size_t, std::string>> raw_;
  bool big_ = false;
  std::deque<ZipWriter> zips_;  // open zip blocks; a reference to one outlives blocks inside it
};

}  // namespace

Result<std::vector<std::byte>> build(std::string_view text) {
  try {
    return Builder(text).build();
  } catch (const Mistake& mistake) {
    return fail(ErrorCode::usage, fmt::format("recipe, line {}: {}", mistake.line, mistake.message));
  }
}

}  // namespace steelyard::recipe
