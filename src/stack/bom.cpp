#include "stack/bom.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/sha256.hpp"

namespace steelyard::stack {
namespace {

const json::Value& value(const evidence::Record& record, std::string_view key) {
  static const json::Value kNone;
  const Fact* fact = record.found.fact(key);
  return fact == nullptr ? kNone : fact->value;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                       c == '-' || c == '_' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<u8>(c));
  }
  return out;
}

std::string deb_purl(const json::Value& file) {
  return fmt::format("pkg:deb/debian/{}@{}", escaped(file["package"].string()),
                     escaped(file["package_version"].string()));
}

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

json::Value hashes(const std::string& sha256) {
  return json::Array{json::Value().set("alg", "SHA-256").set("content", sha256)};
}

json::Value property(const std::string& name, std::string text) {
  return json::Value().set("name", "steelyard:" + name).set("value", std::move(text));
}

// A file of the system: tool, library or object.
json::Value system_file(const json::Value& file, std::string_view type) {
  json::Value out = json::Value()
                        .set("type", type)
                        .set("bom-ref", "file:" + file["path"].string())
                        .set("name", last_part(file["path"].string()));
  if (!file["package"].string().empty()) out.set("version", file["package_version"].string());
  if (is_sha256(file["sha256"].string())) out.set("hashes", hashes(file["sha256"].string()));
  if (!file["package"].string().empty()) out.set("purl", deb_purl(file));
  json::Value properties = json::Array{};
  properties.push(property("path", file["path"].string()));
  properties.push(property("role", file["role"].string()));
  properties.push(property("package-database", file["state"].string()));
  return out.set("properties", std::move(properties));
}

json::Value upstream(const evidence::Record& record) {
  const json::Value& known = value(record, "stack.upstream");
  const json::Value& source = value(record, "stack.source");
  json::Value out = json::Value()
                        .set("type", "application")
                        .set("bom-ref", "upstream")
                        .set("name", known["name"].string())
                        .set("version", known["version"].string());
  if (!source["licence"].string().empty())
    out.set("licenses", json::Array{json::Value().set("license", json::Value().set("id", source["licence"].string()))});
  out.set("purl", upstream_purl(record));
  out.set("externalReferences", json::Array{json::Value().set("type", "vcs").set("url", known["repository"].string())});
  out.set("pedigree",
          json::Value().set("commits", json::Array{json::Value()
                                                       .set("uid", known["commit"].string())
                                                       .set("url", known["repository"].string() + "/commit/" +
                                                                       known["commit"].string())}));
  json::Value properties = json::Array{};
  properties.push(property("git-tree", known["tree"].string()));
  properties.push(property("files-compared", fmt::format("{}", known["files"].integer())));
  const json::Value& signature = value(record, "stack.upstream.signature");
  properties.push(
      property("commit-signature", fmt::format("{}: {}", signature["state"].string(), signature["why"].string())));
  return out.set("properties", std::move(properties));
}

std::vector<const evidence::Subject*> binaries(const evidence::Record& record) {
  std::vector<const evidence::Subject*> out;
  for (const auto& subject : record.subjects) {
    if (subject.role == "binary") out.push_back(&subject);
  }
  return out;
}

json::Value listed(const json::Value& words) { return words.is_array() ? words : json::Value(json::Array{}); }

}  // namespace

std::string upstream_purl(const evidence::Record& record) {
  const json::Value& known = value(record, "stack.upstream");
  constexpr std::string_view kHost = "https://github.com/";
  const std::string& repository = known["repository"].string();
  if (repository.starts_with(kHost))
    return fmt::format("pkg:github/{}@{}", repository.substr(kHost.size()), known["commit"].string());
  return fmt::format("pkg:generic/{}@{}", escaped(known["name"].string()), escaped(known["version"].string()));
}

std::string document_uuid(const evidence::Record& record, std::string_view purpose) {
  std::string digits = sha256(fmt::format("{} {}", purpose, evidence::id(record))).substr(0, 32);
  digits[12] = '8';  // RFC 9562: a number of the maker's own making
  digits[16] = "89ab"[digits[16] % 4];
  return fmt::format("{}-{}-{}-{}-{}", digits.substr(0, 8), digits.substr(8, 4), digits.substr(12, 4),
                     digits.substr(16, 4), digits.substr(20, 12));
}

