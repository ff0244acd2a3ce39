// Every stable rule fires in one of its own examples and stays silent in another. Rules about the
// host and contexts have their examples walked by host_test.cpp and context_test.cpp; rules that no
// input alone can trigger name the test that does, which must mention them.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/embedded.hpp"
#include "formats/format.hpp"
#include "identity/identity.hpp"
#include "recipe/recipe.hpp"
#include "rules/advisories.hpp"
#include "rules/catalog.hpp"
#include "wire/toml.hpp"

namespace steelyard {
namespace {

Examination examine(Bytes bytes, const std::string& name) {
  const MemorySource source(bytes);
  Examination found = formats::examine(source, name);
  identity::weigh_claims(found);
  rules::note_advisories(found);
  return found;
}

class Rules : public testing::TestWithParam<std::string> {};

TEST_P(Rules, FireAndStaySilent) {
  const auto document = toml::Document::parse(std::string(embedded::find(GetParam())), GetParam());
  ASSERT_TRUE(document) << document.error().message;
  toml::Table rule(**document, (*document)->root(), GetParam());
  const std::string id = rule.text("id");
  ASSERT_NE(rules::find(id), nullptr);
  EXPECT_TRUE(GetParam().ends_with("/" + id + ".toml"));
  if (const std::string tested_by = rule.text("tested_by"); !tested_by.empty()) {
    std::ifstream in(std::string(STEELYARD_SOURCE_DIR "/") + tested_by);
    std::stringstream text;
    text << in.rdbuf();
    EXPECT_NE(text.str().find(id), std::string::npos) << tested_by << " doesn't mention " << id;
    return;
  }
  int fires = 0;
  int silent = 0;
  for (toml::Table& example : rule.tables("example")) {
    const bool expected = example.text("expect") == "fires";
    (expected ? fires : silent) += 1;
    const std::string format = example.text("format");
    if (format == "host" || format == "context") continue;
    const auto bytes = recipe::build(example.text("recipe"));
    ASSERT_TRUE(bytes) << example.text("title") << ": " << bytes.error().message;
    const Examination found = examine(*bytes, example.text("name"));
    const bool fired = std::ranges::any_of(found.findings, [&](const Finding& f) { return f.rule == id; });
    EXPECT_EQ(fired, expected) << id << ": " << example.text("title");
    for (const Finding& finding : found.findings) {
      EXPECT_NE(rules::find(finding.rule), nullptr) << finding.rule << " isn't in the catalogue";
      const std::string message = rules::message(finding);
      EXPECT_EQ(message.find('?'), std::string::npos) << finding.rule << ": unfilled placeholder: " << message;
    }
  }
  EXPECT_GE(fires, 1) << id;
  EXPECT_GE(silent, 1) << id;
}

std::vector<std::string> rule_files() {
  std::vector<std::string> paths;
  for (const auto& file : embedded::under("rules/")) paths.emplace_back(file.path);
  return paths;
}

INSTANTIATE_TEST_SUITE_P(All, Rules, testing::ValuesIn(rule_files()), [](const auto& file) {
  std::string name = file.param.substr(file.param.rfind('/') + 1);
  return name.substr(0, name.find('.'));
});

}  // namespace
}  // namespace steelyard
