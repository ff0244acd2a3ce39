// Item: what a parser works with: one artifact, its bytes, and where what it finds goes.
//
// An artifact is a whole file or something inside one: an archive's member, a decompressed stream, a
// pickle in an array. A parser hands what lies inside to child(), which detects its format and
// parses it as an artifact of its own. Places are offsets in the artifact's own content.
//
// Attack resisted: archives in archives and streams that expand without end (depth, number of
// artifacts and unpacked bytes are bounded for a file as a whole; what is left out is a gap and a
// finding), findings that flood a report. Budgets are counted, never timed, so that results don't
// depend on the machine. Not thread-safe. Tested by tests/unit/item_test.cpp.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/source.hpp"
#include "core/examination.hpp"
#include "wire/unpack.hpp"

namespace steelyard::formats {

struct Format;

// What one file may cost, its members included.
struct Fuel {
  wire::UnpackBudget unpacking;
  u32 artifacts = 0;

  // 256 MiB and 64 times the file, 2,048 artifacts.
  static Fuel for_file(u64 bytes);
};

// Collects an artifact's findings with a limit per rule, and its facts.
class Reporter {
 public:
  explicit Reporter(Examination& out, u32 artifact = 0) : out_(out), artifact_(artifact) {}
  void add(std::string_view rule, std::optional<Range> at, json::Value data = json::Object{});
  void fact(std::string key, json::Value value, std::optional<Range> at, Assurance assurance);
  // Says how many findings were left out.
  void finish();

 private:
  static constexpr std::size_t kMostPerRule = 16;
  Examination& out_;
  u32 artifact_;
  std::vector<std::pair<std::string, std::size_t>> counts_;
};

struct Child {
  std::string name;           // of the member, hostile; becomes a part of the artifact's path
  Range range;                // where it lies in this artifact's content
  std::string_view encoding;  // empty: the bytes in `range` are the content; else "deflate", "gzip", …
  std::string_view loader;    // the library that would load it, when the container tells: "torch"
};

class Item {
 public:
  Item(Examination& out, Fuel& fuel, const Source& source, std::string_view name, u32 artifact, u32 depth,
       std::string_view loader)
      : out_(out),
        fuel_(fuel),
        source_(source),
        name_(name),
        artifact_(artifact),
        depth_(depth),
        loader_(loader),
        report_(out, artifact),
        coverage_{artifact, source.size(), 0, {}} {}
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;

  const Source& source() const { return source_; }
  u64 size() const { return source_.size(); }
  // The last part of the file's or member's name, hostile. Only what a loader picks by name goes by it.
  std::string_view name() const { return name_; }
  u32 artifact() const { return artifact_; }
  std::string_view loader() const { return loader_; }
  Reporter& report() { return report_; }
  // `bytes` is set; the parser counts `examined` and adds a gap for what it leaves out.
  Coverage& coverage() { return coverage_; }
  Fuel& fuel() { return fuel_; }
  // Filled only for whole files.
  std::vector<Part>& parts() { return artifact_ == 0 ? out_.parts : unused_; }

  // Detects the format of `content` and parses it. Returns its artifact, or nothing when a budget is
  // spent: the finding and a gap in this artifact are then there.
  std::optional<u32> child(const Source& content, const Child& child);
  // Facts and findings so far, those of children included.
  const Examination& found() const { return out_; }

 private:
  friend void run(std::span<const Format* const> formats, Item& item);
  std::optional<u32> child(const Source& content, const Child& child, std::span<const Format* const> formats);

  Examination& out_;
  Fuel& fuel_;
  const Source& source_;
  std::string_view name_;
  u32 artifact_;
  u32 depth_;
  std::string_view loader_;
  Reporter report_;
  Coverage coverage_;
  std::vector<Part> unused_;
};

// Detects the format of a file and parses it and what is inside. `name`: its last part.
Examination examine(const Source& source, std::string_view name);
// The same, as the format whatever the content.
Examination examine_as(const Format& format, const Source& source, std::string_view name);

}  // namespace steelyard::formats
