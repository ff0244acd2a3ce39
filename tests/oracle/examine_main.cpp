// Reads paths on standard input; prints one line of JSON per file: what the parsers found, in this process.

#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <iterator>

#include "formats/format.hpp"
#include "rules/catalog.hpp"

int main() {
  using namespace steelyard;
  for (std::string path; std::getline(std::cin, path);) {
    std::ifstream in(path, std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const Bytes bytes = as_bytes(content);
    const MemorySource source(bytes);
    const Examination found = formats::examine(source, path.substr(path.rfind('/') + 1));
    const std::string& format = found.artifacts.front().format;
    json::Value facts = json::Object{};
    for (const Fact& fact : found.facts) facts.set(fact.key, fact.value);
    json::Value findings = json::Array{};
    for (const Finding& finding : found.findings) {
      const rules::Rule* rule = rules::find(finding.rule);
      findings.push(json::Value()
                        .set("rule", finding.rule)
                        .set("severity", rule ? to_string(rule->severity) : "unknown")
                        .set("message", rules::message(finding)));
    }
    bool whole = format != "unknown";
    for (const Coverage& coverage : found.coverage)
      whole = whole && coverage.gaps.empty() && coverage.examined == coverage.bytes;
    fmt::print("{}\n", json::compact(json::Value()
                                         .set("path", path)
                                         .set("format", format)
                                         .set("facts", facts)
                                         .set("findings", findings)
                                         .set("whole", whole)));
  }
  return 0;
}
