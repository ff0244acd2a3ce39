#include "evidence/record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/sha256.hpp"

namespace steelyard::evidence {
namespace {

constexpr std::array<std::string_view, 3> kStatuses = {"complete", "partial", "failed"};

json::Value texts(const std::vector<std::string>& items) {
  json::Value list = json::Array{};
  for (const auto& item : items) list.push(item);
  return list;
}

json::Value range(const std::optional<Range>& at) {
  if (!at) return nullptr;
  return json::Value().push(at->begin).push(at->end);
}

json::Value index(const std::optional<u32>& artifact) { return artifact ? json::Value(*artifact) : json::Value(); }

json::Value or_null(const std::string& text) { return text.empty() ? json::Value() : json::Value(text); }

template <class T, class F>
json::Value list(const std::vector<T>& items, F each) {
  json::Value out = json::Array{};
  for (const auto& item : items) out.push(each(item));
  return out;
}

json::Value method(const Method& m) {
  return json::Value()
      .set("tool", m.tool)
      .set("analyzer", m.analyzer)
      .set("rules", or_null(m.rules))
      .set("engine", or_null(m.engine))
      .set("params", m.params)
      .set("seed", or_null(m.seed))
      .set("uses", texts(m.uses));
}

json::Value subject(const Subject& s) {
  return json::Value().set("role", s.role).set("path", s.path).set("sha256", or_null(s.sha256)).set("bytes", s.bytes);
}

// Reads one JSON document field by field; the first mistake is kept with its path.
class Reader {
 public:
  explicit Reader(std::string& error) : error_(error) {}

  void fault(std::string_view where, std::string_view expected) {
    if (error_.empty()) error_ = fmt::format("{}: expected {}", where, expected);
  }
  std::string text(const json::Value& object, std::string_view key) {
    const json::Value& value = object[key];
    if (!value.is_string()) fault(key, "text");
    return value.string();
  }
  std::string text_or_null(const json::Value& object, std::string_view key) {
    return object[key].is_null() ? std::string() : text(object, key);
  }
  u64 number(const json::Value& object, std::string_view key) {
    const auto value = object[key].unsigned_integer();
    if (!value) fault(key, "a non-negative integer");
    return value.value_or(0);
  }
  u32 small(const json::Value& object, std::string_view key) {
    const u64 value = number(object, key);
    if (value > UINT32_MAX) fault(key, "an integer below 2^32");
    return static_cast<u32>(value);
  }
  std::optional<Range> range(const json::Value& value) {
    if (value.is_null()) return std::nullopt;
    const auto& ends = value.array();
    if (ends.size() != 2 || !ends[0].unsigned_integer() || !ends[1].unsigned_integer() ||
        *ends[0].unsigned_integer() > *ends[1].unsigned_integer()) {
      fault("at", "[begin, end]");
      return std::nullopt;
    }
    return Range{*ends[0].unsigned_integer(), *ends[1].unsigned_integer()};
  }
  std::optional<u32> artifact(const json::Value& object, std::size_t artifacts) {
    if (object["artifact"].is_null()) return std::nullopt;
    const u32 value = small(object, "artifact");
    if (value >= artifacts) fault("artifact", "the index of an artifact");
    return value;
  }
  template <class F>
  void each(const json::Value& object, std::string_view key, F read) {
    const json::Value& items = object[key];
    if (!items.is_array()) fault(key, "a list");
    for (const auto& item : items.array()) read(item);
  }
  std::vector<std::string> texts(const json::Value& object, std::string_view key) {
    std::vector<std::string> out;
    each(object, key, [&](const json::Value& item) {
      if (!item.is_string()) fault(key, "a list of texts");
      out.push_back(item.string());
    });
    return out;
  }
  template <class T>
  T chosen(std::optional<T> value, std::string_view key) {
    if (!value) fault(key, "a known word");
    return value.value_or(T{});
  }

