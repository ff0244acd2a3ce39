// What looking at something yields: artifacts, facts, findings, measurements and coverage.
//
// Plain data without behaviour, shared by every layer above. An Examination is what a parser or
// analyzer fills; evidence/record.hpp wraps one, with what it was made from, into a record.
// Vocabulary: docs/design.md. Not thread-safe while being filled.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"

namespace steelyard {

enum class Severity { info, low, medium, high, critical };
enum class Assurance {
  verified,      // we computed it from the bytes
  signed_by,     // a signature that we checked covers it
  corroborated,  // two independent sources say so
  claimed,       // somebody says so
  missing,       // nobody says
  contradicted,  // two sources disagree
};
enum class Layer { model, infrastructure, integration };

std::string_view to_string(Severity severity);
std::string_view to_string(Assurance assurance);  // signed_by is written "signed"
std::string_view to_string(Layer layer);
std::optional<Severity> parse_severity(std::string_view text);
std::optional<Assurance> parse_assurance(std::string_view text);

// Half-open range of byte offsets in an artifact's content.
struct Range {
  u64 begin = 0;
  u64 end = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

// One parsed file or archive member; artifacts nest.
struct Artifact {
  std::optional<u32> parent;
  u32 subject = 0;       // index into the record's subjects
  std::string path;      // "weights.pt!archive/data.pkl"
  std::string format;    // id of a format, or "unknown"
  Range range;           // in the parent's content; of a file, all of it
  std::string encoding;  // how the bytes in `range` become the content: "deflate", "gzip"; empty: as they are
  u64 bytes = 0;         // of the content
};

struct Fact {
  std::string key;  // dotted lower case: "model.parameters"
  json::Value value;
  std::optional<u32> artifact;
  std::optional<Range> at;
  Assurance assurance = Assurance::claimed;
};

struct Finding {
  std::string rule;  // "GGF004"
  Severity severity = Severity::info;
  std::optional<u32> artifact;
  std::optional<Range> at;
  json::Value data = json::Object{};  // fills the {placeholders} of the rule's texts
};

struct Gap {
  Range range;
  std::string why;
};

// `examined` counts bytes that were parsed or, for numbers, claimed by exactly one tensor with
// checked bounds. A budget hit, a parse failure or unclaimed bytes leave a gap.
struct Coverage {
  u32 artifact = 0;
  u64 bytes = 0;
  u64 examined = 0;
  std::vector<Gap> gaps;
};

// A number with its unit, sample size and interval. Decimals are strings: "0.04".
struct Measurement {
  std::string metric;
  json::Value slice = json::Object{};
  std::string value;
  std::string unit;
  u64 n = 0;
  std::vector<std::string> interval;  // empty, or {low, high}
  std::string level;                  // "0.95"
  std::string interval_method;
  json::Value oracle = json::Object{};
};

// A piece of the file that loads as one tensor. Kept only when digests of tensors are asked for.
struct Part {
  std::string name;
  Range at;
};

struct Examination {
  std::vector<Artifact> artifacts;
  std::vector<Fact> facts;
  std::vector<Finding> findings;
  std::vector<Measurement> measurements;
  std::vector<Coverage> coverage;
  std::vector<Part> parts;

  // Nothing was cut short by a crash, a watchdog or a file that changed while being read.
  bool complete = true;

  const Fact* fact(std::string_view key) const;
};

}  // namespace steelyard
