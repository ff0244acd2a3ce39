#include "scan/protocol.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/cursor.hpp"
#include "base/text.hpp"
#include "rules/catalog.hpp"

namespace steelyard::scan {
namespace {

enum class Tag : u8 { null, no, yes, integer, text, array, object };

class Writer {
 public:
  void u8_(u8 value) { bytes_.push_back(static_cast<std::byte>(value)); }
  void u32_(u32 value) { raw(value); }
  void u64_(u64 value) { raw(value); }
  void text(std::string_view whole) {
    const std::string kept = text::prefix(whole, kMostText);
    u32_(static_cast<u32>(kept.size()));
    const Bytes part = as_bytes(kept);
    bytes_.insert(bytes_.end(), part.begin(), part.end());
  }
  void index(const std::optional<u32>& value) {
    u8_(value ? 1 : 0);
    u32_(value.value_or(0));
  }
  void range(const std::optional<Range>& value) {
    u8_(value ? 1 : 0);
    u64_(value ? value->begin : 0);
    u64_(value ? value->end : 0);
  }
  void value(const json::Value& value, int depth = 0) {
    if (value.is_bool()) {
      u8_(static_cast<u8>(value.boolean() ? Tag::yes : Tag::no));
    } else if (value.is_integer()) {
      u8_(static_cast<u8>(Tag::integer));
      u64_(static_cast<u64>(value.integer()));
    } else if (value.is_string()) {
      u8_(static_cast<u8>(Tag::text));
      text(value.string());
    } else if (value.is_array() && depth < kDeepestValue) {
      u8_(static_cast<u8>(Tag::array));
      u32_(static_cast<u32>(value.array().size()));
      for (const auto& item : value.array()) this->value(item, depth + 1);
    } else if (value.is_object() && depth < kDeepestValue) {
      u8_(static_cast<u8>(Tag::object));
      u32_(static_cast<u32>(value.object().size()));
      for (const auto& [key, item] : value.object()) {
        text(key);
        this->value(item, depth + 1);
      }
    } else {
      u8_(static_cast<u8>(Tag::null));
    }
  }
  template <class T, class F>
  void list(const std::vector<T>& items, std::size_t most, F each) {
    const std::size_t count = std::min(items.size(), most);
    u32_(static_cast<u32>(count));
    for (std::size_t i = 0; i < count; ++i) each(items[i]);
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  template <class T>
  void raw(T value) {
    const auto* begin = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), begin, begin + sizeof(T));
  }
  std::vector<std::byte> bytes_;
};

// Reads one frame. The first thing that is wrong is kept by the cursor, and everything after it is empty.
class Reader {
 public:
  Reader(Cursor& in, u64 file_bytes) : in_(in), file_bytes_(file_bytes) {}

