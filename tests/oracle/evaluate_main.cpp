// The first implementation as a filter, for tests/oracle/recheck_test.py: one JSON object
// {"records", "context", "requirements", "accepted", "now"} a line in, its verdict document a line out.
#include <iostream>
#include <string>

#include "policy/requirements.hpp"

namespace {

using namespace steelyard;

Result<json::Value> judged(const std::string& line) {
  SY_TRY(const json::Value given, json::parse(line));
  std::vector<evidence::Record> records;
  for (const json::Value& encoded : given["records"].array()) {
    SY_TRY(evidence::Record record, evidence::decode(encoded));
    records.push_back(std::move(record));
  }
  SY_TRY(const policy::Requirements requirements, policy::decode_requirements(given["requirements"]));
  std::vector<accept::Accepted> accepted;
  for (const json::Value& encoded : given["accepted"].array()) {
    SY_TRY(accept::Accepted one, accept::decode(encoded));
    accepted.push_back(std::move(one));
  }
  const policy::Inputs inputs{records,
                              given["context"]["name"].string(),
                              given["context"]["digest"].string(),
                              &requirements,
                              given["now"].integer(),
                              accepted};
  return policy::document(inputs, policy::evaluate(inputs));
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto document = judged(line);
    std::cout << json::compact(document ? *document : json::Value().set("error", document.error().message)) << '\n';
  }
}