 private:
  std::string& error_;
};

Measurement read_measurement(Reader& in, const json::Value& item) {
  return {in.text(item, "metric"),
          item["slice"],
          in.text(item, "value"),
          in.text(item, "unit"),
          in.number(item, "n"),
          in.texts(item, "interval"),
          in.text_or_null(item, "level"),
          in.text_or_null(item, "interval_method"),
          item["oracle"]};
}

Record read_statement(Reader& in, const json::Value& s) {
  Record record;
  record.kind = in.text(s, "kind");
  in.each(s, "subjects", [&](const json::Value& item) {
    Subject subject{in.text(item, "role"), in.text(item, "path"), in.text_or_null(item, "sha256"),
                    in.number(item, "bytes")};
    if (!subject.sha256.empty() && !is_sha256(subject.sha256)) in.fault("sha256", "64 lowercase hex digits");
    record.subjects.push_back(std::move(subject));
  });
  const json::Value& m = s["method"];
  record.method = {
      in.text(m, "tool"), in.small(m, "analyzer"),    in.text_or_null(m, "rules"), in.text_or_null(m, "engine"),
      m["params"],        in.text_or_null(m, "seed"), in.texts(m, "uses")};
  Examination& found = record.found;
  in.each(s, "artifacts", [&](const json::Value& item) {
    if (in.small(item, "id") != found.artifacts.size()) in.fault("artifacts", "ids that count up from 0");
    Artifact artifact;
    if (!item["parent"].is_null()) artifact.parent = in.small(item, "parent");
    if (artifact.parent && *artifact.parent >= found.artifacts.size()) in.fault("parent", "an earlier artifact");
    artifact.subject = in.small(item, "subject");
    if (artifact.subject >= record.subjects.size()) in.fault("subject", "the index of a subject");
    artifact.path = in.text(item, "path");
    artifact.format = in.text(item, "format");
    artifact.range = in.range(item["range"]).value_or(Range{});
    artifact.encoding = in.text_or_null(item, "encoding");
    artifact.bytes = in.number(item, "bytes");
    found.artifacts.push_back(std::move(artifact));
  });
  const std::size_t artifacts = found.artifacts.size();
  in.each(s, "facts", [&](const json::Value& item) {
    found.facts.push_back({in.text(item, "key"), item["value"], in.artifact(item, artifacts), in.range(item["at"]),
                           in.chosen(parse_assurance(item["assurance"].string()), "assurance")});
  });
  in.each(s, "findings", [&](const json::Value& item) {
    found.findings.push_back({in.text(item, "rule"), in.chosen(parse_severity(item["severity"].string()), "severity"),
                              in.artifact(item, artifacts), in.range(item["at"]), item["data"]});
  });
  in.each(s, "measurements",
          [&](const json::Value& item) { found.measurements.push_back(read_measurement(in, item)); });
  in.each(s, "coverage", [&](const json::Value& item) {
    Coverage coverage{
        in.artifact(item, artifacts).value_or(0), in.number(item, "bytes"), in.number(item, "examined"), {}};
    if (coverage.examined > coverage.bytes) in.fault("examined", "no more than bytes");
    in.each(item, "gaps", [&](const json::Value& gap) {
      coverage.gaps.push_back({in.range(gap["range"]).value_or(Range{}), in.text(gap, "why")});
    });
    found.coverage.push_back(std::move(coverage));
  });
  const auto status = std::ranges::find(kStatuses, s["status"].string());
  if (status == kStatuses.end()) {
    in.fault("status", "complete, partial or failed");
  } else {
    record.status = static_cast<Status>(status - kStatuses.begin());
  }
  found.complete = record.status == Status::complete;
  return record;
}

}  // namespace

std::string_view to_string(Status status) { return kStatuses.at(static_cast<std::size_t>(status)); }

json::Value statement(const Record& record) {
  const Examination& found = record.found;
  json::Value artifacts = json::Array{};
  for (const Artifact& a : found.artifacts) {
    artifacts.push(json::Value()
                       .set("id", u64{artifacts.array().size()})
                       .set("parent", index(a.parent))
                       .set("subject", a.subject)
                       .set("path", a.path)
                       .set("format", a.format)
                       .set("range", range(a.range))
                       .set("encoding", or_null(a.encoding))
                       .set("bytes", a.bytes));
  }
  return json::Value()
      .set("schema", kSchema)
      .set("kind", record.kind)
      .set("subjects", list(record.subjects, subject))
      .set("method", method(record.method))
      .set("artifacts", std::move(artifacts))
      .set("facts", list(found.facts,
                         [](const Fact& f) {
                           return json::Value()
                               .set("key", f.key)
                               .set("value", f.value)
                               .set("artifact", index(f.artifact))
                               .set("at", range(f.at))
                               .set("assurance", to_string(f.assurance));
                         }))
      .set("findings", list(found.findings,
                            [](const Finding& f) {
                              return json::Value()
                                  .set("rule", f.rule)
                                  .set("severity", to_string(f.severity))
                                  .set("artifact", index(f.artifact))
                                  .set("at", range(f.at))
                                  .set("data", f.data);
                            }))
      .set("measurements", list(found.measurements,
                                [](const Measurement& m) {
                                  return json::Value()
                                      .set("metric", m.metric)
                                      .set("slice", m.slice)
                                      .set("value", m.value)
                                      .set("unit", m.unit)
                                      .set("n", m.n)
                                      .set("interval", texts(m.interval))
                                      .set("level", or_null(m.level))
                                      .set("interval_method", or_null(m.interval_method))
                                      .set("oracle", m.oracle);
                                }))
      .set("coverage", list(found.coverage,
                            [](const Coverage& c) {
                              return json::Value()
                                  .set("artifact", c.artifact)
                                  .set("bytes", c.bytes)
                                  .set("examined", c.examined)
                                  .set("gaps", list(c.gaps, [](const Gap& g) {
                                         return json::Value().set("range", range(g.range)).set("why", g.why);
                                       }));
                            }))
      .set("status", to_string(record.status));
}

std::string id(const Record& record) { return "ev1:" + sha256(json::canonical(statement(record))); }

json::Value encode(const Record& record) {
  json::Value hashed = statement(record);
  std::string name = "ev1:" + sha256(json::canonical(hashed));
  return json::Value()
      .set("id", std::move(name))
      .set("statement", std::move(hashed))
      .set("run", json::Value()
                      .set("at", record.run.at)
                      .set("ms", record.run.ms)
                      .set("sandbox", texts(record.run.sandbox))
                      .set("digest_source", record.run.digest_source));
}

Result<Record> decode(const json::Value& document) {
  const json::Value& s = document["statement"];
  if (s["schema"].string() != kSchema) {
    return fail(ErrorCode::usage, fmt::format("evidence record: schema is {}, this version reads {}",
                                              json::compact(s["schema"]), json::quote(kSchema)));
  }
  std::string error;
  Reader in(error);
  Record record = read_statement(in, s);
  const json::Value& run = document["run"];
  record.run = {in.text(run, "at"), in.number(run, "ms"), in.texts(run, "sandbox"),
                in.text_or_null(run, "digest_source")};
  if (!error.empty()) return fail(ErrorCode::usage, "evidence record: " + error);
  const std::string computed = "ev1:" + sha256(json::canonical(s));
  if (document["id"].string() != computed) {
    return fail(ErrorCode::usage, fmt::format("evidence record: its id is {}, but its statement has the id {}",
                                              json::compact(document["id"]), computed));
  }
  if (id(record) != computed)
    return fail(ErrorCode::usage, "evidence record: the statement has members that the schema doesn't know");
  return record;
}

std::string cache_key(const Record& record) {
  json::Value subjects = json::Array{};
  for (const Subject& s : record.subjects) {
    if (s.sha256.empty()) return {};
    subjects.push(json::Value().set("role", s.role).set("path", s.path).set("sha256", s.sha256));
  }
  return sha256(json::canonical(json::Value()
                                    .set("schema", kSchema)
                                    .set("kind", record.kind)
                                    .set("subjects", std::move(subjects))
                                    .set("method", method(record.method))));
}

}  // namespace steelyard::evidence