  Examination examination() {
    Examination found;
    found.complete = in_.read<u8>("complete") == 1;
    count("artifacts", kMostArtifacts, [&] {
      Artifact artifact;
      artifact.parent = index("artifact parent", found.artifacts.size());
      artifact.path = text("artifact path");
      artifact.format = text("artifact format");
      const bool root = found.artifacts.empty();
      const u64 within = artifact.parent ? found.artifacts[*artifact.parent].bytes : file_bytes_;
      artifact.range = range("artifact range", within).value_or(Range{});
      artifact.encoding = text("artifact encoding");
      artifact.bytes = in_.read<u64>("artifact bytes");
      if (artifact.encoding.empty() && artifact.bytes != artifact.range.end - artifact.range.begin)
        refuse("artifact bytes", "not the size of its range");
      if (!artifact.encoding.empty() && (root || !name(artifact.encoding)))
        refuse("artifact encoding", "not the name of an encoding");
      if (artifact.parent.has_value() == root) refuse("artifact", "the first is the file, all others have a parent");
      if (root && (artifact.range != Range{0, file_bytes_} || !artifact.path.empty()))
        refuse("artifact", "the first is not the whole file");
      if (!name(artifact.format)) refuse("artifact format", "not a format's id");
      found.artifacts.push_back(std::move(artifact));
    });
    if (found.artifacts.empty()) refuse("artifacts", "none");
    const std::size_t artifacts = found.artifacts.size();
    count("facts", kMostFacts, [&] {
      Fact fact;
      fact.key = text("fact key");
      fact.value = value(0);
      fact.artifact = index("fact artifact", artifacts);
      fact.at = range("fact range", size(found, fact.artifact));
      const u8 assurance = in_.read<u8>("assurance");
      if (!name(fact.key)) refuse("fact key", "not a key");
      if (assurance != static_cast<u8>(Assurance::verified) && assurance != static_cast<u8>(Assurance::claimed))
        refuse("assurance", "a worker may only verify or pass on a claim");
      fact.assurance = assurance == 0 ? Assurance::verified : Assurance::claimed;
      found.facts.push_back(std::move(fact));
    });
    count("findings", kMostFindings, [&] {
      Finding finding;
      finding.rule = text("rule");
      finding.artifact = index("finding artifact", artifacts);
      finding.at = range("finding range", size(found, finding.artifact));
      finding.data = value(0);
      const rules::Rule* rule = rules::find(finding.rule);
      if (rule == nullptr) refuse("rule", "no such rule");
      if (rule != nullptr) finding.severity = rule->severity;
      if (!finding.data.is_object()) refuse("finding data", "not an object");
      found.findings.push_back(std::move(finding));
    });
    count("coverage", kMostArtifacts, [&] {
      Coverage coverage;
      coverage.artifact = index("coverage artifact", artifacts).value_or(0);
      coverage.bytes = in_.read<u64>("coverage bytes");
      coverage.examined = in_.read<u64>("coverage examined");
      const u64 whole = size(found, coverage.artifact);
      if (coverage.bytes != whole) refuse("coverage bytes", "not the artifact's size");
      if (coverage.examined > coverage.bytes) refuse("coverage examined", "more than there is");
      count("gaps", kMostGaps, [&] {
        Gap gap{range("gap", whole).value_or(Range{}), text("gap reason")};
        coverage.gaps.push_back(std::move(gap));
      });
      // Bytes that were not examined must be accounted for: silence is not coverage.
      if (coverage.examined < coverage.bytes && coverage.gaps.empty())
        refuse("coverage", "unexamined bytes without a gap");
      found.coverage.push_back(std::move(coverage));
    });
    if (found.coverage.empty()) refuse("coverage", "none");
    count("parts", kMostParts, [&] {
      Part part{text("part name"), {}};
      part.at = range("part", file_bytes_).value_or(Range{});
      found.parts.push_back(std::move(part));
    });
    if (in_.ok() && in_.remaining() != 0) refuse("frame", "bytes after its end");
    return found;
  }

 private:
  u64 size(const Examination& found, std::optional<u32> artifact) const {
    return artifact && *artifact < found.artifacts.size() ? found.artifacts[*artifact].bytes : file_bytes_;
  }
  void refuse(std::string_view field, std::string why) { in_.fail(field, std::move(why)); }

  static bool name(std::string_view text) {
    return !text.empty() && text.size() <= kMostKey && std::ranges::all_of(text, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
    });
  }
  template <class F>
  void count(std::string_view what, std::size_t most, F each) {
    const u32 items = in_.read<u32>(what);
    if (items > most) refuse(what, fmt::format("{}, at most {}", items, most));
    for (u32 i = 0; i < items && in_.ok(); ++i) each();
  }
  std::string text(std::string_view what) {
    std::string out = in_.text(in_.read<u32>(what), kMostText, what);
    if (!text::valid_utf8(out)) {
      refuse(what, "not UTF-8");
      out.clear();
    }
    return out;
  }
  std::optional<u32> index(std::string_view what, std::size_t below) {
    const u8 there = in_.read<u8>(what);
    const u32 value = in_.read<u32>(what);
    if (there == 0 || !in_.ok()) return std::nullopt;
    if (there > 1 || value >= below) refuse(what, "no such artifact");
    return in_.ok() ? std::optional(value) : std::nullopt;
  }
  std::optional<Range> range(std::string_view what, u64 limit) {
    const u8 there = in_.read<u8>(what);
    const Range value{in_.read<u64>(what), in_.read<u64>(what)};
    if (there == 0 || !in_.ok()) return std::nullopt;
    if (there > 1 || value.begin > value.end || value.end > limit) refuse(what, "outside the file");
    return in_.ok() ? std::optional(value) : std::nullopt;
  }
  json::Value value(int depth) {
    const auto tag = static_cast<Tag>(in_.read<u8>("value"));
    if (depth > kDeepestValue) refuse("value", "nested too deeply");
    if (!in_.ok()) return {};
    switch (tag) {
      case Tag::null:
        return {};
      case Tag::no:
        return false;
      case Tag::yes:
        return true;
      case Tag::integer:
        return static_cast<i64>(in_.read<u64>("integer"));
      case Tag::text:
        return text("text value");
      case Tag::array: {
        json::Value list = json::Array{};
        count("list", kMostText, [&] { list.push(value(depth + 1)); });
        return list;
      }
      case Tag::object: {
        json::Value object = json::Object{};
        count("members", kMostText, [&] {
          std::string key = text("member");
          if (object.find(key) != nullptr) refuse("member", "appears twice");
          object.set(std::move(key), value(depth + 1));
        });
        return object;
      }
    }
    refuse("value", "unknown type");
    return {};
  }

