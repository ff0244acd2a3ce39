#include "wire/tar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "base/checked.hpp"

namespace steelyard::wire::tar {
namespace {

constexpr u64 kBlock = 512;
constexpr std::size_t kMostName = 4096;
constexpr u64 kImpossible = u64{1} << 62;
using Block = std::array<std::byte, kBlock>;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f'); }

std::string_view strip(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view until_nul(std::string_view field) { return field.substr(0, field.find('\0')); }

// A number as tarfile has it: negative ones and those beyond 64 bits stop whoever uses them.
struct Number {
  u64 value = 0;
  bool negative = false;
};

// Python's int(text, base), for what fits.
std::optional<Number> python_int(std::string_view text, u64 base) {
  text = strip(text);
  Number out;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    out.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (base == 8 && (text.starts_with("0o") || text.starts_with("0O"))) {
    text.remove_prefix(2);
    if (text.starts_with('_')) text.remove_prefix(1);
  }
  bool digit_before = false;
  for (const char c : text) {
    if (c == '_') {
      if (!digit_before) return std::nullopt;
      digit_before = false;
      continue;
    }
    const u64 digit = static_cast<u64>(c) - '0';
    if (c < '0' || digit >= base) return std::nullopt;
    digit_before = true;
    const auto shifted = checked_mul(out.value, base);
    out.value = shifted ? checked_add(*shifted, digit).value_or(UINT64_MAX) : UINT64_MAX;
  }
  if (!digit_before) return std::nullopt;
  if (out.value == 0) out.negative = false;
  return out;
}

std::optional<Number> header_number(std::string_view field) {
  const auto first = static_cast<u8>(field[0]);
  if (first == 0200 || first == 0377) {
    Number out;
    bool huge = false;
    for (const char c : field.substr(1)) {
      huge = huge || out.value >> 56 != 0;
      out.value = out.value << 8 | static_cast<u8>(c);
    }
    if (first == 0377) return Number{UINT64_MAX, true};
    return Number{huge ? UINT64_MAX : out.value, false};
  }
  const std::string_view text = strip(until_nul(field));
  if (std::ranges::any_of(until_nul(field), [](char c) { return static_cast<u8>(c) > 127; })) return std::nullopt;
  return text.empty() ? Number{} : python_int(text, 8);
}

struct Header {
  std::string name;
  std::string link;
  char type = '0';
  Number size;
  bool more_sparse = false;  // GNU sparse: further blocks follow
};

bool all_zero(const Block& block) {
  return std::ranges::all_of(block, [](std::byte b) { return b == std::byte{0}; });
}

// TarInfo.frombuf: nothing for what it calls an invalid header.
std::optional<Header> parse_header(const Block& block) {
  const std::string_view text = as_text(block);
  const auto field = [&](std::size_t at, std::size_t size) { return text.substr(at, size); };
  const auto checksum = header_number(field(148, 8));
  u64 sum = 8 * 32;
  i64 signed_sum = 8 * 32;
  for (std::size_t i = 0; i < kBlock; ++i) {
    if (i >= 148 && i < 156) continue;
    sum += static_cast<u8>(text[i]);
    signed_sum += static_cast<signed char>(text[i]);
  }
  if (!checksum) return std::nullopt;
  const bool matches = (!checksum->negative && checksum->value == sum) ||
                       (signed_sum >= 0 ? !checksum->negative && checksum->value == static_cast<u64>(signed_sum)
                                        : checksum->negative && checksum->value == static_cast<u64>(-signed_sum));
  if (!matches) return std::nullopt;
  for (const auto& [at, size] : {std::pair{100, 8}, {108, 8}, {116, 8}, {136, 12}, {329, 8}, {337, 8}}) {
    if (!header_number(field(static_cast<std::size_t>(at), static_cast<std::size_t>(size)))) return std::nullopt;
  }
  const auto size = header_number(field(124, 12));
  if (!size) return std::nullopt;
  Header header{std::string(until_nul(field(0, 100))), std::string(until_nul(field(157, 100))), text[156], *size,
                false};
  if (header.type == '\0' && header.name.ends_with('/')) header.type = '5';
  header.more_sparse = header.type == 'S' && text[482] != '\0';
  if (header.type == '5') {
    while (header.name.ends_with('/')) header.name.pop_back();
  }
  const std::string_view prefix = until_nul(field(345, 155));
  if (!prefix.empty() && header.type != 'L' && header.type != 'K' && header.type != 'S')
    header.name = std::string(prefix) + "/" + header.name;
  return header;
}

using Pax = std::map<std::string, std::string, std::less<>>;

// The records of a pax header; false: tarfile calls the header invalid.
bool parse_pax(std::string_view text, Pax& out) {
  std::size_t at = 0;
  while (true) {
    std::size_t end = at;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    if (end == at || end >= text.size() || text[end] != ' ') return true;
    const std::size_t key = end + 1;
    const std::size_t equals = text.find('=', key);
    if (equals == std::string_view::npos || equals == key) return true;
    const u64 length = python_int(text.substr(at, end - at), 10).value_or(Number{}).value;
    if (length == 0) return false;
    // A slice, as Python cuts it.
    const u64 stop = std::min<u64>(checked_add(at, length).value_or(UINT64_MAX) - 1, text.size());
    const std::string_view value = stop > equals + 1 ? text.substr(equals + 1, stop - equals - 1) : std::string_view();
    const std::string_view name = text.substr(key, equals - key);
    static constexpr auto kKept =
        std::to_array<std::string_view>({"path", "linkpath", "size", "GNU.sparse.map", "GNU.sparse.size",
                                         "GNU.sparse.realsize", "GNU.sparse.major", "GNU.sparse.name"});
    if (std::ranges::find(kKept, name) != kKept.end())
      out.insert_or_assign(std::string(name), std::string(value.substr(0, kMostName)));
    if (length >= text.size() - at) return true;
    at += length;
  }
}

// A header that changes the next one.
struct Patch {
  char type;  // 'x', 'L' or 'K'
  Pax pax;
  std::string text;
};

class Walk {
 public:
  explicit Walk(const Source& source) : source_(source) {}

  Archive run() {
    u64 at = 0;
    bool behind = false;
    while (at < source_.size() && !out_.limited) {
      at = series(at, behind);
      at = next_header(at);
      behind = true;
    }
    return std::move(out_);
  }

 private:
  bool block(u64 at, Block& out) const { return source_.read(at, out) == kBlock; }
  void stop(u64 at, bool behind, std::string why) {
    if (behind || !out_.problem.empty()) return;
    out_.problem = std::move(why);
    out_.problem_at = at;
  }

  // Members from `at` up to where tarfile ends; returns where it stood.
  u64 series(u64 at, bool behind) {
    Pax global;
    std::vector<Patch> patches;
    u64 first = at;
    while (true) {
      Block raw{};
      if (at >= source_.size()) {
        if (first < at) stop(at, behind, "it ends behind an extended header");
        if (first < at) out_.unclaimed.push_back({first, at});
        return at;
      }
      // Extended headers with nothing behind them are bytes like others.
      const auto end = [&] {
        if (first < at) out_.unclaimed.push_back({first, at});
        return at;
      };
      if (!block(at, raw)) {
        stop(at, behind, "a header is cut short");
        return end();
      }
      if (all_zero(raw)) {
        if (first < at) stop(at, behind, "it ends behind an extended header");
        out_.ended = out_.ended || !behind;
        return end();
      }
      const auto header = parse_header(raw);
      if (!header) {
        stop(at, behind, at == 0 ? "the first header is invalid" : "a header is invalid");
        return end();
      }
      const u64 data = at + kBlock;
      const char type = header->type;
      if (type == 'L' || type == 'K' || type == 'x' || type == 'g' || type == 'X') {
        if (header->size.negative || header->size.value > kMostExtended) {
          out_.limited = true;
          return end();
        }
        std::string text(
            static_cast<std::size_t>(std::min(*checked_align(header->size.value, kBlock), source_.size() - data)),
            '\0');
        text.resize(source_.read(data, std::as_writable_bytes(std::span(text))));
        at = data + text.size();
        if (type == 'L' || type == 'K') {
          patches.push_back({type, {}, std::string(until_nul(text).substr(0, kMostName))});
        } else if (type == 'g') {
          if (!parse_pax(text, global)) return end();
        } else {
          Patch patch{'x', global, {}};
          if (!parse_pax(text, patch.pax)) return end();
          patches.push_back(std::move(patch));
        }
        if (patches.size() > 64) {
          out_.limited = true;
          return end();
        }
        continue;
      }
      at = member(*header, first, data, global, patches, behind);
      patches.clear();
      first = at;
      if (out_.limited) return at;
    }
  }

  // Applies what the extended headers say, the first one last; returns where the next header is.
  u64 member(const Header& header, u64 first, u64 data, const Pax& global, const std::vector<Patch>& patches,
             bool behind) {
    Member out;
    out.at = first;
    out.name = header.name;
    out.link = header.link;
    out.type = header.type;
    out.header_size = out.size = header.size.negative ? UINT64_MAX : header.size.value;
    out.behind_end = behind;
    if (header.type == 'S') {
      out.sparse = true;
      Block more{};
      for (bool extended = header.more_sparse; extended && block(data, more); data += kBlock)
        extended = more[504] != std::byte{0};
    }
    // Impossible sizes count only where the next header's place depends on them.
    const auto behind_data = [&] {
      if (!out.has_content()) return data;
      return out.size < kImpossible ? data + *checked_align(out.size, kBlock) : UINT64_MAX;
    };
    u64 next = behind_data();
    const auto apply = [&](const Pax& pax) {
      for (const auto& [key, value] : pax) {
        if (key == "path") {
          out.name = value.substr(0, value.find_last_not_of('/') + 1);
        } else if (key == "linkpath") {
          out.link = value;
        } else if (key == "size") {
          const Number size = python_int(value, 10).value_or(Number{});
          out.size = size.negative ? UINT64_MAX : size.value;
          out.pax_size = true;
        } else {
          out.sparse = true;
        }
      }
    };
    apply(global);
    if (out.type == '5') {
      while (out.name.ends_with('/')) out.name.pop_back();
    }
    for (auto patch = patches.rbegin(); patch != patches.rend(); ++patch) {
      if (patch->type == 'L') {
        out.name = patch->text;
        if (out.type == '5' && out.name.ends_with('/')) out.name.pop_back();
      } else if (patch->type == 'K') {
        out.link = patch->text;
      } else {
        apply(patch->pax);
        if (patch->pax.contains("size")) next = behind_data();
      }
    }
    const u64 end = out.has_content() ? checked_add(data, out.size).value_or(UINT64_MAX) : data;
    const u64 from = std::min(data, source_.size());
    out.data = {from, std::max(from, std::min(end, source_.size()))};
    out.cut = end > source_.size();
    if (next == UINT64_MAX) {
      stop(first, behind, "a member's size is impossible");
    } else if (next > source_.size()) {
      stop(first, behind, "a member's data is cut short");
    }
    next = std::min(next, source_.size());
    out_.claimed += next - first;
    out_.members.push_back(std::move(out));
    out_.limited = out_.limited || out_.members.size() >= kMostMembers;
    return next;
  }

  // Skips zeros; what else there is up to the next header, on a block's boundary, is unclaimed.
  u64 next_header(u64 at) {
    const u64 size = source_.size();
    std::vector<std::byte> window(64 * kBlock);
    u64 unclaimed = size;
    while (at < size && !out_.limited) {
      const std::size_t count = source_.read(at, std::span(window).first(std::min<u64>(window.size(), size - at)));
      if (count == 0) break;
      for (std::size_t inside = 0; inside < count; inside += kBlock) {
        Block raw{};
        const std::size_t length = std::min<std::size_t>(kBlock, count - inside);
        std::copy_n(window.begin() + static_cast<std::ptrdiff_t>(inside), length, raw.begin());
        const u64 here = at + inside;
        const bool zero = all_zero(raw);
        const bool header = !zero && length == kBlock && parse_header(raw).has_value() && here != failed_;
        if (unclaimed != size && (zero || header)) {
          out_.unclaimed.push_back({unclaimed, here});
          unclaimed = size;
        }
        if (header) {
          failed_ = here;  // a header that can't be walked from is bytes like others next time
          return here;
        }
        if (zero)
          out_.claimed += length;
        else if (unclaimed == size)
          unclaimed = here;
        if (out_.unclaimed.size() >= kMostMembers) out_.limited = true;
      }
      at += count;
    }
    if (unclaimed != size) out_.unclaimed.push_back({unclaimed, std::min(at, size)});
    return std::min(at, size);
  }

  const Source& source_;
  Archive out_;
  u64 failed_ = UINT64_MAX;
};

}  // namespace

bool Member::has_content() const {
  // Types that tarfile doesn't know are files to it.
  return std::string_view("123456LK").find(type) == std::string_view::npos;
}

bool begins_archive(const Source& source) {
  Block first{};
  return source.read(0, first) == kBlock && !all_zero(first) && parse_header(first).has_value();
}

Archive read(const Source& source) { return Walk(source).run(); }

}  // namespace steelyard::wire::tar
