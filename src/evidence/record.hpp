// The evidence record: the one thing that commands produce and everything else is a view of.
//
// A record is a hashed statement (what was learnt, about which bytes, by which method) and an
// unhashed run (when, how long, in which sandbox). Its id is "ev1:" and the SHA-256 of the
// statement's RFC 8785 form. Items are cited as "ev1:…#findings/3".
// Schema: data/schemas/evidence-1.json. Plain data; functions are pure and thread-safe.
// Tested by tests/unit/record_test.cpp.
#pragma once

#include "core/examination.hpp"

namespace steelyard::evidence {

inline constexpr std::string_view kSchema = "steelyard/evidence/1";

struct Subject {
  std::string role;    // "weights", "index", "host", "context"
  std::string path;    // as named by the user, relative to the target
  std::string sha256;  // empty: not hashed; the record then is never reused
  u64 bytes = 0;
};

struct Method {
  std::string tool;    // version of Steelyard
  u32 analyzer = 0;    // version of this kind's analyzer
  std::string rules;   // "sha256:…" of the rule pack, or empty
  std::string engine;  // digest of the inference engine, or empty
  json::Value params = json::Object{};
  std::string seed;
  std::vector<std::string> uses;  // ids of records this one was derived from
};

enum class Status { complete, partial, failed };
std::string_view to_string(Status status);

struct Run {
  std::string at;  // format_time()
  u64 ms = 0;
  std::vector<std::string> sandbox;  // layers achieved
  std::string digest_source;         // "hashed", "cache" or "none"
};

struct Record {
  std::string kind;  // "scan", "host", "context", …
  std::vector<Subject> subjects;
  Method method;
  Examination found;
  Status status = Status::complete;
  Run run;
};

// The hashed part.
json::Value statement(const Record& record);
std::string id(const Record& record);
// {"id", "statement", "run"}: the form on disk, in reports and in verdicts.
json::Value encode(const Record& record);
// Checks schema, types, ranges and that the id is that of the statement.
Result<Record> decode(const json::Value& document);
// Digest of {schema, kind, role, path and digest of each subject, method}; empty when a subject
// has no digest.
std::string cache_key(const Record& record);

}  // namespace steelyard::evidence