  Cursor& in_;
  u64 file_bytes_;
};

// When there are too many, the severe ones stay: a flood of small findings must not push one out.
std::vector<Finding> most_severe(std::vector<Finding> findings) {
  if (findings.size() > kMostFindings) {
    std::ranges::stable_sort(findings, std::ranges::greater{}, [](const Finding& f) {
      const rules::Rule* rule = rules::find(f.rule);
      return rule != nullptr ? rule->severity : Severity::critical;
    });
  }
  return findings;
}

}  // namespace

void encode(u32 item, const Examination& found, const std::function<void(Bytes)>& write) {
  Writer out;
  const bool cut = found.artifacts.size() > kMostArtifacts || found.facts.size() > kMostFacts ||
                   found.findings.size() > kMostFindings || found.coverage.size() > kMostArtifacts ||
                   found.parts.size() > kMostParts;
  out.u32_(item);
  out.u8_(found.complete && !cut ? 1 : 0);
  out.list(found.artifacts, kMostArtifacts, [&](const Artifact& a) {
    out.index(a.parent);
    out.text(a.path);
    out.text(a.format);
    out.range(a.range);
    out.text(a.encoding);
    out.u64_(a.bytes);
  });
  out.list(found.facts, kMostFacts, [&](const Fact& f) {
    out.text(f.key);
    out.value(f.value);
    out.index(f.artifact);
    out.range(f.at);
    out.u8_(f.assurance == Assurance::verified ? 0 : static_cast<u8>(Assurance::claimed));
  });
  out.list(most_severe(found.findings), kMostFindings, [&](const Finding& f) {
    out.text(f.rule);
    out.index(f.artifact);
    out.range(f.at);
    out.value(f.data);
  });
  out.list(found.coverage, kMostArtifacts, [&](const Coverage& c) {
    out.index(c.artifact);
    out.u64_(c.bytes);
    out.u64_(c.examined);
    out.list(c.gaps, kMostGaps, [&](const Gap& g) {
      out.range(g.range);
      out.text(g.why);
    });
  });
  out.list(found.parts, kMostParts, [&](const Part& p) {
    out.text(p.name);
    out.range(p.at);
  });
  const auto length = static_cast<u32>(out.bytes().size());
  write(std::as_bytes(std::span(&length, 1)));
  write(out.bytes());
}

Decoded decode(Bytes output, std::span<const u64> sizes) {
  Decoded decoded;
  decoded.items.resize(sizes.size());
  std::vector<bool> seen(sizes.size());
  const MemorySource source(output);
  Cursor stream(source);
  while (stream.ok() && stream.remaining() > 0) {
    const u32 length = stream.read<u32>("frame length");
    const u64 begin = stream.offset();
    if (!stream.skip(length, "frame")) break;
    Cursor frame(source, begin, begin + length);
    const u32 item = frame.read<u32>("item");
    if (!frame.ok() || item >= sizes.size()) {
      decoded.faults.push_back("a frame for a file that was not asked about");
      continue;
    }
    if (seen[item]) {
      decoded.faults.push_back(fmt::format("file {}: a second frame", item));
      decoded.items[item].reset();
      continue;
    }
    seen[item] = true;
    Examination found = Reader(frame, sizes[item]).examination();
    if (frame.ok()) {
      decoded.items[item] = std::move(found);
    } else {
      decoded.faults.push_back(fmt::format("file {}: {}", item, to_string(*frame.fault())));
    }
  }
  if (!stream.ok()) decoded.faults.push_back(to_string(*stream.fault()));
  return decoded;
}

}  // namespace steelyard::scan