json::Value cyclonedx(const evidence::Record& record) {
  json::Value components = json::Array{};
  json::Value dependencies = json::Array{};
  components.push(upstream(record));
  const json::Value& source = value(record, "stack.source");
  components.push(json::Value()
                      .set("type", "library")
                      .set("bom-ref", "source")
                      .set("name", source["name"].string())
                      .set("version", source["version"].string())
                      .set("scope", "excluded")
                      .set("hashes", hashes(source["sha256"].string()))
                      .set("purl", fmt::format("pkg:pypi/{}@{}", source["name"].string(), source["version"].string())));
  json::Value libraries = json::Array{};
  for (const json::Value& file : value(record, "stack.libraries").array()) {
    components.push(system_file(file, "library"));
    libraries.push("file:" + file["path"].string());
  }
  json::Value programs = json::Array{};
  for (const auto* binary : binaries(record)) {
    const std::string reference = "program:" + binary->path;
    components.push(json::Value()
                        .set("type", "application")
                        .set("bom-ref", reference)
                        .set("name", binary->path)
                        .set("version", value(record, "stack.upstream")["version"].string())
                        .set("hashes", hashes(binary->sha256)));
    programs.push(reference);
    json::Value needs = libraries;
    needs.push("upstream");
    dependencies.push(json::Value().set("ref", reference).set("dependsOn", std::move(needs)));
  }
  dependencies.push(json::Value().set("ref", "stack").set("dependsOn", programs));
  dependencies.push(json::Value().set("ref", "upstream").set("dependsOn", json::Array{"source"}));
  json::Value tools = json::Array{};
  for (const json::Value& file : value(record, "stack.tools").array()) {
    json::Value tool = system_file(file, "application");
    if (!file["version"].string().empty()) tool.set("description", file["version"].string());
    tools.push(std::move(tool));
  }
  json::Value properties = json::Array{};
  const json::Value& flags = value(record, "stack.flags");
  for (const char* key : {"compile", "link", "options", "backends"}) {
    for (const json::Value& one : flags[key].array())
      properties.push(property(fmt::format("build:{}", key), one.string()));
  }
  properties.push(property("evidence", evidence::id(record)));
  json::Value about =
      json::Value()
          .set("type", "application")
          .set("bom-ref", "stack")
          .set("name", fmt::format("{} (steelyard stack)", value(record, "stack.upstream")["name"].string()))
          .set("version", value(record, "stack.upstream")["version"].string())
          .set("properties", std::move(properties));
  json::Value made_by = json::Value().set(
      "components",
      json::Array{
          json::Value().set("type", "application").set("name", "steelyard").set("version", record.method.tool)});
  return json::Value()
      .set("$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json")
      .set("bomFormat", "CycloneDX")
      .set("specVersion", "1.6")
      .set("serialNumber", "urn:uuid:" + document_uuid(record, "bom"))
      .set("version", 1)
      .set("metadata", json::Value()
                           .set("timestamp", record.run.at)
                           .set("tools", std::move(made_by))
                           .set("component", std::move(about)))
      .set("components", std::move(components))
      .set("dependencies", std::move(dependencies))
      .set("formulation", json::Array{json::Value().set("bom-ref", "formula").set("components", std::move(tools))});
}

json::Value slsa(const evidence::Record& record) {
  json::Value subjects = json::Array{};
  for (const auto* binary : binaries(record))
    subjects.push(json::Value().set("name", binary->path).set("digest", json::Value().set("sha256", binary->sha256)));
  const json::Value& source = value(record, "stack.source");
  const json::Value& known = value(record, "stack.upstream");
  json::Value inputs = json::Array{};
  inputs.push(json::Value()
                  .set("uri", fmt::format("pkg:pypi/{}@{}", source["name"].string(), source["version"].string()))
                  .set("name", source["file"].string())
                  .set("digest", json::Value().set("sha256", source["sha256"].string())));
  inputs.push(
      json::Value()
          .set("uri", fmt::format("git+{}@{}", known["repository"].string(), known["commit"].string()))
          .set("digest",
               json::Value().set("gitCommit", known["commit"].string()).set("gitTree", known["tree"].string())));
  std::set<std::string> seen;
  for (const char* key : {"stack.tools", "stack.libraries"}) {
    for (const json::Value& file : value(record, key).array()) {
      const std::string& path = file["path"].string();
      if (!is_sha256(file["sha256"].string()) || !seen.insert(path).second) continue;
      json::Value input = json::Value()
                              .set("uri", file["package"].string().empty() ? "file://" + path : deb_purl(file))
                              .set("name", path)
                              .set("digest", json::Value().set("sha256", file["sha256"].string()));
      inputs.push(std::move(input));
    }
  }
  const json::Value& flags = value(record, "stack.flags");
  json::Value variants = json::Array{};
  for (const json::Value& variant : value(record, "stack.variants").array()) variants.push(variant["name"].string());
  json::Value definition = json::Value()
                               .set("buildType", "urn:steelyard:stack-build:1")
                               .set("externalParameters", json::Value()
                                                              .set("source", source["sha256"].string())
                                                              .set("commit", known["commit"].string())
                                                              .set("variants", std::move(variants))
                                                              .set("backends", listed(flags["backends"])))
                               .set("internalParameters", json::Value()
                                                              .set("compile", listed(flags["compile"]))
                                                              .set("link", listed(flags["link"]))
                                                              .set("options", listed(flags["options"]))
                                                              .set("variants", value(record, "stack.variants"))
                                                              .set("reproducible", value(record, "stack.reproducible")))
                               .set("resolvedDependencies", std::move(inputs));
  json::Value details =
      json::Value()
          .set("builder", json::Value()
                              .set("id", "urn:steelyard:stack")
                              .set("version", json::Value().set("steelyard", record.method.tool)))
          .set("metadata", json::Value().set("invocationId", evidence::id(record)).set("finishedOn", record.run.at));
  return json::Value()
      .set("_type", "https://in-toto.io/Statement/v1")
      .set("subject", std::move(subjects))
      .set("predicateType", "https://slsa.dev/provenance/v1")
      .set("predicate",
           json::Value().set("buildDefinition", std::move(definition)).set("runDetails", std::move(details)));
}

}  // namespace steelyard::stack
