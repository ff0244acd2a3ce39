#include "quantize/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/text.hpp"

namespace steelyard::quantize {
namespace {

constexpr std::size_t kWindow = std::size_t{1} << 20;

// Keys that llama-quantize sets itself.
bool own_key(const std::string& key) {
  return key == "general.quantization_version" || key == "general.file_type" || key.starts_with("quantize.imatrix.") ||
         key.starts_with("split.");
}

// Offset from the beginning of the first byte that differs; `bytes` when none does. An Error when some can't be read.
Result<u64> first_difference(const Source& a, u64 at_a, const Source& b, u64 at_b, u64 bytes) {
  std::vector<std::byte> left(std::min<u64>(kWindow, bytes)), right(left.size());
  for (u64 done = 0; done < bytes;) {
    const std::size_t part = static_cast<std::size_t>(std::min<u64>(kWindow, bytes - done));
    if (a.read(at_a + done, std::span(left).first(part)) != part ||
        b.read(at_b + done, std::span(right).first(part)) != part)
      return fail(ErrorCode::io, "bytes could not be read");
    if (std::memcmp(left.data(), right.data(), part) != 0) {
      const auto at = std::ranges::mismatch(std::span(left).first(part), right).in1;
      return done + static_cast<u64>(std::distance(std::span(left).begin(), at));
    }
    done += part;
  }
  return bytes;
}

Result<bool> same(const Source& a, Range at_a, const Source& b, Range at_b) {
  if (at_a.end - at_a.begin != at_b.end - at_b.begin) return false;
  SY_TRY(const u64 at, first_difference(a, at_a.begin, b, at_b.begin, at_a.end - at_a.begin));
  return at == at_a.end - at_a.begin;
}

template <class T>
std::set<std::string> names(const std::map<std::string, T>& a, const std::map<std::string, T>& b) {
  std::set<std::string> out;
  for (const auto& [name, value] : a) out.insert(name);
  for (const auto& [name, value] : b) out.insert(name);
  return out;
}

std::string shape(const Tensor& tensor) {
  return fmt::format("{} [{}]", tensor.type, fmt::join(tensor.dimensions, ", "));
}

std::string hex(const Source& source, u64 offset, u64 bytes) {
  std::vector<std::byte> raw(bytes);
  raw.resize(source.read(offset, raw));
  std::string out;
  for (const std::byte byte : raw) out += fmt::format("{:02x}", static_cast<unsigned>(byte));
  return out;
}

}  // namespace

std::vector<std::string> disagreements(const Source& source, const Layout& from, const Source& output,
                                       const Layout& to) {
  std::vector<std::string> out;
  for (const std::string& key : names(from.keys, to.keys)) {
    if (own_key(key)) continue;
    const std::string shown = text::display(key, 80);
    const auto before = from.keys.find(key), after = to.keys.find(key);
    if (before == from.keys.end()) {
      out.push_back(fmt::format("key {} is new", shown));
    } else if (after == to.keys.end()) {
      out.push_back(fmt::format("key {} is gone", shown));
    } else if (!same(source, before->second, output, after->second).value_or(false)) {
      out.push_back(fmt::format("key {} changed", shown));
    }
  }
  for (const std::string& name : names(from.tensors, to.tensors)) {
    const std::string shown = text::display(name, 80);
    const auto before = from.tensors.find(name), after = to.tensors.find(name);
    if (before == from.tensors.end()) {
      out.push_back(fmt::format("tensor {} is new", shown));
    } else if (after == to.tensors.end()) {
      out.push_back(fmt::format("tensor {} is gone", shown));
    } else if (before->second.dimensions != after->second.dimensions) {
      out.push_back(fmt::format("tensor {} was {} and is {}", shown, shape(before->second), shape(after->second)));
    }
  }
  return out;
}

Result<Difference> compare(const Source& expected, const Layout& wanted, const Source& found, const Layout& have) {
  Difference out;
  for (const std::string& key : names(wanted.keys, have.keys)) {
    const auto a = wanted.keys.find(key), b = have.keys.find(key);
    if (a == wanted.keys.end()) {
      out.keys.push_back(text::display(key, 80) + " (too many)");
    } else if (b == have.keys.end()) {
      out.keys.push_back(text::display(key, 80) + " (missing)");
    } else {
      SY_TRY(const bool equal, same(expected, a->second, found, b->second));
      if (!equal) out.keys.push_back(text::display(key, 80));
    }
  }
  std::vector<std::pair<u64, std::string>> order;
  for (const std::string& name : names(wanted.tensors, have.tensors)) {
    const auto a = wanted.tensors.find(name), b = have.tensors.find(name);
    const std::string shown = text::display(name, 80);
    if (a == wanted.tensors.end()) {
      out.tensors.push_back(shown + " (too many)");
    } else if (b == have.tensors.end()) {
      out.tensors.push_back(shown + " (missing)");
    } else if (a->second.type != b->second.type || a->second.dimensions != b->second.dimensions) {
      out.tensors.push_back(fmt::format("{} (expected {}, found {})", shown, shape(a->second), shape(b->second)));
    } else {
      order.emplace_back(b->second.at.begin, name);
    }
  }
  std::ranges::sort(order);
  for (const auto& [begin, name] : order) {
    const Tensor &a = wanted.tensors.at(name), &b = have.tensors.at(name);
    const u64 bytes = b.at.end - b.at.begin;
    SY_TRY(const u64 at, first_difference(expected, a.at.begin, found, b.at.begin, bytes));
    if (at == bytes) continue;
    ++out.tensors_changed;
    if (out.first) continue;
    const u64 index = at / b.bytes;
    out.first = Block{name,
                      b.type,
                      index,
                      b.at.begin + index * b.bytes,
                      hex(expected, a.at.begin + index * a.bytes, a.bytes),
                      hex(found, b.at.begin + index * b.bytes, b.bytes)};
  }
  SY_TRY(const u64 at, first_difference(expected, 0, found, 0, std::min(expected.size(), found.size())));
  const bool ends = at == std::min(expected.size(), found.size());
  out.identical = ends && expected.size() == found.size();
  if (!out.identical && out.keys.empty() && out.tensors.empty() && !out.first) out.elsewhere = at;
  return out;
}

}  // namespace steelyard::quantize
